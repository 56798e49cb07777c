// Package budget keeps how many recipients the clients of a relay have had, and which of
// them may have no more for now: a script in a loop does not eat what Exchange Online
// takes from a mailbox in a day. Each recipient counts as often as it gets a message.
//
// An hour is any 60 minutes, counted to the minute, and a day any 24 hours, counted to 10
// minutes; both are that much longer rather than shorter. What was counted is not kept
// here: after a restart Count is told of what the outbox has. Time is what has passed, so
// that a clock that is set, however far, neither frees a budget nor blocks one.
package budget

import (
	"fmt"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Exceeded is a budget that is used up. It is an error.
type Exceeded struct {
	Client string
	Limit  int           // recipients
	Span   time.Duration // an hour or a day
	Until  time.Time     // when the next recipient is free, as far as is known
}

// Error names the client, the budget and when it is free, in the zone of this process.
func (e *Exceeded) Error() string {
	span := "an hour"
	if e.Span > time.Hour {
		span = "a day"
	}
	return fmt.Sprintf("the budget of client %s (%d recipients %s) is used up until %s", e.Client, e.Limit, span, e.Until.Local().Format("15:04"))
}

// Budgets are those of all clients, by their names. They are safe for concurrent use.
type Budgets struct {
	now   func() time.Time
	start time.Time

	mu      sync.Mutex // guards clients and what they have
	clients map[string]*client
}

// client is what one has had.
type client struct {
	hour, day window
	pending   int // of messages that are not taken yet
}

// New returns budgets of which nothing is used.
func New(now func() time.Time) *Budgets {
	return &Budgets{now: now, start: now(), clients: map[string]*client{}}
}

func (b *Budgets) client(name string) *client {
	c := b.clients[name]
	if c == nil {
		c = &client{hour: window{span: time.Hour, grain: time.Minute}, day: window{span: 24 * time.Hour, grain: 10 * time.Minute}}
		b.clients[name] = c
	}
	return c
}

// Count counts recipients that a client had at a time, of a message that was taken before
// this process began. Call it in the order of time. What is in the future counts now.
func (b *Budgets) Count(name string, at time.Time, recipients int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.client(name).count(min(at.Sub(b.start), b.now().Sub(b.start)), recipients)
}

func (c *client) count(at time.Duration, n int) {
	c.hour.count(at, n)
	c.day.count(at, n)
}

// Reservation is what a message that is not taken yet has of its client's budget. It is
// for one goroutine.
type Reservation struct {
	budgets *Budgets
	name    string
	limit   relayfile.Budget
	taken   int
}

// Begin begins a message. Nothing is taken yet.
func (b *Budgets) Begin(name string, limit relayfile.Budget) *Reservation {
	return &Reservation{budgets: b, name: name, limit: limit}
}

// Take takes recipients, or says that the budget has not so many left, and takes none.
// Take(0) asks whether there is one left.
func (r *Reservation) Take(n int) *Exceeded {
	b := r.budgets
	b.mu.Lock()
	defer b.mu.Unlock()
	c, now := b.client(r.name), b.now().Sub(b.start)
	for _, w := range []struct {
		*window
		limit int
	}{{&c.day, r.limit.PerDay}, {&c.hour, r.limit.PerHour}} {
		if w.limit == 0 {
			continue
		}
		if free := w.limit - c.pending - w.sum(now); free < max(n, 1) {
			return &Exceeded{r.name, w.limit, w.span, b.start.Add(w.frees(now, max(n, 1)-free))}
		}
	}
	r.taken += n
	c.pending += n
	return nil
}

// Keep says that the message was taken, to so many recipients.
func (r *Reservation) Keep(recipients int) {
	b := r.budgets
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.client(r.name)
	c.pending -= r.taken
	r.taken = 0
	c.count(b.now().Sub(b.start), recipients)
}

// Release gives back what was taken of a message that was not. After Keep it does nothing.
func (r *Reservation) Release() {
	r.budgets.mu.Lock()
	defer r.budgets.mu.Unlock()
	r.budgets.client(r.name).pending -= r.taken
	r.taken = 0
}
