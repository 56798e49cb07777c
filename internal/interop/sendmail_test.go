//go:build linux

package interop_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// arrival is a message as a server got it.
type arrival struct {
	sender     string
	recipients []string // sorted
	content    string   // lines end with LF
}

func (a arrival) body() string {
	_, body, _ := strings.Cut(a.content, "\n\n")
	return body
}

// sink is an SMTP server that keeps what it gets.
type sink struct{ got chan arrival }

// sinkSession is one transaction after another.
type sinkSession struct {
	sink *sink
	arrival
}

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }

func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	s.arrival = arrival{sender: from}
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.recipients = append(s.recipients, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading content: %w", err)
	}
	s.content = strings.ReplaceAll(string(content), "\r\n", "\n")
	slices.Sort(s.recipients)
	s.sink.got <- s.arrival
	return nil
}

func (s *sinkSession) Reset()        {}
func (s *sinkSession) Logout() error { return nil }

// sinkRelay is a Postfix as the mail system of a host, whose mail the sink gets.
type sinkRelay struct {
	*relay
	sink *sink
}

func startSinkRelay(t testing.TB) *sinkRelay {
	t.Helper()
	r := &sinkRelay{sink: &sink{got: make(chan arrival, 1)}}
	s := smtp.NewServer(r.sink)
	s.Domain, s.EnableSMTPUTF8 = "sink.example", true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	r.relay = startRelay(t, l.Addr().(*net.TCPAddr).Port)
	return r
}

// submit gives a message to Postfix's sendmail, and returns false when that
// refuses it.
func (r *sinkRelay) submit(t testing.TB, input string, args []string) (arrival, bool) {
	t.Helper()
	cmd := exec.Command("sendmail", args...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "MAIL_CONFIG="+r.conf), strings.NewReader(input)
	if got := finish(t, cmd); got.code != 0 {
		return arrival{}, false
	}
	select {
	case got := <-r.sink.got:
		return got, true
	case <-time.After(limit):
		t.Fatalf("%q, %q: Postfix took it, and nothing came within %v", args, input, limit)
	}
	return arrival{}, false
}

// submitted is what arrives in the sandbox of a message that smtpsend's sendmail
// gets.
func (c *client) submitted(t testing.TB, box *sandbox.Sandbox, input string, args []string) (arrival, result) {
	t.Helper()
	before := len(box.Messages())
	r := c.run(t, input, append([]string{"sendmail"}, args...)...)
	stored := box.Messages()[before:]
	if r.code != 0 || len(stored) != 1 {
		if len(stored) != 0 {
			t.Errorf("%q, %q: %d messages arrived: %v", args, input, len(stored), r)
		}
		return arrival{}, r
	}
	raw, _ := box.Raw(stored[0].ID)
	to := slices.Clone(stored[0].To)
	slices.Sort(to)
	return arrival{stored[0].From, to, strings.ReplaceAll(string(raw), "\r\n", "\n")}, r
}
