package relay_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/aliases"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/localname"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// What is trouble of ours or of Microsoft's is taken and kept; a mailbox that is blocked
// until a person does something is refused.
func TestTroubleUpstreamIsNotTheClients(t *testing.T) {
	for _, name := range []string{"smtp-auth-disabled-mailbox", "secret-wrong", "concurrent-connections"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, local(anyone), with{})
			l.dial(localhost).dialogue(message("Subject: 1\n", "250"))
			l.courier(newExchange(t, faulty(t, name)))
			if state := l.queued()[0].State; state != "ready" {
				t.Fatalf("the message is %s", state)
			}
			l.dial(localhost).dialogue(message("Subject: 2\n", "250"))
			if got := l.codes(); len(got) != 0 || len(l.queued()) != 2 {
				t.Errorf("refused with %q, %d messages are in the outbox", got, len(l.queued()))
			}
		})
	}
}

func faulty(t *testing.T, name string) sandbox.Options {
	t.Helper()
	f, err := fault.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return sandbox.Options{Faults: []fault.Fault{f}}
}

func TestBlockedMailboxIsRefusedAtMail(t *testing.T) {
	var later atomic.Int64 // by how much the clock goes ahead
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	l := newLab(t, local(anyone), with{relay: relay.Options{Now: now}})
	l.dial(localhost).dialogue(message("Subject: 1\n", "250"))
	l.courier(newExchange(t, faulty(t, "sender-banned")))
	later.Add(int64(time.Second)) // it is looked for once a second
	l.dial(localhost).dialogue(hello + mailFrom + "S: 550 5.7.1 Exchange Online has blocked the mailbox a@contoso.example, and an administrator has to release it: 5\n" +
		"C: MAIL FROM:<b@contoso.example>\nS: 250")
	if got := l.codes(); !slices.Equal(got, []string{"relay-mailbox-blocked"}) || !strings.HasPrefix(l.events()[0].Reply, "550 5.7.1 ") || len(l.events()[0].Reply) > 490 {
		t.Errorf("told %+v", l.events())
	}
}

// A sender that Exchange Online has refused is refused while its message is held, at MAIL
// or, when only From tells, after the content. Others go on; after the release it is tried.
func TestHeldSenderIsRefused(t *testing.T) {
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	mailbox, err := address.Parse("", "a@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, local(anyone), with{relay: relay.Options{Now: now, Mailbox: mailbox}})
	from := func(path, author, end string) string {
		return hello + "C: MAIL FROM:<" + path + ">\nS: 250\nC: RCPT TO:<x@contoso.example>\nS: 250\nC: DATA\nS: 354\nC: From: " + author + "\nC:\nC: .\nS: " + end
	}
	const printer, own = "Printer@contoso.example", "a@contoso.example"
	l.dial(localhost).dialogue(from(printer, printer, "250"))
	l.dial(localhost).dialogue(from(own, printer, "250"))
	exchange := newExchange(t, sandbox.Options{})
	l.courier(exchange)
	later.Add(int64(time.Second)) // it is looked for once a second
	refused := "550 5.7.1 Exchange Online does not let the mailbox a@contoso.example send as printer@contoso.example: set another sender at the device, or grant Send As and run \"smtpsend queue release " + string(l.box.Tag())
	l.dial(localhost).dialogue(hello + "C: MAIL FROM:<printer@contoso.example>\nS: " + refused + "-1\"")
	l.dial(localhost).dialogue(from(own, printer, refused+"-2\""))
	l.dial(localhost).dialogue(from(own, own, "250"))
	if got := l.codes(); !slices.Equal(got, []string{"relay-sender-held", "relay-sender-held"}) || len(l.queued()) != 3 {
		t.Errorf("refused with %q, %d messages are in the outbox", got, len(l.queued()))
	}
	if err := l.box.Mailboxes().Release(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	later.Add(int64(time.Second))
	l.dial(localhost).dialogue(from(printer, printer, "250"))
}

func TestLocalNamesGoWhereTheAliasesSay(t *testing.T) {
	table, err := aliases.Read(strings.NewReader("root: admin, ops@fabrikam.example\nadmin: admin@contoso.example\nrun: |program\n"))
	if err != nil {
		t.Fatal(err)
	}
	names := localname.New(&config.Config{DefaultDomain: "contoso.example"}, table)
	l := newLab(t, local(`{name: here, networks: [127.0.0.1], recipient_domains: [contoso.example, fabrikam.example]}`), with{relay: relay.Options{Resolve: names.Resolve}})
	l.dial(localhost).dialogue(hello + mailFrom + "S: 250\nC: RCPT TO:<run>\nS: 451 4.3.5 the aliases of the relay's host are wrong: alias \"run\" (line 3): \n" +
		"C: RCPT TO:<root@localhost>\nS: 250\nC: RCPT TO:<postmaster>\nS: 250\nC: DATA\nS: 354\nC: .\nS: 250")
	want := []string{"admin@contoso.example", "ops@fabrikam.example", "postmaster@contoso.example"}
	var got []string
	for _, r := range l.queued()[0].RecipientStates {
		got = append(got, r.ForwardPath)
	}
	if !slices.Equal(got, want) {
		t.Errorf("goes to %q, want %q", got, want)
	}
}

func TestTroubleOfTheOutboxIsToldOnce(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	for range 3 {
		l.relay.Untaken(store.ErrFull)
	}
	l.dial(localhost).dialogue(message("Subject: 1\n", "250"))
	l.dial(localhost).dialogue(message("Subject: 2\n", "250"))
	want := []string{"mail is not taken, and clients are asked to try again later: not enough disk space", "mail is taken again"}
	if got := l.warned(); !slices.Equal(got, want) {
		t.Errorf("warned of %q", got)
	}
}

func TestHandshakeThatFailsIsLoggedWithWhatWasOffered(t *testing.T) {
	l := newLab(t, "listeners: [{address: 'smtps://127.0.0.1:0', tls_min: '1.3'}]\nclients: ["+anyone+"]", with{})
	c := l.dial(l.first())
	if err := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake(); err == nil {
		t.Fatal("TLS 1.2 was taken")
	}
	r := <-l.told
	if r.Broken == nil || r.Broken.Cause != smtpserver.CauseHandshake || r.Address.String() != "127.0.0.1" {
		t.Errorf("told %+v", r)
	}
	if !strings.Contains(l.logged(), `level=WARN msg=broken listener=smtps://127.0.0.1:0 address=127.0.0.1 cause=handshake-failed`) || !strings.Contains(l.logged(), `offered="TLS 1.2"`) {
		t.Errorf("logged %s", l.logged())
	}
}
