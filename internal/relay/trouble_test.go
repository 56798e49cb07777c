package relay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
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
	l := newLab(t, local(anyone), with{})
	l.dial(localhost).dialogue(message("Subject: 1\n", "250"))
	l.courier(newExchange(t, faulty(t, "sender-banned")))
	l.dial(localhost).dialogue(hello + mailFrom + "S: 550 5.7.1 Exchange Online has blocked the mailbox a@contoso.example, and an administrator has to release it: 5\n" +
		"C: MAIL FROM:<b@contoso.example>\nS: 250")
	if got := l.codes(); !slices.Equal(got, []string{"relay-mailbox-blocked"}) || !strings.HasPrefix(l.refusals[0].Reply, "550 5.7.1 ") || len(l.refusals[0].Reply) > 490 {
		t.Errorf("told %+v", l.refusals)
	}
}
