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
	"log/slog"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/outbox"
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
	// Ends, when set, says what ends by itself. It is asked at the start and then once
	// an hour, while there is a road to the operator, who is told 30, 14, 7, 3 and 1 days
	// before an end and after it, once each. Its error is logged.
	Ends func(context.Context) ([]expiry.Item, error)
	// Ending, when set, is told the same in this run, also without a road to the operator:
	// a process that runs for months has asked for its credential long before the end.
	Ending func(*expiry.Warning)
	// Now is the clock by which it is judged what ends; nil: time.Now.
	Now func() time.Time
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
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// courier is one run.
type courier struct {
	o        Options
	box      *outbox.Outbox
	ring     *ring
	notifier *notifier
	failures *failures
	askAt    time.Time // when to ask Until again
}

// Run submits until ctx ends, or as Options.Drain and Due say. Its error is
// that of the outbox; that messages were refused is none.
func Run(ctx context.Context, box *outbox.Outbox, sender *outbox.Sender, o Options) error {
	o = o.withDefaults()
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	failures := &failures{trouble: o.Trouble}
	sessions := &sessions{connection: o.Connection, senders: make(map[string]*submission.Sender)}
	defer sessions.close()
	serve := func(ctx context.Context, due outbox.Due) {
		w := &worker{
			mailbox: due.Mailbox, o: o, box: box, sender: sender, work: work, sessions: sessions, failures: failures,
			recorder: recorder{sender: sender, work: work, failures: failures},
		}
		w.serve(ctx, due.Probe)
	}
	c := &courier{
		o: o, box: box, ring: newRing(sender, o.Mailboxes, serve), failures: failures,
		notifier: &notifier{o: o, box: box, told: make(chan told)},
	}
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(o.Grace, func() { cut(context.Canceled) })
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer stop()
	return c.loop(ctx)
}

// loop keeps the ring going and tells the operator.
func (c *courier) loop(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	timer := time.NewTimer(c.o.Poll)
	defer timer.Stop()
	stoodBack := false // a worker, since the last look
	for {
		var wait time.Time
		if ctx.Err() == nil && c.failures.first() == nil {
			wait = c.turn(ctx)
		}
		telling := c.notifier.telling
		if !c.ring.busy() && !telling && (ctx.Err() != nil || c.failures.first() != nil || c.finished(wait)) {
			return c.failures.first()
		}
		idle := stoodBack && !telling && c.ring.empty() && wait.IsZero() // what Until waits for may just have ended
		if ctx.Err() == nil && c.over(ctx, idle) {
			end()
			continue
		}
		stoodBack = false
		timer.Reset(c.pause(wait))
		select {
		case mailbox := <-c.ring.done:
			c.ring.leave(mailbox)
			stoodBack = true
		case t := <-c.notifier.told:
			c.failures.addUnlessPassing(c.notifier.heard(ctx, t))
			stoodBack = true
		case <-c.box.Wake():
		case <-timer.C:
		case <-c.ended(ctx):
		}
	}
}

// turn sees to the notices and to what is due, and returns when the next will be.
func (c *courier) turn(ctx context.Context) time.Time {
	c.failures.addUnlessPassing(c.notifier.notify(ctx))
	wait, err := c.ring.look(ctx)
	if err != nil {
		c.failures.add(err)
	}
	c.ring.start(ctx)
	return wait
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
	c.failures.add(err)
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
func (c *courier) ended(ctx context.Context) <-chan struct{} {
	if c.ring.busy() || c.notifier.telling {
		return nil
	}
	return ctx.Done()
}

// finished reports that Run has done what it was asked for.
func (c *courier) finished(wait time.Time) bool {
	if len(c.ring.waiting) > 0 {
		return false
	}
	return c.o.Due || (c.o.Drain && wait.IsZero())
}
