package relay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
)

// blockedMailboxes are those that Exchange Online lets submit nothing until a person has
// changed that. Every other trouble of a mailbox passes, or is ours: its mail is kept.
// They are safe for concurrent use.
type blockedMailboxes struct {
	box *outbox.Outbox
	now func() time.Time

	mu      sync.Mutex // guards what follows
	reasons map[string]string
	read    time.Time
}

// lookPause is how long the outbox is not asked again: one that is blocked meanwhile has its
// mail kept, as if it had come before.
const lookPause = time.Second

// reason says why a mailbox is blocked; "" when it is not.
func (b *blockedMailboxes) reason(ctx context.Context, a address.Address) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := b.now().Sub(b.read); age < 0 || age >= lookPause {
		b.look(ctx)
	}
	text, found := b.reasons[mailbox.Key(a.Addr())]
	if !found {
		return ""
	}
	return fmt.Sprintf("Exchange Online has blocked the mailbox %s, and an administrator has to release it: %s", a.Addr(), text)
}

// look reads them. When it cannot, they stay: accepting the message will say what is wrong
// with the outbox.
func (b *blockedMailboxes) look(ctx context.Context) {
	db := b.box.DB()
	rows, err := mailbox.All(db.View(ctx), "")
	if err != nil {
		return
	}
	b.reasons, b.read = map[string]string{}, b.now()
	for _, m := range rows {
		if w := m.Wait(db.Now()); w != nil && w.Pause == mailbox.PauseBlocked {
			b.reasons[m.Name()] = w.Text
		}
	}
}
