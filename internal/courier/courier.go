// Package courier takes due mail from the outbox and submits it. One process at
// a time does so for an outbox (outbox.Lock). It goes so:
//
//  1. The mailboxes that have something due are in a ring. Up to
//     Options.Mailboxes of them are served at once, each by one worker with one
//     connection, which takes up to Quantum messages and then goes to the
//     end of the ring: a mailbox with a backlog of days does not make others wait.
//  2. A worker claims a message, submits it and records its outcome, in
//     the server's words. While a large message is on its way the next is
//     claimed, so that its MAIL group goes with the final dot.
//  3. Just before a content goes out, with MAIL or after DATA, the outbox is asked,
//     and counts it.
//  4. A held mailbox whose time has come is tried by a sign-in first, then by one
//     message alone.
//  5. The operator is told by a program, beside everything else, and by a mail from
//     a mailbox that works.
//  6. When nothing is due the courier sleeps until something is: woken by this
//     process at once, by others within a second.
//  7. When ctx ends nothing new is begun; what is under way gets Options.Grace to
//     end by itself, because cutting it off would leave it in doubt.
package courier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Options say how to submit.
type Options struct {
	// Connection gives what a session of the mailbox needs. Its error pauses the
	// mailbox: it is a setting that is wrong.
	Connection func(mailbox string) (session.Options, error)

	// Claims, when set, reads the token of an attempt that failed: Exchange says
	// the same of a token for another service as of a missing permission.
	Claims func(bearer.Token) *diagnosis.Claims

	Mailboxes int           // served at once: 8
	Quantum   int           // messages before the others' turn: 20
	Timeout   time.Duration // of one message up to its final dot: 10 min, and 1 s more for each 32 KiB
	Grace     time.Duration // for what is under way when ctx ends: 30 s
	Poll      time.Duration // how often other processes' messages are looked for: 1 s
	Drain     bool          // return when nothing is left that could be submitted without anyone's doing
	Due       bool          // return when nothing is due now

	// Until, when set, is asked once a Poll and when nothing is left to do, and
	// ends the run when it says so.
	Until func(context.Context) (bool, error)

	// Operator gets a notice of what an operator has to know: a mailbox that is held,
	// or pauses for long, and when it submits again; a message that is given up. It is
	// a mail from From, submitted as Mailbox (zero: as From), or when that one is
	// paused or held as another mailbox that works. Zero: no such mail.
	Operator, From, Mailbox address.Address
	// OneUser says that all mailboxes sign in as one user: what keeps one from
	// submitting keeps others.
	OneUser bool
	// Notify, when set, is told the same, one notice at a time. What it could not
	// tell is tried again later; submitting does not wait for it. It is to end when its
	// context does.
	Notify func(context.Context, Incident) error
	// Unnotified, when set, is told why Notify failed.
	Unnotified func(error)
	// Facts, when set, fill the commands in notices about a mailbox.
	Facts func(mailbox string) diagnosis.Facts

	// Settled, when set, is told the outcome of each attempt. It is called from
	// several goroutines.
	Settled func(*outbox.Claim, *submission.Receipt, outbox.Settled)
	// Probed, when set, is told how each probe of a held mailbox ended. It is called
	// from several goroutines.
	Probed func(Probed)
	// Trouble, when set, is told once that the outbox cannot be written just now,
	// which is tried again.
	Trouble func(error)
	Logger  *slog.Logger // nil: discards
}

func (o Options) withDefaults() Options {
	if o.Mailboxes == 0 {
		o.Mailboxes = 8
	}
	if o.Quantum == 0 {
		o.Quantum = 20
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// courier is one run.
type courier struct {
	o      Options
	box    *outbox.Outbox
	sender *outbox.Sender
	work   context.Context // ends Grace after ctx
	done   chan string     // a mailbox whose worker has stood back
	askAt  time.Time       // when to ask Until again

	told      chan told // how Notify ended
	telling   bool      // Notify runs
	count     int       // how often it ran
	tellAfter time.Time // and not before

	mu      sync.Mutex
	senders map[string]*submission.Sender // sessions that stay between quanta
	failed  error                         // of the outbox: nothing more can be recorded
	warned  bool                          // Trouble was called
}

// Run submits until ctx ends, or as Options.Drain and Due say. Its error is
// that of the outbox; that messages were refused is none.
func Run(ctx context.Context, box *outbox.Outbox, sender *outbox.Sender, o Options) error {
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	c := &courier{
		o: o.withDefaults(), box: box, sender: sender, work: work,
		done: make(chan string), told: make(chan told), senders: make(map[string]*submission.Sender),
	}
	defer c.closeSessions()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(c.o.Grace, func() { cut(context.Canceled) })
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer stop()
	return c.loop(ctx)
}

// loop keeps the ring of mailboxes and starts workers.
func (c *courier) loop(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	active := make(map[string]bool)
	var ring []outbox.Due
	timer := time.NewTimer(c.o.Poll)
	defer timer.Stop()
	stoodBack := false // a worker, since the last look
	for {
		var wait time.Time
		if ctx.Err() == nil && c.err() == nil {
			err := c.notify(ctx)
			c.failUnlessPassing(err)
			if ring, wait, err = c.look(ctx, ring, active); err != nil {
				c.fail(err)
			}
			ring = c.start(ctx, ring, active)
		}
		if len(active) == 0 && !c.telling && (ctx.Err() != nil || c.err() != nil || c.finished(ring, wait)) {
			return c.err()
		}
		idle := stoodBack && !c.telling && len(active)+len(ring) == 0 && wait.IsZero() // what Until waits for may just have ended
		if ctx.Err() == nil && c.over(ctx, idle) {
			end()
			continue
		}
		stoodBack = false
		timer.Reset(c.pause(wait))
		select {
		case mailbox := <-c.done:
			delete(active, mailbox)
			stoodBack = true
		case t := <-c.told:
			c.failUnlessPassing(c.heard(ctx, t))
			stoodBack = true
		case <-c.box.Wake():
		case <-timer.C:
		case <-c.ended(ctx, len(active) > 0 || c.telling):
		}
	}
}

// over asks Until: now, or once a Poll, but for no more than a twentieth of the
// time, because it may have to count for long.
func (c *courier) over(ctx context.Context, now bool) bool {
	if c.o.Until == nil || (!now && time.Now().Before(c.askAt)) {
		return false
	}
	start := time.Now()
	over, err := c.o.Until(ctx)
	c.askAt = time.Now().Add(max(c.o.Poll, 20*time.Since(start)))
	c.fail(err)
	return over
}

// pause is until the next mailbox is due, at most Poll, since other processes
// may make one due sooner. To the millisecond: a limit of 30 a minute is met
// every two seconds.
func (c *courier) pause(wait time.Time) time.Duration {
	if wait.IsZero() {
		return c.o.Poll
	}
	return min(max(time.Until(wait), time.Millisecond), c.o.Poll)
}

// ended is ctx's end while nothing runs; else the loop waits for what does.
func (c *courier) ended(ctx context.Context, running bool) <-chan struct{} {
	if running {
		return nil
	}
	return ctx.Done()
}

// look appends the mailboxes that have become due to the ring. wait is when the
// next will be due, zero when none will; a probe, which is hours away, is not
// waited for.
func (c *courier) look(ctx context.Context, ring []outbox.Due, active map[string]bool) ([]outbox.Due, time.Time, error) {
	due, err := c.sender.Due(ctx)
	if err != nil && ctx.Err() != nil {
		return ring, time.Time{}, nil
	}
	if err != nil {
		return ring, time.Time{}, err
	}
	waiting := make(map[string]bool, len(ring))
	for _, d := range ring {
		waiting[d.Mailbox] = true
	}
	now := time.Now()
	var wait time.Time
	for _, d := range due {
		switch {
		case d.At.After(now):
			if !d.Probe && (wait.IsZero() || d.At.Before(wait)) {
				wait = d.At
			}
		case !waiting[d.Mailbox] && !active[d.Mailbox]:
			ring = append(ring, d)
		}
	}
	return ring, wait, nil
}

// start serves as many mailboxes of the ring as may be served at once.
func (c *courier) start(ctx context.Context, ring []outbox.Due, active map[string]bool) []outbox.Due {
	for len(ring) > 0 && len(active) < c.o.Mailboxes {
		due := ring[0]
		ring = ring[1:]
		active[due.Mailbox] = true
		go func() {
			c.serve(ctx, due)
			c.done <- due.Mailbox
		}()
	}
	return ring
}

// finished reports that Run has done what it was asked for.
func (c *courier) finished(ring []outbox.Due, wait time.Time) bool {
	if len(ring) > 0 {
		return false
	}
	return c.o.Due || (c.o.Drain && wait.IsZero())
}

func (c *courier) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// fail remembers the first error of the outbox.
func (c *courier) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil && err != nil && !errors.Is(err, store.ErrLost) && !errors.Is(err, context.Canceled) {
		c.failed = err
	}
}

// failUnlessPassing is for what is done at a later look, or by the next run, when
// another program has the outbox locked or there is no room for a notice.
func (c *courier) failUnlessPassing(err error) {
	switch {
	case errors.Is(err, store.ErrFull):
		c.trouble(err)
	case !errors.Is(err, store.ErrBusy):
		c.fail(err)
	}
}

// trouble tells, once, that the outbox cannot be written just now.
func (c *courier) trouble(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.warned && c.o.Trouble != nil {
		c.o.Trouble(err)
	}
	c.warned = true
}

// submitter returns the Sender of a mailbox, made at its first message.
func (c *courier) submitter(mailbox string) (*submission.Sender, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.senders[mailbox]; ok {
		return s, nil
	}
	o, err := c.o.Connection(mailbox)
	if err != nil {
		return nil, err
	}
	s := submission.NewSender(o)
	c.senders[mailbox] = s
	return s, nil
}

func (c *courier) closeSessions() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.senders {
		s.Close()
	}
}
