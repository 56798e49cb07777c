// Package session is one authenticated connection to a message submission server
// (RFC 6409), for the mailbox that an access token belongs to. It is made so:
//
//  1. The token is asked for and, at the same time, the connection made: a cold
//     token costs no time when its request is shorter than the handshake.
//  2. Greeting, EHLO, STARTTLS, TLS handshake, EHLO, AUTH XOAUTH2. Every stage
//     has a name, a time limit of its own and an error that keeps the server's
//     words (Error).
//  3. It carries any number of mail transactions, one after another; they are
//     package transaction's.
//  4. QUIT, whose reply is not waited for: it can change nothing.
//
// Time limits are those of RFC 5321 4.5.3.2. The caller's deadline bounds the
// set-up. A context that ends cuts the connection wherever it is.
package session

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/wire"
)

// Step is one stage of a session or transaction and how long it took.
type Step struct {
	Stage smtp.Stage
	Took  time.Duration
}

// Session is a connection to a server, for one mailbox. It is not safe for
// concurrent use. After an error it may be broken (Usable): Close it and make
// another.
type Session struct {
	link    *link
	steps   []Step
	broken  bool
	release func() // gives the connection slot back; nil when there is none
}

// Connect makes a session: connection, greeting, EHLO, STARTTLS, EHLO, AUTH. It
// ends at deadline (zero: none) or with ctx. The session is returned with an error
// too, for its Steps and its Token. The error is an *Error; one whose stage is
// token was not the server's doing.
func Connect(ctx context.Context, o Options, deadline time.Time) (*Session, error) {
	s := newSession(o)
	defer s.link.loadRoots()()
	bounded, cancel := Until(ctx, deadline)
	defer cancel()
	setup, failed := context.WithCancelCause(bounded)
	token := s.fetch(setup, failed)
	defer func() {
		failed(nil)
		token.Ended()
	}()

	if err := s.acquireSlot(setup); err != nil {
		var token *bearer.Error // whose cause may be a deadline too
		if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &token) {
			return s, &Error{Stage: smtp.StageDial, Server: o.Address(), Fault: smtp.FaultSlotsBusy, Err: err}
		}
		return s, s.WithCause(setup, s.Fail(smtp.StageDial, err))
	}
	if err := s.step(smtp.StageDial, func() error { return s.link.dial(setup) }); err != nil {
		s.Close()
		return s, s.WithCause(setup, err)
	}
	stop := context.AfterFunc(setup, s.Cut)
	err := s.setUp(setup)
	if err == nil && o.Socket == "" {
		err = s.step(smtp.StageAuth, func() error { return s.link.authenticate(setup, token) })
	}
	if !stop() && err == nil {
		err = s.Fail(smtp.StageAuth, net.ErrClosed)
	}
	if err != nil {
		err = s.WithCause(setup, err)
		s.Close()
		return s, err
	}
	return s, nil
}

// fetch asks for the token, where one is needed.
func (s *Session) fetch(ctx context.Context, failed context.CancelCauseFunc) *bearer.Prefetch {
	if s.link.o.Socket != "" {
		return bearer.Known(bearer.Token{}, nil)
	}
	return bearer.Fetch(ctx, s.link.o.Tokens, failed)
}

func newSession(o Options) *Session {
	o.Timeouts = o.Timeouts.WithDefaults()
	if o.Chunking == nil {
		o.Chunking = &Chunking{}
	}
	return &Session{link: &link{o: o}}
}

// acquireSlot waits for a connection slot. Slots that cannot be used are not a
// reason not to submit.
func (s *Session) acquireSlot(ctx context.Context) (err error) {
	o := s.link.o
	if o.Slots == nil {
		return nil
	}
	s.release, err = o.Slots.Acquire(ctx, o.Mailbox)
	if errors.Is(err, ErrNoSlots) {
		o.trace("*: " + err.Error())
		return nil
	}
	return err
}

// Until bounds ctx by deadline, zero meaning none.
func Until(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline, errTooLate)
}

// setUp goes from the greeting to what the server offers before AUTH.
func (s *Session) setUp(ctx context.Context) error {
	l := s.link
	if l.o.Security == ImplicitTLS && l.o.Socket == "" {
		if err := s.step(smtp.StageStartTLS, func() error { return l.handshake(ctx) }); err != nil {
			return err
		}
	}
	if err := s.step(smtp.StageGreeting, l.greeting); err != nil {
		return err
	}
	if err := s.step(smtp.StageEHLO, l.ehlo); err != nil {
		return err
	}
	if l.o.Security != StartTLS || l.o.Socket != "" {
		return nil
	}
	if err := s.step(smtp.StageStartTLS, func() error { return l.startTLS(ctx) }); err != nil {
		return err
	}
	return s.step(smtp.StageEHLO, l.ehlo)
}

// step times f and gives its error the stage.
func (s *Session) step(stage smtp.Stage, f func() error) error {
	start := time.Now()
	err := f()
	s.steps = append(s.steps, Step{stage, time.Since(start)})
	if err == nil {
		return nil
	}
	return s.Fail(stage, err)
}

// Fail marks the session as broken and makes err an *Error of stage, unless it is
// one already.
func (s *Session) Fail(stage smtp.Stage, err error) *Error {
	s.broken = true
	var done *Error
	if errors.As(err, &done) {
		if done.Stage == "" {
			done.Stage = stage
		}
		done.Server = s.link.o.Address()
		return done
	}
	return &Error{Stage: stage, Server: s.link.o.Address(), Fault: faultOf(err), Err: err}
}

// Refused completes the error of a refusal, after which the session goes on
// unless the server is leaving.
func (s *Session) Refused(e *Error) *Error {
	e.Server = s.link.o.Address()
	if e.Reply.Code == 421 { // RFC 5321 3.8: the server closes the channel
		s.broken = true
	}
	return e
}

// WithCause puts the reason for which we cut the connection, the cause of ctx, in
// the place of the error that the cut caused. What it returns is an *Error.
func (s *Session) WithCause(ctx context.Context, err error) error {
	var e *Error
	errors.As(err, &e)
	var token *bearer.Error
	if errors.As(err, &token) || errors.As(context.Cause(ctx), &token) {
		return &Error{Stage: smtp.StageToken, Server: s.link.o.Address(), Fault: faultOf(token.Err), Err: token.Err}
	}
	if ctx.Err() != nil && e.Reply.IsZero() {
		cause := context.Cause(ctx)
		return &Error{Stage: e.Stage, Server: e.Server, Fault: faultOf(cause), Err: cause}
	}
	return e
}

// Cut closes the connection under everything, without a word to the server. It is
// safe for concurrent use.
func (s *Session) Cut() { s.link.cut() }

// Break says that the session cannot carry another transaction.
func (s *Session) Break() { s.broken = true }

// Usable reports whether another transaction may begin on the session.
func (s *Session) Usable() bool { return !s.broken }

// Options returns what the session was made with, the defaults filled in.
func (s *Session) Options() Options { return s.link.o }

// Wire returns the dialogue with the server.
func (s *Session) Wire() *wire.Wire { return s.link.wire }

// Extensions returns what the server offers.
func (s *Session) Extensions() Extensions { return s.link.ext }

// Exchange reports whether the server greeted as Exchange does.
func (s *Session) Exchange() bool { return s.link.exchange }

// TLS returns the state of the session's TLS connection, false when it has none.
func (s *Session) TLS() (tls.ConnectionState, bool) { return s.link.state() }

// Token returns the token that the session authenticated with.
func (s *Session) Token() bearer.Token { return s.link.token }

// Steps returns the stages gone through so far, in order.
func (s *Session) Steps() []Step { return s.steps }

// quitTime is what the goodbye may take. It is written to a socket buffer that
// is empty by then, so more would never help.
const quitTime = time.Second

// Close ends the session with QUIT, whose reply is not waited for, closes the
// connection and gives its slot back. Within a transaction, Cut it before. Close
// may be called again.
func (s *Session) Close() {
	if s.release != nil {
		defer s.release()
		s.release = nil
	}
	w := s.link.wire
	if w == nil {
		return
	}
	if w.Limit(quitTime) == nil {
		if w.Put("QUIT") == nil {
			_ = w.Flush()
		}
		_ = w.Conn().Close()
	}
	s.Cut()
}
