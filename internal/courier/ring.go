package courier

import (
	"context"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
)

// ring has the mailboxes that have something due, in the order of their turns, and
// starts workers. It is for one goroutine.
type ring struct {
	sender *outbox.Sender
	most   int // mailboxes served at once
	serve  func(context.Context, outbox.Due)

	waiting []outbox.Due
	active  map[string]bool
	done    chan string // a mailbox whose worker has stood back
}

func newRing(sender *outbox.Sender, most int, serve func(context.Context, outbox.Due)) *ring {
	return &ring{sender: sender, most: most, serve: serve, active: make(map[string]bool), done: make(chan string)}
}

// busy reports that a mailbox is being served.
func (r *ring) busy() bool { return len(r.active) > 0 }

// empty reports that no mailbox is served or waits for its turn.
func (r *ring) empty() bool { return len(r.active)+len(r.waiting) == 0 }

// leave takes out a mailbox whose worker is done.
func (r *ring) leave(mailbox string) { delete(r.active, mailbox) }

// look appends the mailboxes that have become due. wait is when the next will be due,
// zero when none will; a probe, which is hours away, is not waited for.
func (r *ring) look(ctx context.Context) (wait time.Time, err error) {
	due, err := r.sender.Due(ctx)
	if err != nil && ctx.Err() != nil {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	waiting := make(map[string]bool, len(r.waiting))
	for _, d := range r.waiting {
		waiting[d.Mailbox] = true
	}
	now := time.Now()
	for _, d := range due {
		switch {
		case d.At.After(now):
			if !d.Probe && (wait.IsZero() || d.At.Before(wait)) {
				wait = d.At
			}
		case !waiting[d.Mailbox] && !r.active[d.Mailbox]:
			r.waiting = append(r.waiting, d)
		}
	}
	return wait, nil
}

// start serves as many mailboxes as may be served at once.
func (r *ring) start(ctx context.Context) {
	for len(r.waiting) > 0 && len(r.active) < r.most {
		due := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.active[due.Mailbox] = true
		go func() {
			r.serve(ctx, due)
			r.done <- due.Mailbox
		}()
	}
}
