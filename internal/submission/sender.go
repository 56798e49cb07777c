package submission

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// The life of a session. Exchange's front ends cut idle sessions after some
// five minutes and old ones after some twenty; a session that ends before that
// by our own hand never ends within a message.
const (
	idleLimit    = 90 * time.Second
	sessionLimit = 10 * time.Minute
	tokenMargin  = time.Minute // no new message on a session whose token has less life left
)

// Sender submits messages one after another as one mailbox, over one session as
// long as that is good and over a new one when it is not: after 90 s without a
// message, ten minutes in all, a 421, a broken connection, or when its token
// ends. It holds at most one connection and one slot. A Sender is for one
// goroutine; Close it at the end.
type Sender struct {
	o Options

	mu      sync.Mutex // guards the rest between Submit and the idle timer
	session *Session
	opened  time.Time
	idle    *time.Timer
}

// NewSender returns a Sender, which connects when there is something to submit.
func NewSender(o Options) *Sender {
	o.Timeouts = o.Timeouts.withDefaults()
	return &Sender{o: o}
}

// Submit submits m, trying again what the catalogue calls transient or
// throttled, for the recipients that are still open, with a growing, jittered
// wait. What is in doubt is never submitted again. After a 535 a token that came
// from a cache is invalidated and the session tried once more with a fresh one,
// which is believed. Every attempt has the same Message-ID. The Receipt is
// complete whatever happened.
//
// next, when not nil, is asked just before the final dot for the mail object of
// the next call, which must then be made with it: its MAIL group goes out behind
// the dot (one turn a message).
func (s *Sender) Submit(ctx context.Context, m *mailobject.Mail, p Policy, next func() *mailobject.Mail) *Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		s.idle.Stop()
	}
	r := newReceipt(s.o, m)
	s.persist(ctx, r, m, p, next)
	r.Took = time.Since(r.Started)
	if s.session != nil {
		s.idle = time.AfterFunc(s.o.Timeouts.Idle, s.Close)
	}
	return r
}

// SignIn makes a new session and submits nothing: it ends where AUTH is accepted,
// and the session waits for the next Submit as it does after a message. The token
// is what it was tried with. As with Submit, after a 535 a token that came from a
// cache is invalidated and the session tried once more. SignIn ends at deadline
// (zero: none) or with ctx.
func (s *Sender) SignIn(ctx context.Context, deadline time.Time) (t Token, failed *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		s.idle.Stop()
	}
	for fresh := false; ; fresh = true {
		s.drop()
		session, err := Open(ctx, s.o, deadline)
		t = session.Token()
		if err == nil {
			s.session, s.opened = session, time.Now()
			s.idle = time.AfterFunc(s.o.Timeouts.Idle, s.Close)
			return t, nil
		}
		session.Close()
		errors.As(err, &failed)
		if fresh || !t.FromCache || !staleToken(failed) {
			return t, failed
		}
		s.o.Tokens.Invalidate(t)
	}
}

// Close ends the session, if there is one. A later Submit makes another.
func (s *Sender) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		s.idle.Stop()
	}
	s.drop()
}

func (s *Sender) drop() {
	if s.session != nil {
		s.session.Close()
		s.session = nil
	}
}

// take returns the session for m: the one at hand when it is good and not at
// its end, else a new one. reused tells which.
func (s *Sender) take(ctx context.Context, deadline time.Time, m *mailobject.Mail) (session *Session, reused bool, err error) {
	if s.session != nil && s.session.readyFor(m) && (s.session.ahead != nil || !s.ending()) {
		return s.session, true, nil
	}
	s.drop()
	session, err = Open(ctx, s.o, deadline)
	if err != nil {
		session.Close()
		return session, false, err
	}
	s.session, s.opened = session, time.Now()
	return session, false, nil
}

// ending reports a session on which nothing new should begin.
func (s *Sender) ending() bool {
	expires := s.session.token.Expires
	return time.Since(s.opened) > s.o.Timeouts.Session || (!expires.IsZero() && time.Until(expires) < tokenMargin)
}

// attempt runs one session, or goes on with the one at hand, for the recipients
// of m, and records it in r. again reports a session that had ended before the
// message began, which is no attempt.
func (s *Sender) attempt(ctx context.Context, r *Receipt, m *mailobject.Mail, p Policy, waited time.Duration, next func() *mailobject.Mail) (err *Error, again bool) {
	a := Attempt{Started: time.Now(), Waited: waited}
	session, reused, openErr := s.take(ctx, p.Deadline, m)
	r.Token = session.Token()
	if openErr != nil {
		errors.As(openErr, &a.Err)
		a.Steps = session.Steps()
	} else {
		if next != nil && s.ending() {
			next = nil
		}
		session.beforeContent = p.BeforeContent
		res := session.Submit(ctx, p.Deadline, m, next)
		if reused && spent(res.Err) {
			s.drop()
			return res.Err, true
		}
		r.take(res)
		a.Err = res.Err
		a.Steps = append(session.takeSteps(), res.Steps...)
		if !session.Usable() {
			s.drop()
		}
	}
	a.Took = time.Since(a.Started)
	a.cut = a.Err.silent() && !p.Deadline.IsZero() && !time.Now().Before(p.Deadline)
	r.Attempts = append(r.Attempts, a)
	return a.Err, false
}

// spent reports that the session had come to its end before the message: the
// server closed it while it was idle, says 421 to MAIL, could not reset it, or
// said what it was not asked.
// Nothing of the message was taken.
func spent(e *Error) bool {
	if e == nil || e.Stage != smtp.StageMail {
		return false
	}
	silent := e.Reply.IsZero() && e.Fault == smtp.FaultConnectionClosed
	return silent || e.Reply.Code == 421 || errors.Is(e.Err, errNotReset) || errors.Is(e.Err, errEarly)
}

// readyFor reports whether m may be the next message of the session.
func (s *Session) readyFor(m *mailobject.Mail) bool {
	return !s.broken && (s.ahead == nil || s.ahead.mail == m)
}

// takeSteps returns the steps of the set-up to the first message only.
func (s *Session) takeSteps() []Step {
	steps := s.steps
	s.steps = nil
	return steps
}
