package submission_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestSetUpFailures: what the server does, and the stage, reply code and fault
// that must come of it.
func TestSetUpFailures(t *testing.T) {
	noStartTLS := replaceExt(exchangeExt, "STARTTLS", "")
	for name, tt := range map[string]struct {
		server *server
		stage  smtp.Stage
		code   int
		fault  smtp.Fault
	}{
		"closed before the greeting":   {&server{closeAt: "greeting"}, smtp.StageGreeting, 0, smtp.FaultConnectionClosed},
		"421 greeting":                 {&server{banner: "421 4.3.2 Service not available"}, smtp.StageGreeting, 421, ""},
		"554 greeting":                 {&server{banner: "554 5.3.2 no"}, smtp.StageGreeting, 554, ""},
		"another protocol":             {&server{banner: "+OK POP3 ready"}, smtp.StageGreeting, 0, smtp.FaultNotSMTP},
		"endless greeting":             {&server{banner: strings.Repeat("220-x\r\n", 20000)}, smtp.StageGreeting, 0, smtp.FaultNotSMTP},
		"mixed codes":                  {&server{say: map[string]string{"ehlo": "250-a\r\n500 b"}}, smtp.StageEHLO, 0, smtp.FaultNotSMTP},
		"EHLO refused":                 {&server{say: map[string]string{"ehlo": "502 5.3.3 no"}}, smtp.StageEHLO, 502, ""},
		"no STARTTLS":                  {&server{ext: noStartTLS}, smtp.StageStartTLS, 0, smtp.FaultStartTLSMissing},
		"STARTTLS refused":             {&server{say: map[string]string{"starttls": "454 4.7.0 TLS not available"}}, smtp.StageStartTLS, 454, ""},
		"words behind STARTTLS":        {&server{afterTLS: "250 injected\r\n"}, smtp.StageStartTLS, 0, smtp.FaultTLSNotSpoken},
		"EHLO after TLS refused":       {&server{say: map[string]string{"ehlo-tls": "421 4.7.66 TLS 1.0 and 1.1 are not supported."}}, smtp.StageEHLO, 421, ""},
		"no XOAUTH2":                   {&server{extTLS: []string{"AUTH LOGIN PLAIN XOAUTH2X"}}, smtp.StageAuth, 0, smtp.FaultXOAUTH2Missing},
		"AUTH refused":                 {&server{say: map[string]string{"auth": "535 5.7.3 Authentication unsuccessful"}}, smtp.StageAuth, 535, ""},
		"closed at AUTH":               {&server{closeAt: "auth"}, smtp.StageAuth, 0, smtp.FaultConnectionClosed},
		"challenge that is no base64":  {&server{say: map[string]string{"auth": "334 !!"}}, smtp.StageAuth, 500, ""},
		"challenge again and again":    {&server{say: map[string]string{"auth": "334 ", "unknown": "334 "}}, smtp.StageAuth, 334, ""},
		"silent after the TCP connect": {&server{silentAt: "greeting"}, smtp.StageGreeting, 0, smtp.FaultConnectionTimeout},
		"silent at STARTTLS":           {&server{silentAt: "starttls"}, smtp.StageStartTLS, 0, smtp.FaultConnectionTimeout},
		"silent at AUTH":               {&server{silentAt: "auth"}, smtp.StageAuth, 0, smtp.FaultConnectionTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := setup(t, tt.server)
			o.Timeouts.Command = 3 * time.Second
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
			e := r.Err()
			if e == nil || e.Stage != tt.stage || e.Reply.Code != tt.code || e.Fault != tt.fault {
				t.Fatalf("err %v (fault %q), want stage %s code %d fault %q", e, e.Fault, tt.stage, tt.code, tt.fault)
			}
			if r.Count(smtp.NotAttempted) != 1 || len(tt.server.stored()) != 0 {
				t.Errorf("recipients %+v", r.Recipients)
			}
			if strings.Contains(e.Error(), accessToken) {
				t.Errorf("the error holds the token: %v", e)
			}
		})
	}
}

func TestMechanismsAreReadFromEveryLineWithAUTH(t *testing.T) {
	for name, lines := range map[string][]string{
		"old form alone": {"AUTH=XOAUTH2 LOGIN"}, "two lines": {"AUTH LOGIN PLAIN", "AUTH XOAUTH2"}, "old form first": {"AUTH=LOGIN", "auth login xoauth2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := submission.Submit(t.Context(), setup(t, &server{extTLS: lines}), compose(t, "a@contoso.example"), once)
			if !r.AllAccepted() {
				t.Error(r.Err())
			}
		})
	}
}

func TestUntrustedCertificateIsRefused(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	o.RootCAs = nil
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Stage != smtp.StageStartTLS || e.Fault != smtp.FaultTLSUntrusted {
		t.Errorf("err %v, want tls-untrusted", e)
	}
	if slices.ContainsFunc(s.commands(), func(l string) bool { return strings.HasPrefix(l, "AUTH") }) {
		t.Error("AUTH was sent")
	}
}

func TestErrorResultOfAChallengeIsKept(t *testing.T) {
	s := &server{challenge: `{"status":"401","schemes":"bearer","scope":"https://outlook.office365.com/"}`}
	e := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Result == nil || e.Result.Status != "401" || e.Reply.Code != 535 {
		t.Errorf("err %v", e)
	}
}

// A token's claims and an error result have "https:// in common, and so has their
// base64: what hides the token must not damage the challenge.
func TestErrorResultThatLooksLikeThePartOfATokenIsKept(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"aud":"https://outlook.office365.com","iss":"https://sts.windows.net/x/"}`))
	s := &server{challenge: `{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}`}
	o := setup(t, s)
	o.Tokens = &tokens{list: []bearer.Token{{Access: secret.New("eyJ0eXAiOiJKV1QifQ." + claims + "." + claims)}}}
	for pad := range 3 { // each place in a base64 group
		o.Mailbox = strings.Repeat("a", pad+1) + "@contoso.example"
		e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
		if e == nil || e.Result == nil || e.Result.Scope != "https://mail.google.com/" {
			t.Errorf("%s: err %v", o.Mailbox, e)
		}
	}
}

func TestTwoStepAUTH(t *testing.T) {
	long := &tokens{list: []bearer.Token{{Access: secret.New(strings.Repeat("x", 1500))}}}
	for name, tt := range map[string]struct {
		server *server
		want   []string // AUTH lines, cut
	}{
		"other server, long token":      {&server{banner: "220 mail.example ESMTP Postfix"}, []string{"AUTH XOAUTH2"}},
		"Exchange that finds it long":   {&server{twoStep: true}, []string{"AUTH XOAUTH2 dXNl", "AUTH XOAUTH2"}},
		"Exchange that takes long ones": {&server{}, []string{"AUTH XOAUTH2 dXNl"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := setup(t, tt.server)
			o.Tokens = long
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
			var got []string
			for _, l := range tt.server.commands() {
				if strings.HasPrefix(l, "AUTH") {
					got = append(got, l[:min(len(l), len("AUTH XOAUTH2 dXNl"))])
				}
			}
			if !r.AllAccepted() || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("recipients %+v, AUTH lines %q, want %q", r.Recipients, got, tt.want)
			}
		})
	}
}

func TestCachedTokenIsReplacedOnceAfter535(t *testing.T) {
	s := &server{sayOnce: map[string][]string{"auth": {"535 5.7.3 Authentication unsuccessful"}}}
	o := setup(t, s)
	stale, fresh := bearer.Token{Access: secret.New("stale"), FromCache: true}, bearer.Token{Access: secret.New("fresh")}
	source := &tokens{list: []bearer.Token{stale, fresh}}
	o.Tokens = source
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	if !r.AllAccepted() || !reflect.DeepEqual(source.invalidated, []bearer.Token{stale}) || len(r.Attempts) != 2 {
		t.Errorf("recipients %+v, invalidated %v, %d attempts", r.Recipients, source.invalidated, len(r.Attempts))
	}

	s = &server{say: map[string]string{"auth": "535 5.7.3 Authentication unsuccessful"}}
	o = setup(t, s)
	source = &tokens{list: []bearer.Token{stale, {Access: secret.New("other"), FromCache: true}}}
	o.Tokens = source
	r = submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	if len(r.Attempts) != 2 || source.called != 2 || r.Err().Reply.Code != 535 {
		t.Errorf("%d attempts, %d tokens, err %v", len(r.Attempts), source.called, r.Err())
	}
}

func TestTokenIsFetchedWhileTheConnectionIsMade(t *testing.T) {
	reached := make(chan struct{})
	var hellos int
	s := &server{onLine: func(line string) {
		if strings.HasPrefix(line, "EHLO") {
			if hellos++; hellos == 2 {
				close(reached) // the session is ready for AUTH
			}
		}
	}}
	o := setup(t, s)
	source := oneToken()
	source.before = func(ctx context.Context) error {
		select {
		case <-reached:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	o.Tokens = source
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), submission.Policy{Attempts: 1, Deadline: time.Now().Add(10 * time.Second)})
	if !r.AllAccepted() {
		t.Errorf("the handshake waited for the token: %v", r.Err())
	}
}

var errRefused = errors.New("AADSTS7000215: refused")

func TestTokenRefusalEndsAConnectionThatHangs(t *testing.T) {
	s := &server{silentAt: "greeting"}
	o := setup(t, s)
	o.Tokens = &tokens{err: errRefused}
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Stage != smtp.StageToken || !errors.Is(e, errRefused) {
		t.Errorf("err %v, want the token's refusal", e)
	}
}

func TestInterruptEndsEveryStage(t *testing.T) {
	for _, stage := range []string{"greeting", "ehlo", "starttls", "ehlo-tls", "auth", "mail", "rcpt", "data"} {
		t.Run(stage, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &server{silentAt: stage, silent: cancel}
			o := setup(t, s)
			r := submission.Submit(ctx, o, compose(t, "a@contoso.example"), submission.Policy{})
			if e := r.Err(); e == nil || !e.Interrupted() || r.Count(smtp.NotAttempted) != 1 || len(r.Attempts) != 1 {
				t.Errorf("err %v, recipients %+v", e, r.Recipients)
			}
		})
	}
}

func TestParametersOnlyWhereOfferedAndNeeded(t *testing.T) {
	s := &server{extTLS: []string{"AUTH XOAUTH2", "SIZE 1000"}}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), once)
	if !r.AllAccepted() {
		t.Fatalf("recipients %+v, err %v", r.Recipients, r.Err())
	}
	s = &server{extTLS: []string{"AUTH XOAUTH2", "SIZE 100"}}
	r = submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), once)
	if e := r.Err(); e == nil || e.Fault != "message-too-large" || r.Count(smtp.Permanent) != 1 {
		t.Errorf("over SIZE: err %v, recipients %+v", e, r.Recipients)
	}
	s = &server{extTLS: []string{"AUTH XOAUTH2"}}
	r = submission.Submit(t.Context(), setup(t, s), compose(t, "ö@contoso.example"), once)
	if e := r.Err(); e == nil || e.Fault != "smtputf8-missing" {
		t.Errorf("no SMTPUTF8: err %v", e)
	}
	s = &server{}
	r = submission.Submit(t.Context(), setup(t, s), compose(t, "ö@contoso.example"), once)
	if !r.AllAccepted() || !slices.ContainsFunc(s.commands(), func(l string) bool { return strings.HasSuffix(l, " SMTPUTF8") }) {
		t.Errorf("SMTPUTF8: %q", s.commands())
	}
	eightBit := &mailobject.Mail{Envelope: mailobject.Envelope{ReversePath: "f@contoso.example", ForwardPaths: []string{"a@contoso.example"}},
		Content: mailobject.Stored(2, true, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("\r\n")), nil })}
	s = &server{extTLS: []string{"AUTH XOAUTH2"}}
	r = submission.Submit(t.Context(), setup(t, s), eightBit, once)
	if e := r.Err(); e == nil || e.Fault != "8bitmime-missing" || r.Count(smtp.Permanent) != 1 {
		t.Errorf("no 8BITMIME: err %v, recipients %+v", e, r.Recipients)
	}
	s = &server{}
	r = submission.Submit(t.Context(), setup(t, s), eightBit, once)
	if !r.AllAccepted() || !slices.ContainsFunc(s.commands(), func(l string) bool { return strings.HasSuffix(l, " BODY=8BITMIME") }) {
		t.Errorf("8BITMIME: %q", s.commands())
	}
}

func TestAuthRefusesWithoutTLS(t *testing.T) {
	called := false
	a := bearer.NewAuth(mailbox, func(context.Context) (bearer.Token, error) {
		called = true
		return bearer.Token{Access: secret.New(accessToken)}, nil
	})
	if _, _, err := a.Start(t.Context(), false); !errors.Is(err, bearer.ErrNoTLS) || called {
		t.Errorf("err %v, token fetched: %v", err, called)
	}
	if mech, response, err := a.Start(t.Context(), true); mech != "XOAUTH2" || !strings.Contains(string(response), accessToken) || err != nil {
		t.Errorf("with TLS: %q, %q, %v", mech, response, err)
	}
}

func TestPlaintextOnLoopbackByTheUsersOwnSetting(t *testing.T) {
	s := &server{ext: []string{"AUTH XOAUTH2"}}
	o := setup(t, s)
	o.Security = session.Plaintext
	if r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once); !r.AllAccepted() {
		t.Errorf("err %v", r.Err())
	}
}

func TestTraceHasTheDialogueAndNoCredential(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	var lines []string
	o.Trace = func(l string) { lines = append(lines, l) }
	submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	all := strings.Join(lines, "\n")
	if strings.Contains(all, accessToken) || strings.Contains(all, "dXNlcj1") {
		t.Errorf("trace holds the token:\n%s", all)
	}
	for _, want := range []string{"C: STARTTLS", "S: 220 2.0.0 SMTP server ready", "C: AUTH XOAUTH2 [redacted, ", "S: 235 2.7.0", "C: [content, ", "C: ."} {
		if !strings.Contains(all, want) {
			t.Errorf("trace lacks %q:\n%s", want, all)
		}
	}
}

// TestProxy goes through a real CONNECT proxy.
func TestProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var answer atomic.Value
	answer.Store("")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tunnel(conn, answer.Load().(string))
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	s := &server{}
	o := setup(t, s)
	o.Proxy = &url.URL{Scheme: "http", Host: l.Addr().String(), User: url.UserPassword("u", "p4ssw0rd")}
	if r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once); !r.AllAccepted() {
		t.Errorf("through the proxy: %v", r.Err())
	}
	// The proxy is at a loopback address, and what it connects to may be anywhere.
	clear := setup(t, &server{ext: []string{"AUTH XOAUTH2"}})
	clear.Proxy, clear.Security = o.Proxy, session.Plaintext
	if r := submission.Submit(t.Context(), clear, compose(t, "a@contoso.example"), once); r.AllAccepted() || r.Err() == nil || r.Err().Stage != smtp.StageAuth {
		t.Errorf("without TLS through the proxy: %v", r.Err())
	}
	for _, status := range []string{"302 Found", "502 Bad Gateway"} {
		answer.Store(status)
		e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
		if e == nil || e.Stage != smtp.StageDial || e.Fault != smtp.FaultNetworkUnreachable || strings.Contains(e.Error(), "p4ssw0rd") {
			t.Errorf("no way from the proxy: %v", e)
		}
	}
	answer.Store("403 Forbidden")
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Stage != smtp.StageDial || e.Fault != smtp.FaultProxyRefused || strings.Contains(e.Error(), "p4ssw0rd") {
		t.Errorf("refused by the proxy: %v, fault %q", e, e.Fault)
	}
	answer.Store("407 Who are you?\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate")
	for _, user := range []*url.Userinfo{nil, url.UserPassword("u", "p4ssw0rd")} {
		o.Proxy.User = user
		e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), submission.Policy{Attempts: 3}).Err()
		if e == nil || e.Stage != smtp.StageDial || e.Fault != smtp.FaultProxySignIn || strings.Contains(e.Error(), "p4ssw0rd") {
			t.Fatalf("the proxy wants a sign-in: %v", e)
		}
		f := diagnosis.Find(e.Symptom(), diagnosis.Facts{})
		if f.Code != "proxy-authentication" || !strings.Contains(f.Cause, "It offers NTLM, Negotiate.") || !strings.Contains(f.Fixes[0].Text, "cntlm or px") {
			t.Errorf("%s: %s %+v", f.Code, f.Cause, f.Fixes)
		}
		if !strings.Contains(e.Error(), "user and password were sent") || strings.Contains(e.Error(), "no user") == (user != nil) {
			t.Errorf("what was sent: %v", e)
		}
	}
}

func tunnel(conn net.Conn, answer string) {
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if req.Header.Get("Proxy-Authorization") == "" && answer == "" {
		answer = "407 Proxy Authentication Required"
	}
	if answer != "" {
		io.WriteString(conn, "HTTP/1.1 "+answer+"\r\nContent-Length: 0\r\n\r\n")
		return
	}
	to, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer to.Close()
	io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Connected\r\n\r\n")
	go func() { io.Copy(to, conn); to.Close() }()
	io.Copy(conn, to)
}
