// Package courier takes due mail from the outbox and submits it. One process at
// a time does so for an outbox (outbox.Lock). It goes so:
//
//  1. The mailboxes that have something due stand in a ring. Up to
//     Options.Mailboxes of them are served at once, each by one worker with one
//     connection, which takes up to Quantum messages and then stands back at the
//     end of the ring: a mailbox with a backlog of days does not make others wait.
//  2. A worker claims a message, submits it and records what became of it, in
//     the server's words. While one message is on its way the next is claimed,
//     so that its MAIL group goes out behind the final dot.
//  3. Just before a content goes out the outbox is asked, and counts it.
//  4. When nothing is due the courier sleeps until something is: woken by this
//     process at once, by others within a second.
//  5. When ctx ends nothing new is begun; what is under way gets Options.Grace to
//     end by itself, because cutting it off would leave it in doubt.
package courier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Options say how to submit.
type Options struct {
	// Connection gives what a session of the mailbox needs. Its error holds the
	// mailbox: it is a setting that is wrong.
	Connection func(mailbox string) (submission.Options, error)

	// Claims, when set, reads the token of an attempt that failed: Exchange says
	// the same of a token for another service as of a missing permission.
	Claims func(submission.Token) *diagnosis.Claims

	Mailboxes int           // served at once: 8
	Quantum   int           // messages before the others' turn: 20
	Timeout   time.Duration // of one message up to its final dot: 10 min, and 1 s more for each 32 KiB
	Grace     time.Duration // for what is under way when ctx ends: 30 s
	Poll      time.Duration // how often other processes' messages are looked for: 1 s
	Drain     bool          // return when nothing is left that could be submitted without anybody's doing
	Due       bool          // return when nothing is due now

	// Until, when set, is asked once a Poll and when nothing is left to do, and
	// ends the run when it says so.
	Until func(context.Context) (bool, error)

	// Operator gets a notice, as a mail from From, of what somebody has to know:
	// a mailbox that is stopped, a message that is given up. Zero: nobody does.
	Operator, From message.Address

	// Settled, when set, is told what became of each attempt. It is called from
	// several goroutines.
	Settled func(*outbox.Claim, *submission.Receipt, outbox.Settled)
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

	mu      sync.Mutex
	senders map[string]*submission.Sender // sessions that stay between quanta
	failed  error                         // of the outbox: nothing more can be recorded
	told    bool                          // Trouble was called
}

// Run submits until ctx ends, or as Options.Drain and Due say. Its error is
// that of the outbox; that messages were refused is none.
func Run(ctx context.Context, box *outbox.Outbox, sender *outbox.Sender, o Options) error {
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	c := &courier{
		o: o.withDefaults(), box: box, sender: sender, work: work,
		done: make(chan string), senders: make(map[string]*submission.Sender),
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
	var ring []string
	timer := time.NewTimer(c.o.Poll)
	defer timer.Stop()
	stoodBack := false // a worker, since the last look
	for {
		var wait time.Time
		if ctx.Err() == nil && c.err() == nil {
			var err error
			if ring, wait, err = c.look(ctx, ring, active); err != nil {
				c.fail(err)
			}
			ring = c.start(ctx, ring, active)
			if err := c.notify(ctx); !errors.Is(err, outbox.ErrBusy) { // then at the next look
				c.fail(err)
			}
		}
		if len(active) == 0 && (ctx.Err() != nil || c.err() != nil || c.finished(ring, wait)) {
			return c.err()
		}
		idle := stoodBack && len(active)+len(ring) == 0 && wait.IsZero() // what Until waits for may just have ended
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
		case <-c.box.Wake():
		case <-timer.C:
		case <-c.ended(ctx, len(active)):
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

// ended is ctx's end while no worker runs; with workers the loop waits for
// them.
func (c *courier) ended(ctx context.Context, active int) <-chan struct{} {
	if active > 0 {
		return nil
	}
	return ctx.Done()
}

// look appends the mailboxes that have become due to the ring. wait is when the
// next will be due, zero when none will.
func (c *courier) look(ctx context.Context, ring []string, active map[string]bool) ([]string, time.Time, error) {
	due, err := c.sender.Due(ctx)
	if err != nil && ctx.Err() != nil {
		return ring, time.Time{}, nil
	}
	if err != nil {
		return ring, time.Time{}, err
	}
	waiting := make(map[string]bool, len(ring))
	for _, mailbox := range ring {
		waiting[mailbox] = true
	}
	now := time.Now()
	var wait time.Time
	for _, d := range due {
		if d.At.After(now) {
			if wait.IsZero() || d.At.Before(wait) {
				wait = d.At
			}
			continue
		}
		if !waiting[d.Mailbox] && !active[d.Mailbox] {
			ring = append(ring, d.Mailbox)
		}
	}
	return ring, wait, nil
}

// start serves as many mailboxes of the ring as may be served at once.
func (c *courier) start(ctx context.Context, ring []string, active map[string]bool) []string {
	for len(ring) > 0 && len(active) < c.o.Mailboxes {
		mailbox := ring[0]
		ring = ring[1:]
		active[mailbox] = true
		go func() {
			c.serve(ctx, mailbox)
			c.done <- mailbox
		}()
	}
	return ring
}

// finished reports that Run has done what it was asked for.
func (c *courier) finished(ring []string, wait time.Time) bool {
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
	if c.failed == nil && err != nil && !errors.Is(err, outbox.ErrLost) && !errors.Is(err, context.Canceled) {
		c.failed = err
	}
}

// trouble tells, once, that the outbox cannot be written just now.
func (c *courier) trouble(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.told && c.o.Trouble != nil {
		c.o.Trouble(err)
	}
	c.told = true
}

// session returns the Sender of a mailbox, made at its first message.
func (c *courier) session(mailbox string) (*submission.Sender, error) {
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
