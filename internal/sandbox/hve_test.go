package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// High Volume Email names what is wrong with a sign-in, in replies of its own.
func TestHVENamesWhatIsWrongWithASignIn(t *testing.T) {
	app := func(change func(*tenant.Application)) *tenant.Scenario {
		s := tenant.HVEScenario()
		change(&s.Applications[0])
		return s
	}
	off := tenant.HVEScenario()
	off.SMTPAuthDisabled = true
	for name, tt := range map[string]struct {
		o          sandbox.Options
		user, want string
	}{
		"good":                        {sandbox.Options{}, mailbox, "235 2.7.0 Authentication successful"},
		"SMTP AUTH is off":            {sandbox.Options{Scenario: off}, mailbox, "235 2.7.0 Authentication successful"},
		"the classic role":            {sandbox.Options{Scenario: app(func(a *tenant.Application) { a.Roles = []string{"SMTP.SendAsApp"} })}, mailbox, "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions."},
		"another account is allowed":  {sandbox.Options{Scenario: app(func(a *tenant.Application) { a.HVEAccess = []string{"x@contoso.example"} })}, mailbox, "550 5.7.240 The application is not allowed for use with this High Volume Email account"},
		"no such account":             {sandbox.Options{}, "a@fabrikam.example", "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid"},
		"a token that ends too soon":  {sandbox.Options{TokenLifetime: 10 * time.Minute}, mailbox, "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon"},
		"a token for another service": {sandbox.Options{Scenario: app(func(a *tenant.Application) { a.Audience = tenant.AudienceGraph })}, mailbox, "535 5.7.3 Authentication unsuccessful"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.HVE = true
			s := start(t, tt.o)
			if r := secure(t, s).cmd("AUTH XOAUTH2 %s", initial(t, tt.user, token(t, s))); !strings.HasPrefix(r.String(), tt.want) {
				t.Errorf("got %q; want %q", r, tt.want)
			}
		})
	}
	s := start(t, sandbox.Options{HVE: true})
	if r := secure(t, s).cmd("AUTH XOAUTH2 bm90aGluZw=="); !strings.HasPrefix(r.String(), "501 5.5.121 Invalid XOAUTH2 argument") {
		t.Errorf("got %q", r)
	}
	c := login(t, start(t, withFaults(t, sandbox.Options{HVE: true}, "hve-not-an-account,stage=mail")))
	if r := c.cmd("MAIL FROM:<%s>", mailbox); !strings.HasPrefix(r.String(), "550 5.2.240") {
		t.Errorf("got %q", r)
	}
}

// One identity, recipients of the organisation, 50 of them, 10 MB.
func TestHVERefusesWhatItDoesNotSend(t *testing.T) {
	s := start(t, sandbox.Options{HVE: true})
	c := login(t, s)
	if r := c.cmd("EHLO client.example"); !strings.Contains(r.Text(), "SIZE 10485760") {
		t.Errorf("EHLO: %q", r)
	}
	for _, tt := range []struct{ line, want string }{
		{"MAIL FROM:<other@contoso.example>", "550 5.7.62 The MAIL FROM address differs from the authenticated account"},
		{"MAIL FROM:<>", "550 5.7.62 "},
		{"MAIL FROM:<NoReply@contoso.example>", "250 2.1.0 Sender OK"},
		{"RCPT TO:<a@fabrikam.example>", "550 5.5.105 External sending is not supported for High Volume Email accounts"},
		{"RCPT TO:<a@contoso.example>", "250 2.1.5 Recipient OK"},
	} {
		if r := c.cmd("%s", tt.line); !strings.HasPrefix(r.String(), tt.want) {
			t.Errorf("%s: got %q; want %q", tt.line, r, tt.want)
		}
	}
	accepted := 1
	for i := range 60 {
		if r := c.cmd("RCPT TO:<r%d@contoso.example>", i); r.Code == 250 {
			accepted++
		} else if r.Code != 452 {
			t.Fatalf("one recipient too many: %q", r)
		}
	}
	if accepted != 50 {
		t.Errorf("%d recipients were accepted", accepted)
	}
	c.cmd("RSET")
	if r := c.submit(mailbox, content("other@contoso.example")); !strings.HasPrefix(r.String(), "550 5.6.241 The From header address differs") {
		t.Errorf("another From: %q", r)
	}
	if r := c.submit(mailbox, content(mailbox)); r.Code != 250 || len(s.Messages()) != 1 {
		t.Errorf("its own From: %q, %d messages", r, len(s.Messages()))
	}
	if env := fmt.Sprint(s.Env()); !strings.Contains(env, "SMTPSEND_SERVICE=hve") {
		t.Errorf("settings %s", env)
	}
}
