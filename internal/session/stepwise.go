package session

import (
	"context"
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Greet makes a session as Connect does and stops before AUTH: the server has then
// greeted, spoken TLS and offered XOAUTH2. It is for who looks at a connection step
// by step; Tokens and Slots are not used. The session is returned with an error
// too, for its Steps. The error is an *Error.
func Greet(ctx context.Context, o Options, deadline time.Time) (*Session, error) {
	s := newSession(o)
	bounded, cancel := Until(ctx, deadline)
	defer cancel()
	if err := s.step(smtp.StageDial, func() error { return s.link.dial(bounded) }); err != nil {
		return s, s.WithCause(bounded, err)
	}
	err := s.within(ctx, deadline, func(ctx context.Context) error {
		if err := s.setUp(ctx); err != nil {
			return err
		}
		return s.step(smtp.StageAuth, s.link.offersMechanism)
	})
	if err != nil {
		s.Close()
		return s, err
	}
	s.steps = s.steps[:len(s.steps)-1] // of AUTH, where nothing was said
	return s, nil
}

// Authenticate runs AUTH XOAUTH2 with t on a session that Greet made. The error
// is an *Error.
func (s *Session) Authenticate(ctx context.Context, t bearer.Token, deadline time.Time) error {
	return s.within(ctx, deadline, func(ctx context.Context) error {
		return s.step(smtp.StageAuth, func() error { return s.link.authenticate(ctx, bearer.Known(t, nil)) })
	})
}

// Command sends one command, such as MAIL, RCPT or RSET, and returns its reply.
// A reply other than 2yz is an *Error too, after which the session goes on.
func (s *Session) Command(ctx context.Context, stage smtp.Stage, line string, deadline time.Time) (smtp.Reply, error) {
	var r smtp.Reply
	err := s.within(ctx, deadline, func(context.Context) error {
		return s.step(stage, func() (err error) {
			r, err = s.link.wire.Command(s.link.o.Timeouts.Command, line)
			return err
		})
	})
	if err == nil && !r.Positive() {
		return r, s.Refused(&Error{Stage: stage, Reply: r})
	}
	return r, err
}

// within runs f, which the deadline and the end of ctx cut off.
func (s *Session) within(ctx context.Context, deadline time.Time, f func(context.Context) error) error {
	bounded, cancel := Until(ctx, deadline)
	defer cancel()
	stop := context.AfterFunc(bounded, s.Cut)
	err := f(bounded)
	if !stop() && err == nil {
		err = s.Fail(smtp.StageAuth, net.ErrClosed)
	}
	if err == nil {
		return nil
	}
	return s.WithCause(bounded, err)
}
