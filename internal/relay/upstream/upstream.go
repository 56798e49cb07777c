// Package upstream knows what Exchange Online refuses until a person has changed something:
// all mail of a mailbox that it has blocked, and mail of a sender that a mailbox may not
// send as. A relay need not take it. Every other trouble passes, or is ours: its mail is
// kept.
package upstream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
)

// Known is what the outbox was told by Exchange Online. Its methods are safe for concurrent
// use.
type Known struct {
	box *outbox.Outbox
	now func() time.Time

	mu      sync.Mutex // guards what follows
	blocked map[string]string
	senders map[sending]string
	read    time.Time
}

// New returns what is known by an outbox.
func New(box *outbox.Outbox, now func() time.Time) *Known { return &Known{box: box, now: now} }

// sending is a sender as Exchange Online compares it, in lower case.
type sending struct{ mailbox, from, reversePath string }

// lookPause is how long the outbox is not asked again: what is refused meanwhile has its
// mail kept, as if it had come before.
const lookPause = time.Second

// mostSenders is how many senders are known; mail of further ones is kept.
const mostSenders = 1000

// Mailbox says why a mailbox is blocked, in a sentence without a full stop; "" when it is not.
func (k *Known) Mailbox(ctx context.Context, a address.Address) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh(ctx)
	text, found := k.blocked[mailbox.Key(a.Addr())]
	if !found {
		return ""
	}
	return fmt.Sprintf("Exchange Online has blocked the mailbox %s, and an administrator has to release it: %s", a.Addr(), text)
}

// Sender says, in the same way, why a mailbox may not submit a message with this From and
// reverse-path; "" when that is not known.
func (k *Known) Sender(ctx context.Context, of address.Address, from, reversePath string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh(ctx)
	return k.senders[sending{mailbox.Key(of.Addr()), strings.ToLower(from), strings.ToLower(reversePath)}]
}

func (k *Known) refresh(ctx context.Context) {
	if age := k.now().Sub(k.read); age < 0 || age >= lookPause {
		k.look(ctx)
	}
}

// look reads them. When it cannot, they stay: accepting the message will say what is wrong
// with the outbox.
func (k *Known) look(ctx context.Context) {
	k.read = k.now()
	db := k.box.DB()
	rows, err := mailbox.All(db.View(ctx), "")
	if err != nil {
		return
	}
	held, err := operator.HeldSenders(ctx, k.box, mostSenders)
	if err != nil {
		return
	}
	k.blocked, k.senders = map[string]string{}, map[sending]string{}
	for _, m := range rows {
		if w := m.Wait(db.Now()); w != nil && w.Pause == mailbox.PauseBlocked {
			k.blocked[m.Name()] = w.Text
		}
	}
	for _, s := range held {
		k.senders[sending{s.Mailbox, strings.ToLower(s.From), strings.ToLower(s.ReversePath)}] = fmt.Sprintf(
			"Exchange Online does not let the mailbox %s send as %s: set another sender at the device, or grant Send As and run \"smtpsend queue release %s\"", s.Mailbox, s.Name(), s.First)
	}
}
