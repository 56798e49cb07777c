package submission_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func soon() time.Time { return time.Now().Add(2 * time.Minute) }

func TestGreetStopsBeforeAuthAndGoesOn(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	o.Tokens = nil
	conn, err := session.Greet(t.Context(), o, soon())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := stages(conn.Steps()); got != "dial greeting ehlo starttls ehlo" {
		t.Errorf("steps %s", got)
	}
	if slices.ContainsFunc(s.commands(), func(l string) bool { return strings.HasPrefix(l, "AUTH") }) {
		t.Errorf("AUTH was sent without a token: %q", s.commands())
	}
	if state, ok := conn.TLS(); !ok || len(state.PeerCertificates) == 0 {
		t.Errorf("TLS state %v, %v", ok, state.PeerCertificates)
	}
	if !conn.Exchange() {
		t.Error("Exchange's greeting was not recognised")
	}
	if err := conn.Authenticate(t.Context(), bearer.Token{Access: secret.New(accessToken)}, soon()); err != nil {
		t.Fatal(err)
	}
	r, err := conn.Command(t.Context(), smtp.StageMail, "MAIL FROM:<"+mailbox+">", soon())
	if err != nil || r.Code != 250 {
		t.Fatalf("MAIL: %v, %v", r, err)
	}
	if got := stages(conn.Steps()); got != "dial greeting ehlo starttls ehlo auth mail" {
		t.Errorf("steps %s", got)
	}
}

func stages(steps []session.Step) string {
	var names []string
	for _, s := range steps {
		names = append(names, string(s.Stage))
	}
	return strings.Join(names, " ")
}

func TestGreetNamesTheStageThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		server *server
		stage  smtp.Stage
		fault  smtp.Fault
	}{
		"greeting":       {&server{closeAt: "greeting"}, smtp.StageGreeting, smtp.FaultConnectionClosed},
		"no STARTTLS":    {&server{ext: []string{"SIZE 1000"}}, smtp.StageStartTLS, smtp.FaultStartTLSMissing},
		"no XOAUTH2":     {&server{extTLS: []string{"AUTH LOGIN"}}, smtp.StageAuth, smtp.FaultXOAUTH2Missing},
		"no SMTP at all": {&server{banner: "SSH-2.0-OpenSSH_9.6"}, smtp.StageGreeting, smtp.FaultNotSMTP},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := session.Greet(t.Context(), setup(t, c.server), soon())
			var e *session.Error
			if !errors.As(err, &e) || e.Stage != c.stage || e.Fault != c.fault {
				t.Errorf("error %v, want stage %s and fault %s", err, c.stage, c.fault)
			}
		})
	}
}

func TestCommandKeepsTheRefusalAndTheSession(t *testing.T) {
	s := &server{rcpt: map[string]string{"b@contoso.example": "550 5.1.1 no such user"}}
	conn, err := session.Greet(t.Context(), setup(t, s), soon())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Authenticate(t.Context(), bearer.Token{Access: secret.New(accessToken)}, soon()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"MAIL FROM:<" + mailbox + ">", "RCPT TO:<a@contoso.example>"} {
		if _, err := conn.Command(t.Context(), smtp.StageMail, line, soon()); err != nil {
			t.Fatal(err)
		}
	}
	var e *session.Error
	_, err = conn.Command(t.Context(), smtp.StageRcpt, "RCPT TO:<b@contoso.example>", soon())
	if !errors.As(err, &e) || e.Reply.Code != 550 || e.Stage != smtp.StageRcpt {
		t.Errorf("error %v, want the 550", err)
	}
	if _, err := conn.Command(t.Context(), smtp.StageRcpt, "RCPT TO:<x>\r\nDATA", soon()); err == nil {
		t.Error("a command broke out of its line")
	}
}

func TestGreetEndsWithItsDeadlineAndItsContext(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	o := setup(t, &server{silentAt: "ehlo", silent: func() { reached <- struct{}{} }})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	_, err := session.Greet(ctx, o, soon())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	o.Timeouts.Command = 2 * time.Second
	_, err = session.Greet(t.Context(), o, soon())
	var e *session.Error
	if !errors.As(err, &e) || e.Fault != smtp.FaultConnectionTimeout || e.Stage != smtp.StageEHLO {
		t.Errorf("error %v, want no answer to EHLO", err)
	}
}
