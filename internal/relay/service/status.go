package service

import (
	"context"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
)

// describe is the state in a line: how many clients are connected, and how many messages
// wait.
func (s *service) describe(ctx context.Context) string {
	text := fmt.Sprintf("%d connections", s.Relay.Connections())
	waiting, err := operator.Count(ctx, s.Outbox, operator.Filter{States: []outbox.State{outbox.Ready, outbox.Sending}})
	if err != nil {
		return text + ", the outbox cannot be read"
	}
	held, err := operator.Count(ctx, s.Outbox, operator.Filter{States: []outbox.State{outbox.Held}})
	if err != nil || held == 0 {
		return fmt.Sprintf("%s, %d messages wait", text, waiting)
	}
	return fmt.Sprintf("%s, %d messages wait, %d are held", text, waiting, held)
}

// tell tells the supervisor the state when it has changed.
func (s *service) tell(ctx context.Context) error {
	if s.Supervisor == nil {
		return nil
	}
	last := ""
	for ctx.Err() == nil {
		if text := s.describe(ctx); text != last && ctx.Err() == nil {
			last = text
			s.supervise(func(to *sdnotify.Service) error { return to.Status(text) })
		}
		_ = backoff.Sleep(ctx, s.StatusPause)
	}
	return nil
}

// watch tells the supervisor that the service is alive, as long as it is: each listener
// accepts and greets, and the outbox answers. A check, and the pause after it, each take a
// quarter of the supervisor's time at most, so that one that fails does not end the service.
func (s *service) watch(ctx context.Context) error {
	if s.Supervisor == nil || s.Supervisor.Watchdog() == 0 {
		return nil
	}
	every := s.Supervisor.Watchdog() / 4
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, every)
		err := s.Relay.Check(limited)
		cancel()
		switch {
		case err == nil:
			s.supervise((*sdnotify.Service).Alive)
		case ctx.Err() == nil:
			s.Logger.Error("this relay does not answer itself: " + err.Error())
		}
		_ = backoff.Sleep(ctx, every)
	}
	return nil
}
