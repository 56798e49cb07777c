package submission_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/smtpsend/smtpsend/internal/session"
	words "github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// foreign is the backend of a server of others, go-smtp, which takes BDAT.
type foreign struct {
	mu    sync.Mutex
	kept  []message
	later bool // the content is deferred
}

func (f *foreign) NewSession(*smtp.Conn) (smtp.Session, error) { return &foreignSession{f: f}, nil }

type foreignSession struct {
	f   *foreign
	msg message
}

func (s *foreignSession) AuthMechanisms() []string         { return []string{"XOAUTH2"} }
func (s *foreignSession) Auth(string) (sasl.Server, error) { return anyToken{}, nil }
func (s *foreignSession) Reset()                           { s.msg = message{} }
func (s *foreignSession) Logout() error                    { return nil }
func (s *foreignSession) Mail(from string, _ *smtp.MailOptions) error {
	s.msg.from = from
	return nil
}

func (s *foreignSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "closed") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "unknown"}
	}
	s.msg.to = append(s.msg.to, to)
	return nil
}

func (s *foreignSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if s.f.later {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	s.msg.content = string(content)
	s.f.kept = append(s.f.kept, s.msg)
	return nil
}

// anyToken takes our token.
type anyToken struct{}

func (anyToken) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte{}, false, nil
	}
	if !bytes.Contains(response, []byte(accessToken)) {
		return nil, false, errors.New("not our token")
	}
	return nil, true, nil
}

// startForeign serves f and returns the options that lead there and the trace.
func startForeign(t *testing.T, f *foreign) (o session.Options, trace func() string) {
	t.Helper()
	srv := smtp.NewServer(f)
	srv.Domain, srv.MaxRecipients, srv.MaxMessageBytes = "foreign.example", 1000, 1<<20
	config, roots := certificate(t)
	srv.TLSConfig = config
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	var lines []string
	o = session.Options{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, RootCAs: roots, Mailbox: mailbox, Tokens: oneToken(), EHLOName: "client.example",
		Trace: func(line string) { lines = append(lines, line) },
	}
	return o, func() string { return strings.Join(lines, "\n") }
}

func TestForeignServerTakesBDAT(t *testing.T) {
	f := &foreign{}
	o, trace := startForeign(t, f)
	sender := submission.NewSender(o)
	defer sender.Close()
	var texts []string
	for _, to := range [][]string{{"a@contoso.example"}, {"closed@contoso.example", "b@contoso.example"}, {"c@contoso.example"}} {
		m := compose(t, to...)
		texts = append(texts, contentOf(t, m))
		r := sender.Submit(t.Context(), m, once)
		if r.Count(words.Accepted) != 1 || r.Count(words.Permanent) != len(to)-1 || r.Err() != nil {
			t.Errorf("%v: %+v, err %v", to, r.Recipients, r.Err())
		}
	}
	sender.Close()
	if n := strings.Count(trace(), "C: BDAT "); n != 3 || strings.Contains(trace(), "C: DATA") || strings.Count(trace(), "C: AUTH") != 1 {
		t.Errorf("%d times BDAT in\n%s", n, trace())
	}
	for i, m := range f.kept {
		if m.content != texts[i] || len(m.to) != 1 {
			t.Errorf("message %d to %v differs", i, m.to)
		}
	}
}

func TestForeignServerRefusesWithBDAT(t *testing.T) {
	f := &foreign{later: true}
	o, trace := startForeign(t, f)
	sender := submission.NewSender(o)
	defer sender.Close()
	for _, tt := range []struct {
		to   string
		want words.Outcome
	}{{"a@contoso.example", words.Transient}, {"closed@contoso.example", words.Permanent}, {"closed@contoso.example", words.Permanent}} {
		if r := sender.Submit(t.Context(), compose(t, tt.to), once); r.Count(tt.want) != 1 {
			t.Errorf("%s: %+v, want %s; err %v", tt.to, r.Recipients, tt.want, r.Err())
		}
	}
	f.mu.Lock()
	f.later = false
	f.mu.Unlock()
	allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "b@contoso.example"), once)})
	sender.Close()
	if len(f.kept) != 1 || !strings.Contains(trace(), "C: BDAT ") {
		t.Errorf("%d kept; dialogue\n%s", len(f.kept), trace())
	}
}
