// Package service runs a relay as a service: beside it the courier that submits what it
// takes, over one outbox and in one process. It reads the settings again when it is asked
// to, and tells the service manager how it is.
//
//   - Another process may submit from the outbox (queue run). Then the relay takes mail
//     all the same, warns, and tries for the lock again.
//   - So it does while the disk is full, or another program has the outbox locked.
//   - An error of the outbox after which it takes nothing ends the service: the next
//     process recovers.
//   - At the end of its context who is in the middle of a message finishes it, and so
//     does the courier; the service ends when both have, within their times of grace.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/control"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Options say what is run. Relay, Outbox and Courier are required.
type Options struct {
	Relay  *relay.Relay
	Outbox *outbox.Outbox
	// Courier submits; its Settled is called after the outcome is logged.
	Courier courier.Options
	// KeepOnly submits nothing: what is taken stays in the outbox.
	KeepOnly bool
	// Supervisor is told how the service is; nil: no one is, and nothing is counted for it.
	Supervisor *sdnotify.Service
	// Hangup asks for a reload with each value; nil: none does.
	Hangup <-chan os.Signal
	// Control is the socket of package control, which the service closes; nil: none.
	Control net.Listener
	// Logger gets the outcome of each attempt, and what an operator should know.
	Logger *slog.Logger
	// Recovered is told what the process left that submitted before; nil: no one is.
	Recovered func(outbox.Recovered)

	LockPause   time.Duration // between two tries for the lock: 5 s
	StatusPause time.Duration // between two states that the supervisor is told, when they differ: 5 s
	PurgePause  time.Duration // between two purges of the outbox: 1 h
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.LockPause, 5 * time.Second}, {&o.StatusPause, 5 * time.Second}, {&o.PurgePause, time.Hour}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Recovered == nil {
		o.Recovered = func(outbox.Recovered) {}
	}
	return o
}

// service is one Run.
type service struct {
	Options
	untold sync.Once
}

// Run runs the service until ctx ends, and returns nil then. Another error is that of the
// outbox.
func Run(ctx context.Context, o Options) error {
	s := &service{Options: o.withDefaults()}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	part := func(run func(context.Context) error) {
		all.Go(func() {
			if err := run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	part(s.Relay.Run)
	if !s.KeepOnly {
		part(s.submit)
	}
	part(s.reloads)
	part(s.tell)
	part(s.watch)
	if s.Control != nil {
		all.Go(func() { control.Serve(s.Control, s.asked) })
		stop := context.AfterFunc(ctx, func() { _ = s.Control.Close() })
		defer stop()
	}
	s.supervise(func(to *sdnotify.Service) error { return to.Ready(s.describe(ctx)) })
	<-ctx.Done()
	s.supervise(func(to *sdnotify.Service) error { return to.Stopping("ending what is in hand") })
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// supervise tells the supervisor something, and says once in the log why it cannot.
func (s *service) supervise(tell func(*sdnotify.Service) error) {
	if s.Supervisor == nil {
		return
	}
	if err := tell(s.Supervisor); err != nil {
		s.untold.Do(func() { s.Logger.Warn("the service manager cannot be told: " + err.Error()) })
	}
}

// submit runs the courier, when this process has the lock. What keeps it from writing and
// passes ends neither the service nor, for long, the submitting: clients hear 4yz meanwhile.
func (s *service) submit(ctx context.Context) error {
	var told string
	var at time.Time
	for ctx.Err() == nil {
		sender, left, err := s.Outbox.Lock(ctx)
		if err == nil {
			s.Recovered(left)
			err = s.carry(ctx, sender)
		}
		text := waitsFor(err)
		switch {
		case ctx.Err() != nil && text != "":
			return nil
		case text == "":
			return err
		case text != told || time.Since(at) > toldAgain:
			s.Logger.Warn(text)
			told, at = text, time.Now()
		}
		_ = backoff.Sleep(ctx, s.LockPause) // ctx is looked at next
	}
	return nil
}

// toldAgain is how long the log does not say again what submitting waits for.
const toldAgain = time.Hour

// waitsFor is what submitting waits for after an error, "" when it does not.
func waitsFor(err error) string {
	switch {
	case errors.Is(err, store.ErrLocked):
		return "another process submits from this outbox: mail is taken and waits, and submitting begins when that one ends"
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrBusy):
		return "nothing is submitted for now, which is tried again: " + err.Error()
	}
	return ""
}

// carry submits until ctx ends.
func (s *service) carry(ctx context.Context, sender *outbox.Sender) error {
	o := s.Courier
	settled := o.Settled
	o.Settled = func(c *outbox.Claim, r *submission.Receipt, out outbox.Settled) {
		s.logSettled(c, r, out)
		if settled != nil {
			settled(c, r, out)
		}
	}
	var purging sync.WaitGroup
	purgeCtx, stop := context.WithCancel(ctx)
	purging.Go(func() { s.purge(purgeCtx, sender) })
	err := courier.Run(ctx, s.Outbox, sender, o)
	stop()
	purging.Wait()
	return errors.Join(err, sender.Release())
}

// purge removes now and then what is over.
func (s *service) purge(ctx context.Context, sender *outbox.Sender) {
	for ctx.Err() == nil {
		if _, err := sender.Purge(ctx); err != nil && ctx.Err() == nil && waitsFor(err) == "" {
			s.Logger.Warn("removing old messages: " + err.Error())
		}
		_ = backoff.Sleep(ctx, s.PurgePause)
	}
}

// logSettled is the second line of a message in the log, after the relay's own: its
// outcome, with Exchange Online's reply.
func (s *service) logSettled(c *outbox.Claim, r *submission.Receipt, out outbox.Settled) {
	attrs := []any{
		slog.String("mail_id", string(c.QID)), slog.String("mailbox", c.Mailbox), slog.String("outcome", string(out.Event)),
		slog.Int("attempt", c.Attempt), slog.Int("recipients", len(c.Envelope.ForwardPaths)), slog.String("message_id", c.MessageID),
	}
	level := slog.LevelInfo
	if r != nil {
		if !r.Reply.IsZero() {
			attrs = append(attrs, slog.String("reply", r.Reply.String()))
		}
		if err := r.Err(); err != nil {
			level = slog.LevelWarn
			if r.Reply.IsZero() {
				attrs = append(attrs, slog.String("reason", err.Error()))
			}
		}
	}
	s.Logger.Log(context.Background(), level, "attempt", attrs...)
}

// reloads reads the settings again for each signal.
func (s *service) reloads(ctx context.Context) error {
	for {
		select {
		case <-s.Hangup:
			_ = s.reload(ctx) // it is in the log
		case <-ctx.Done():
			return nil
		}
	}
}

// asked does what package control was asked for.
func (s *service) asked(word string) error {
	if word != control.Reload {
		return fmt.Errorf("this relay does not know what %.20q is", word)
	}
	return s.reload(context.Background())
}

// reload reads the settings again, and says in the log what came of it.
func (s *service) reload(ctx context.Context) error {
	s.supervise(func(to *sdnotify.Service) error { return to.Reloading("reading the settings") })
	err := s.Relay.Reload(ctx)
	before := ""
	if err != nil {
		s.Logger.Error("the settings were not taken, and those from before stay in force: " + err.Error())
		before = "the settings were not taken; "
	} else {
		s.Logger.Info("the settings were read again")
	}
	s.supervise(func(to *sdnotify.Service) error { return to.Ready(before + s.describe(ctx)) })
	return err
}
