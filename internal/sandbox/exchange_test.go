package sandbox_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

func TestAuthRefusals(t *testing.T) {
	s := start(t, sandbox.Options{Scenario: &tenant.Scenario{
		SMTPAuthDisabled: true,
		Mailboxes: []tenant.Mailbox{
			{Address: mailbox, SMTPAuth: "on"}, {Address: "off@contoso.example", SMTPAuth: "off"}, {Address: "blank@contoso.example"},
		},
	}})
	good := token(t, s)
	parts := strings.Split(good, ".")
	tests := map[string]struct{ user, token, want string }{
		"good":                {mailbox, good, "235 2.7.0 Authentication successful"},
		"address in capitals": {"NoReply@Contoso.example", good, "235 2.7.0 Authentication successful"},
		"no such mailbox":     {"nobody@contoso.example", good, "535 5.7.3 Authentication unsuccessful ["},
		"forged signature":    {mailbox, parts[0] + "." + parts[1] + "." + parts[0], "535 5.7.3 Authentication unsuccessful ["},
		"no JWT":              {mailbox, "abc", "535 5.7.3 Authentication unsuccessful ["},
		"algorithm none":      {mailbox, "eyJhbGciOiJub25lIn0." + parts[1] + ".", "535 5.7.3 Authentication unsuccessful ["},
		"token for Graph":     {mailbox, token(t, s, "scope", "https://graph.microsoft.com/.default"), "535 5.7.3 Authentication unsuccessful ["},
		"switch of mailbox":   {"off@contoso.example", good, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information. ["},
		"switch of tenant":    {"blank@contoso.example", good, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. ["},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if r := secure(t, s).cmd("AUTH XOAUTH2 %s", initial(t, tt.user, tt.token)); !strings.HasPrefix(r.String(), tt.want) {
				t.Errorf("got %q; want %q", r, tt.want)
			}
		})
	}
}

func TestExpiredToken(t *testing.T) {
	s := start(t, withFaults(t, sandbox.Options{}, "token-expired"))
	r := secure(t, s).cmd("AUTH XOAUTH2 %s", initial(t, mailbox, token(t, s)))
	if !strings.HasPrefix(r.String(), "535 5.7.3 Authentication unsuccessful [") {
		t.Errorf("got %q", r)
	}
}

func TestTokenOfAnotherSandbox(t *testing.T) {
	// Signing key and application are the same; the tenant tells the two apart.
	same := &tenant.Scenario{Applications: []tenant.Application{{
		ClientID: "11111111-1111-1111-1111-111111111111", ObjectID: "22222222-2222-2222-2222-222222222222",
		Roles: []string{"SMTP.SendAsApp"}, FullAccess: []string{"*"},
	}}}
	s, other := start(t, sandbox.Options{Scenario: same}), start(t, sandbox.Options{Scenario: same})
	r := secure(t, s).cmd("AUTH XOAUTH2 %s", initial(t, mailbox, token(t, other)))
	if r.Code != 535 {
		t.Errorf("got %q", r)
	}
}

func TestOtherMechanisms(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := secure(t, s)
	if r := c.cmd("AUTH LOGIN"); r.String() != "334 VXNlcm5hbWU6" {
		t.Errorf("got %q", r)
	}
	c.cmd("%s", base64.StdEncoding.EncodeToString([]byte(mailbox)))
	if r := c.cmd("cGFzc3dvcmQ="); !strings.HasPrefix(r.String(), "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [") {
		t.Errorf("LOGIN: got %q", r)
	}
	if r := c.cmd("AUTH PLAIN AGEAYg=="); !strings.HasPrefix(r.String(), "504 5.7.4 Unrecognized authentication type [") {
		t.Errorf("PLAIN: got %q", r)
	}
	if r := c.cmd("MAIL FROM:<" + mailbox + ">"); !strings.HasPrefix(r.String(), "530 5.7.57 Client not authenticated to send mail. [") {
		t.Errorf("MAIL: got %q", r)
	}
	clear := dial(t, s)
	clear.read()
	clear.cmd("EHLO client.example")
	for _, line := range []string{"AUTH XOAUTH2", "AUTH XOAUTH2 no-base64!"} {
		if r := clear.cmd("%s", line); r.Code != 504 {
			t.Errorf("%s in clear: got %q", line, r)
		}
	}
	if r := clear.cmd("MAIL FROM:<" + mailbox + ">"); !strings.HasPrefix(r.String(), "451 5.7.3 STARTTLS is required to send mail [") {
		t.Errorf("MAIL in clear: got %q", r)
	}
}

// The ten causes of one reply, and the way that is right without a role.
func TestTenantsThatLookHealthy(t *testing.T) {
	tests := map[string]int{
		"wrong-object-id": 535, "service-principal-missing": 535, "role-missing": 535, "role-with-app-rbac": 535,
		"no-mailbox-grant": 535, "mailbox-outside-scope": 535, "propagation-delay": 535, "token-for-other-cloud": 535,
		"token-for-graph": 535, "graph-roles-only": 535, "app-rbac": 235,
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, withFaults(t, sandbox.Options{}, name))
			r := secure(t, s).cmd("AUTH XOAUTH2 %s", initial(t, mailbox, token(t, s)))
			if r.Code != want || (want == 535 && !strings.HasPrefix(r.String(), "535 5.7.3 Authentication unsuccessful [")) {
				t.Errorf("got %q; want %d", r, want)
			}
		})
	}
}

func TestPropagationEnds(t *testing.T) {
	s := start(t, withFaults(t, sandbox.Options{TimeScale: 1e6}, "propagation-delay"))
	secret := initial(t, mailbox, token(t, s))
	for range 1000 {
		if secure(t, s).cmd("AUTH XOAUTH2 %s", secret).Code == 235 {
			return
		}
	}
	t.Error("the rights never took effect")
}

func TestSendAs(t *testing.T) {
	s := start(t, sandbox.Options{SendAsDenied: 2, Scenario: &tenant.Scenario{
		Mailboxes:    []tenant.Mailbox{{Address: mailbox, Aliases: []string{"alias@contoso.example"}}},
		Applications: []tenant.Application{{Roles: []string{"SMTP.SendAsApp"}, FullAccess: []string{"*"}, SendAs: []string{"shop@contoso.example"}}},
	}})
	c := login(t, s)
	for _, from := range []string{mailbox, "NOREPLY@contoso.example", "alias@contoso.example", "Shop <shop@contoso.example>"} {
		if r := c.submit(mailbox, content(from)); r.Code != 250 {
			t.Errorf("%s: got %q", from, r)
		}
	}
	r := c.submit(mailbox, content("ceo@contoso.example"))
	if want := "554 5.2.252 SendAsDenied; noreply@contoso.example not allowed to send as ceo@contoso.example; " +
		"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent " +
		"exception with message [BeginDiagnosticData]Cannot submit message. "; !strings.HasPrefix(r.String(), want) ||
		!strings.Contains(r.String(), "[EndDiagnosticData] [Hostname=") || len(r.String()) < 1024 {
		t.Errorf("got %q", r)
	}
	if r := c.submit("ceo@contoso.example", content(mailbox)); !strings.HasPrefix(r.String(), "554 5.2.252 SendAsDenied; ") {
		t.Errorf("reverse-path: got %q", r)
	}
	if r := c.submit(mailbox, content(mailbox)); !strings.HasPrefix(r.String(), "550 5.2.252 Sender throttled due to continuous send as denied errors.") {
		t.Errorf("throttled: got %q", r)
	}
	if n := len(s.Messages()); n != 4 {
		t.Errorf("stored %d messages; want 4", n)
	}
}

func TestContentRefusals(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := login(t, s)
	tests := map[string]struct{ content, want string }{
		"no From":       {"Subject: x\r\n\r\nhi\r\n", "550 5.7.512 "},
		"no header":     {"hi\r\n", "550 5.7.512 "},
		"several Froms": {"From: " + mailbox + ", b@contoso.example\r\n\r\n", "550 5.1.20 "},
	}
	for name, tt := range tests {
		if r := c.submit(mailbox, tt.content); !strings.HasPrefix(r.String(), tt.want) {
			t.Errorf("%s: got %q", name, r)
		}
	}
	if r := c.cmd("MAIL FROM:<" + mailbox + "> SIZE=157286401"); r.String() != "552 5.3.4 Message size exceeds fixed maximum message size" {
		t.Errorf("SIZE: got %q", r)
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("stored %d messages", n)
	}
}

func TestDisplayNamesThatRFC5322DoesNotAllowAreTaken(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := login(t, s)
	for _, name := range []string{"J\xfcrgen", mailbox, "[Ops] a@b"} {
		if r := c.submit(mailbox, "From: "+name+" <"+mailbox+">\r\n\r\nhi\r\n"); r.Code != 250 {
			t.Errorf("%q: %q", name, r)
		}
	}
	local, domain, _ := strings.Cut(mailbox, "@")
	for _, from := range []string{`Pete(A nice \) chap) <` + local + `(his (own) account)@` + domain + `(his host)>`, local + ` @ ` + strings.ReplaceAll(domain, ".", " . ") + ` (c)`} {
		if r := c.submit(mailbox, "From: "+from+"\r\n\r\nhi\r\n"); r.Code != 250 {
			t.Errorf("From %s: %s", from, r)
		}
	}
	if r := c.submit(mailbox, "From: Pete <ceo(x) @contoso . example>\r\n\r\nhi\r\n"); !strings.HasPrefix(r.String(), "554 5.2.252 ") {
		t.Errorf("another mailbox, with comments: %s", r)
	}
	if r := c.submit(mailbox, "From: x@y <ceo@contoso.example>\r\n\r\nhi\r\n"); !strings.HasPrefix(r.String(), "554 5.2.252 ") {
		t.Errorf("an address of somebody else: %q", r)
	}
}

func TestFourthConnectionIsRefusedAfterItsContent(t *testing.T) {
	s := start(t, sandbox.Options{})
	var clients []*smtpClient
	for range 4 {
		clients = append(clients, login(t, s))
	}
	if r := clients[3].submit(mailbox, content(mailbox)); !strings.HasPrefix(r.String(),
		"432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. [Hostname=") {
		t.Errorf("got %q", r)
	}
	if r := clients[0].submit(mailbox, content(mailbox)); r.Code != 250 {
		t.Errorf("got %q", r)
	}
	clients[0].cmd("QUIT")
	if r := clients[3].submit(mailbox, content(mailbox)); r.Code != 250 {
		t.Errorf("after another's QUIT: got %q", r)
	}
}

func TestRecipientsPerDay(t *testing.T) {
	s := start(t, sandbox.Options{RecipientsPerDay: 2})
	c := login(t, s)
	for i, want := range []int{250, 250, 554} {
		if r := c.submit(mailbox, content(mailbox)); r.Code != want || (want == 554 && !strings.Contains(r.Text(), "SubmissionQuotaExceededException")) {
			t.Errorf("%d: got %q", i, r)
		}
	}
}

func TestMessagesPerMinuteAreDelayed(t *testing.T) {
	s := start(t, sandbox.Options{MessagesPerMinute: 2, TimeScale: 600}) // a minute is 100 ms
	c := login(t, s)
	begin := time.Now()
	for range 5 {
		if r := c.submit(mailbox, content(mailbox)); r.Code != 250 {
			t.Fatalf("got %q", r)
		}
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("5 messages took %v; want two minutes of 100 ms at least", took)
	}
}

func TestIdleSessionEnds(t *testing.T) {
	s := start(t, sandbox.Options{IdleTimeout: 50 * time.Millisecond})
	c := dial(t, s)
	c.read()
	if r := c.read(); r.Code != 421 {
		t.Errorf("got %q", r)
	}
}

func TestManyMessagesAndLargeOnes(t *testing.T) {
	s := start(t, sandbox.Options{MaxMessages: 50, Connections: -1})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := login(t, s)
			for range 25 {
				if r := c.submit(mailbox, content(mailbox)); r.Code != 250 {
					t.Errorf("got %q", r)
				}
			}
		})
	}
	wg.Wait()
	list := s.Messages()
	if len(list) != 50 || list[49].ID != "100" || list[0].ID != "51" {
		t.Errorf("kept %d messages, last %+v", len(list), list[len(list)-1])
	}
	large := content(mailbox) + strings.Repeat("0123456789abcdef\r\n", 100_000)
	if r := login(t, s).submit(mailbox, large); r.Code != 250 {
		t.Fatalf("got %q", r)
	}
	list = s.Messages()
	if raw, ok := s.Raw(list[len(list)-1].ID); !ok || string(raw) != large {
		t.Errorf("got %d octets; want %d", len(raw), len(large))
	}
}

func TestRefusedContentLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := start(t, sandbox.Options{})
	if r := login(t, s).submit(mailbox, content("ceo@contoso.example")+strings.Repeat("0123456789abcdef\r\n", 10_000)); r.Code != 554 {
		t.Fatalf("got %q", r)
	}
	if files, err := filepath.Glob(dir + "/*/*"); err != nil || len(files) != 0 {
		t.Errorf("left %v, %v", files, err)
	}
}

func TestFailingContentIsNotKept(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := login(t, s)
	for _, line := range []string{"MAIL FROM:<" + mailbox + ">", "RCPT TO:<a@contoso.example>", "DATA"} {
		c.cmd("%s", line)
	}
	fmt.Fprint(c.conn, content(mailbox))
	_ = c.conn.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if got := s.Stats().Accepted; got != 0 {
		t.Errorf("accepted %d", got)
	}
}
