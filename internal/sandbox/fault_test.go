package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

func TestFaultCounts(t *testing.T) {
	tests := map[string]string{ // the codes of eight AUTHs
		"auth-unsuccessful":                                         "535 535 535 535 535 535 535 535",
		"auth-unsuccessful,after=2":                                 "235 235 535 535 535 535 535 535",
		"auth-unsuccessful,times=2":                                 "535 535 235 235 235 235 235 235",
		"auth-unsuccessful,after=1,times=1":                         "235 535 235 235 235 235 235 235",
		"auth-unsuccessful,share=0.25":                              "235 235 235 535 235 235 235 535",
		"auth-unsuccessful,share=0.5,times=2":                       "235 535 235 535 235 235 235 235",
		"auth-unsuccessful,times=1 auth-temporary,after=1,times=1":  "535 454 235 235 235 235 235 235",
		"auth-unsuccessful,mailbox=other@contoso.example":           "235 235 235 235 235 235 235 235",
		"auth-unsuccessful,mailbox=NOREPLY@contoso.example,times=1": "535 235 235 235 235 235 235 235",
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			s := start(t, withFaults(t, sandbox.Options{}, strings.Fields(text)...))
			secret := initial(t, mailbox, token(t, s))
			var got []string
			for range 8 {
				got = append(got, fmt.Sprint(secure(t, s).cmd("AUTH XOAUTH2 %s", secret).Code))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("got %s; want %s", strings.Join(got, " "), want)
			}
		})
	}
}

// A tenth is no binary fraction: ten of them are one all the same.
func TestShareOfATenthIsEveryTenth(t *testing.T) {
	s := start(t, withFaults(t, sandbox.Options{}, "auth-unsuccessful,share=0.1"))
	secret := initial(t, mailbox, token(t, s))
	for n := 1; n <= 10; n++ {
		want := 235
		if n == 10 {
			want = 535
		}
		if r := secure(t, s).cmd("AUTH XOAUTH2 %s", secret); r.Code != want {
			t.Errorf("AUTH %d: got %v, want %d", n, r, want)
		}
	}
}

// Every entry that a server can cause is a fault of its code, and what the
// fault shows a client is recognised as that entry.
func TestFaultForEveryEntry(t *testing.T) {
	walked := 0
	for _, e := range diagnosis.Entries() {
		if !e.ServerCan {
			continue
		}
		walked++
		t.Run(e.Code, func(t *testing.T) {
			t.Parallel()
			s := start(t, withFaults(t, sandbox.Options{}, e.Code))
			wait := time.Minute
			if e.Fault == smtp.FaultConnectionTimeout { // nothing else ends it
				wait = 2 * time.Second
			}
			symptom := meet(t, s, wait)
			if e.Fault != "" {
				symptom.Fault = e.Fault // told from the network's errors by the client's own code
			}
			facts := diagnosis.Facts{ClientID: s.ClientID(), TenantID: s.TenantID(), Mailbox: mailbox}
			if got := diagnosis.Find(symptom, facts); got.Code != e.Code {
				t.Errorf("met %+v, which is named %s", symptom, got.Code)
			}
		})
	}
	t.Logf("%d entries that a server can cause", walked)
}

// meet goes through a submission up to the first thing that is not as it
// should be, and says what that was. It has so long for the session.
func meet(t *testing.T, s *sandbox.Sandbox, wait time.Duration) diagnosis.Symptom {
	t.Helper()
	if symptom, met := meetToken(t, s); met {
		return symptom
	}
	c := &prober{t: t, s: s, wait: wait}
	for _, step := range c.steps() {
		if symptom, met := step(); met {
			return symptom
		}
	}
	t.Fatal("met nothing")
	return diagnosis.Symptom{}
}

func meetToken(t *testing.T, s *sandbox.Sandbox) (diagnosis.Symptom, bool) {
	a := post(t, s, s.TenantID(), form(s))
	if a.status == 200 && strings.Contains(a.body, "access_token") {
		return diagnosis.Symptom{}, false
	}
	symptom := diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: a.status, Text: a.body}
	var refusal struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
	}
	if json.Unmarshal([]byte(a.body), &refusal) == nil && refusal.Error != "" {
		symptom.OAuthError, symptom.Text, symptom.AADSTS = refusal.Error, refusal.Description, refusal.Codes
	}
	return symptom, true
}

type prober struct {
	t *testing.T
	s *sandbox.Sandbox
	c *smtpClient

	wait time.Duration
}

// steps are those of a session; each reports what it met.
func (p *prober) steps() []func() (diagnosis.Symptom, bool) {
	say := func(stage smtp.Stage, want int, line string) func() (diagnosis.Symptom, bool) {
		return func() (diagnosis.Symptom, bool) {
			if line != "" {
				fmt.Fprint(p.c.conn, line+"\r\n")
			}
			return p.expect(stage, want, "")
		}
	}
	hello := func(keyword string) func() (diagnosis.Symptom, bool) {
		return func() (diagnosis.Symptom, bool) {
			fmt.Fprint(p.c.conn, "EHLO client.example\r\n")
			return p.expect(smtp.StageEHLO, 250, keyword)
		}
	}
	return []func() (diagnosis.Symptom, bool){
		p.greeting, hello("STARTTLS"), p.startTLS, hello("AUTH LOGIN XOAUTH2"), p.auth,
		say(smtp.StageMail, 250, "MAIL FROM:<"+mailbox+">"), say(smtp.StageRcpt, 250, "RCPT TO:<a@contoso.example>"),
		say(smtp.StageData, 354, "DATA"), say(smtp.StageContent, 250, content(mailbox)+"."), say(smtp.StageQuit, 221, "QUIT"),
	}
}

func (p *prober) expect(stage smtp.Stage, want int, keyword string) (diagnosis.Symptom, bool) {
	if stage == smtp.StageGreeting {
		_ = p.c.conn.SetDeadline(time.Now().Add(p.wait))
	}
	r, err := smtp.Read(p.c.r)
	switch {
	case err != nil:
		return diagnosis.Symptom{Stage: stage, Fault: diagnosis.FaultOf(err)}, true
	case r.Code != want:
		return diagnosis.Symptom{Stage: stage, Code: r.Code, Enhanced: r.Enhanced.String(), Text: r.Text()}, true
	case !strings.Contains(r.Text(), keyword):
		return diagnosis.Symptom{Stage: stage, Text: r.Text()}, true
	}
	return diagnosis.Symptom{}, false
}

func (p *prober) greeting() (diagnosis.Symptom, bool) {
	p.c = dial(p.t, p.s)
	return p.expect(smtp.StageGreeting, 220, "Microsoft ESMTP MAIL Service")
}

func (p *prober) startTLS() (diagnosis.Symptom, bool) {
	fmt.Fprint(p.c.conn, "STARTTLS\r\n")
	if symptom, met := p.expect(smtp.StageStartTLS, 220, ""); met {
		return symptom, true
	}
	if err := p.c.handshake(p.s); err != nil {
		return diagnosis.Symptom{Stage: smtp.StageStartTLS, Fault: diagnosis.FaultOf(err)}, true
	}
	return diagnosis.Symptom{}, false
}

func (p *prober) auth() (diagnosis.Symptom, bool) {
	fmt.Fprintf(p.c.conn, "AUTH XOAUTH2 %s\r\n", initial(p.t, mailbox, token(p.t, p.s)))
	return p.expect(smtp.StageAuth, 235, "")
}

func TestCertificateFaults(t *testing.T) {
	for name, want := range map[string]smtp.Fault{
		"tls-untrusted": smtp.FaultTLSUntrusted, "tls-intercepted": smtp.FaultTLSUntrusted,
		"tls-hostname": smtp.FaultTLSHostname, "tls-expired": smtp.FaultTLSExpired,
		"tls-version": smtp.FaultTLSVersion, "tls-failure": smtp.FaultTLSFailure,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, withFaults(t, sandbox.Options{}, name, name+",stage=token"))
			c := dial(t, s)
			c.read()
			c.cmd("EHLO client.example")
			if got := diagnosis.FaultOf(c.startTLS(s)); got != want {
				t.Errorf("SMTP: got %q; want %q", got, want)
			}
			_, err := httpClient(t, s).Get(s.URL())
			if got := diagnosis.FaultOf(err); got != want {
				t.Errorf("HTTPS: got %q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestReplyLostKeepsTheMail(t *testing.T) {
	s := start(t, withFaults(t, sandbox.Options{}, "reply-lost,times=1"))
	c := login(t, s)
	for _, line := range []string{"MAIL FROM:<" + mailbox + ">", "RCPT TO:<a@contoso.example>", "DATA"} {
		c.cmd("%s", line)
	}
	fmt.Fprint(c.conn, content(mailbox)+".\r\n")
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v; want a closed connection", rest, err)
	}
	if got := s.Messages(); len(got) != 1 || got[0].Subject != "Grüße" {
		t.Errorf("kept %+v; want the message", got)
	}
}

func TestContentCut(t *testing.T) {
	s := start(t, withFaults(t, sandbox.Options{}, "content-cut,times=1"))
	c := login(t, s)
	for _, line := range []string{"MAIL FROM:<" + mailbox + ">", "RCPT TO:<a@contoso.example>", "DATA"} {
		c.cmd("%s", line)
	}
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v; want a closed connection", rest, err)
	}
}

func TestHookAnswersInTheServersPlace(t *testing.T) {
	s := start(t, sandbox.Options{SMTPHook: func(_ context.Context, stage smtp.Stage, who string) (smtpserver.Reply, bool) {
		switch {
		case stage == smtp.StageRcpt && who == mailbox:
			return smtpserver.Say(450, "4.2.1 later"), true
		case stage == smtp.StageContent:
			return smtpserver.Say(250, "2.0.0 kept by the hook"), true
		}
		return smtpserver.Reply{}, false
	}})
	c := login(t, s)
	c.cmd("MAIL FROM:<" + mailbox + ">")
	if r := c.cmd("RCPT TO:<a@contoso.example>"); r.String() != "450 4.2.1 later" {
		t.Errorf("got %q", r)
	}
	if r := c.cmd("DATA"); r.String() != "503 5.5.2 Need rcpt command" {
		t.Errorf("got %q", r)
	}
	other := secure(t, s)
	other.cmd("AUTH XOAUTH2 %s", initial(t, "other@contoso.example", token(t, s)))
	if r := other.submit("other@contoso.example", content("other@contoso.example")); r.String() != "250 2.0.0 kept by the hook" || len(s.Messages()) != 1 {
		t.Errorf("got %q, %d messages", r, len(s.Messages()))
	}
}
