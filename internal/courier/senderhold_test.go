package courier_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// One device with a From of its own does not keep others from submitting by the same
// mailbox: what it sends is refused once and then held, and the operator hears of it once.
func TestOneSenderWithoutARightHoldsNoOther(t *testing.T) {
	l := newLab(t, sandbox.Options{}, outbox.Options{})
	var h heard
	for range 12 { // more than the stand-in lets go by before it blocks the mailbox
		l.addAs("a@contoso.example", "printer@contoso.example", "x@contoso.example", "status")
		l.add("a@contoso.example", "x@contoso.example", "report")
	}
	l.run(t.Context(), courier.Options{Due: true, Notify: h.hear})
	if n := len(l.box.Messages()); n != 12 {
		t.Errorf("%d messages arrived, want the 12 of the mailbox itself", n)
	}
	m := l.mailbox("a@contoso.example")
	if m.Pause != "" || m.Counts[outbox.Held] != 12 || len(m.Senders) != 1 || m.Senders[0].Code != "sendas-denied" {
		t.Errorf("mailbox: %+v", m)
	}
	if len(h.list) != 1 {
		t.Fatalf("told: %+v", h.list)
	}
	i := h.list[0]
	if i.Kind != "message_held" || i.Sender != "printer@contoso.example" || i.Release != "smtpsend queue release "+i.QueueID ||
		i.Code != "sendas-denied" || i.Summary != "message "+i.QueueID+" from printer@contoso.example is held" || !strings.Contains(i.Said, "SendAsDenied") {
		t.Errorf("told: %+v", i)
	}
}
