package submission

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// errStop ends the set-up where the token is needed.
var errStop = errors.New("the set-up stops before AUTH")

// Greet makes a session as Open does and stops where AUTH needs the token: the
// server has then greeted, spoken TLS and offered XOAUTH2. It is for who looks
// at a connection step by step; Tokens and Slots are not used. The session is
// returned with an error too, for its Steps. The error is an *Error.
func Greet(ctx context.Context, o Options, deadline time.Time) (*Session, error) {
	o.Timeouts = o.Timeouts.withDefaults()
	early, cancel := withDeadline(ctx, deadline)
	defer cancel()
	s := &Session{opts: o}
	err := s.step(smtp.StageDial, func() (err error) {
		s.raw, err = dial(early, o)
		return err
	})
	if err != nil {
		return s, s.blame(early, err)
	}
	err = s.within(ctx, deadline, func(ctx context.Context) error { return s.setUp(ctx, ready(Token{}, errStop)) })
	if errors.Is(err, errStop) {
		s.broken = false
		s.steps = s.steps[:len(s.steps)-1] // of AUTH, where nothing was said
		return s, nil
	}
	s.Close()
	return s, err
}

// Authenticate runs AUTH XOAUTH2 with t on a session that Greet made. The error
// is an *Error.
func (s *Session) Authenticate(ctx context.Context, t Token, deadline time.Time) error {
	return s.within(ctx, deadline, func(ctx context.Context) error {
		return s.step(smtp.StageAuth, func() error { return s.authenticate(ctx, ready(t, nil)) })
	})
}

// Command sends one command, such as MAIL, RCPT or RSET, and returns its reply.
// A reply other than 2yz is an *Error too, after which the session goes on.
func (s *Session) Command(ctx context.Context, stage smtp.Stage, line string, deadline time.Time) (smtp.Reply, error) {
	var r smtp.Reply
	err := s.within(ctx, deadline, func(context.Context) error {
		return s.step(stage, func() (err error) {
			r, err = s.wire.command(s.opts.Timeouts.Command, line)
			return err
		})
	})
	if err == nil && !r.Positive() {
		return r, s.refuse(&Error{Stage: stage, Reply: r})
	}
	return r, err
}

// within runs f, which the deadline and the end of ctx cut off.
func (s *Session) within(ctx context.Context, deadline time.Time, f func(context.Context) error) error {
	early, cancel := withDeadline(ctx, deadline)
	defer cancel()
	stop := context.AfterFunc(early, s.cut)
	err := f(early)
	if !stop() && (err == nil || errors.Is(err, errStop)) {
		err = s.fail(smtp.StageAuth, net.ErrClosed)
	}
	if err == nil || errors.Is(err, errStop) {
		return err
	}
	return s.blame(early, err)
}

// ready is a token that nobody has to wait for.
func ready(t Token, err error) *prefetch {
	p := &prefetch{done: make(chan struct{}), token: t, err: err}
	close(p.done)
	return p
}

// TLS returns the state of the session's TLS connection, false when it has none.
func (s *Session) TLS() (tls.ConnectionState, bool) {
	if s.wire == nil {
		return tls.ConnectionState{}, false
	}
	conn, ok := s.wire.conn.(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, false
	}
	return conn.ConnectionState(), true
}

// Exchange reports whether the server greeted as Exchange does.
func (s *Session) Exchange() bool { return s.exchange }
