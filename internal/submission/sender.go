// Package submission submits mail objects to a message submission server
// (RFC 6409), as a mailbox that an access token belongs to. A Sender makes sessions
// as needed (package session), takes each mail object through its transactions
// (package transaction), tries again what deserves it (Policy), and says in a
// Receipt what happened for each recipient. Nothing in doubt is submitted
// again: the server may have it.
package submission

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

// tokenMargin is the life that a session's token must have left for a new message.
const tokenMargin = time.Minute

// Sender submits messages one after another as one mailbox, over one session as
// long as that is good and over a new one when it is not: after 90 s without a
// message, ten minutes in all, a 421, a broken connection, or when its token
// ends. It holds at most one connection and one slot. A Sender is for one
// goroutine; Close it at the end.
type Sender struct {
	o session.Options

	mu        sync.Mutex // guards the rest between Submit and the idle timer
	current   *connection
	idleTimer *time.Timer
}

// connection is a session with its transactions.
type connection struct {
	*transaction.Pipeline
	session *session.Session
	made    time.Time
	setUp   []session.Step // not yet in a receipt
}

// NewSender returns a Sender, which connects when there is something to submit.
func NewSender(o session.Options) *Sender {
	o.Timeouts = o.Timeouts.WithDefaults()
	if o.Chunking == nil {
		o.Chunking = &session.Chunking{}
	}
	return &Sender{o: o}
}

// Submit submits m in a session of its own, as a Sender does.
func Submit(ctx context.Context, o session.Options, m *mailobject.Mail, p Policy) *Receipt {
	s := NewSender(o)
	defer s.Close()
	return s.Submit(ctx, m, p)
}

// Submit submits m, trying again what the catalogue calls transient or
// throttled, for the recipients that are still open, with a growing, jittered
// wait. What is in doubt is never submitted again. After a 535 a token that came
// from a cache is invalidated and the session tried once more with a fresh one,
// which is believed. Every attempt has the same Message-ID. The Receipt is
// complete whatever happened.
func (s *Sender) Submit(ctx context.Context, m *mailobject.Mail, p Policy) *Receipt {
	return s.submit(ctx, m, p, nil)
}

// SubmitAll submits the mails one after another, each as Submit does, and yields
// each with its Receipt before the next begins. The policy of a mail is asked for
// when its turn comes; nil means the zero Policy. The next mail is taken from mails
// just before the final dot of the one before, and its MAIL group goes with that
// dot, which saves a turn each; a mail that is taken and not yielded, because the
// caller stopped, was not submitted, and its connection is cut. The sequence that
// is returned is for one use.
func (s *Sender) SubmitAll(ctx context.Context, mails iter.Seq[*mailobject.Mail], policy func(*mailobject.Mail) Policy) iter.Seq2[*mailobject.Mail, *Receipt] {
	return func(yield func(*mailobject.Mail, *Receipt) bool) {
		pull, stop := iter.Pull(mails)
		defer stop()
		defer s.keepNoPromise()
		q := &queue{pull: pull}
		for m := q.take(); m != nil; m = q.take() {
			var p Policy
			if policy != nil {
				p = policy(m)
			}
			if !yield(m, s.submit(ctx, m, p, q.peek)) {
				return
			}
		}
	}
}

// queue is a sequence of mails, of which the first can be looked at.
type queue struct {
	pull  func() (*mailobject.Mail, bool)
	first *mailobject.Mail
}

// peek is the mail that take returns next, nil at the end.
func (q *queue) peek() *mailobject.Mail {
	if q.first == nil {
		q.first, _ = q.pull()
	}
	return q.first
}

func (q *queue) take() *mailobject.Mail {
	m := q.peek()
	q.first = nil
	return m
}

// keepNoPromise ends a session whose next mail was announced and will not come.
func (s *Sender) keepNoPromise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.Promised() != nil {
		s.drop()
	}
}

func (s *Sender) submit(ctx context.Context, m *mailobject.Mail, p Policy, next func() *mailobject.Mail) *Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopIdling()
	r := newReceipt(s.o, m)
	s.makeAttempts(ctx, r, m, p, next)
	r.Took = time.Since(r.Started)
	s.startIdling()
	return r
}

// SignIn makes a new session and submits nothing: it ends where AUTH is accepted,
// and the session waits for the next Submit as it does after a message. The token
// is what it was tried with. As with Submit, after a 535 a token that came from a
// cache is invalidated and the session tried once more. SignIn ends at deadline
// (zero: none) or with ctx.
func (s *Sender) SignIn(ctx context.Context, deadline time.Time) (t bearer.Token, failed *session.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopIdling()
	for fresh := false; ; fresh = true {
		s.drop()
		c, err := s.connect(ctx, deadline)
		t = c.session.Token()
		if err == nil {
			s.startIdling()
			return t, nil
		}
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
	s.stopIdling()
	s.drop()
}

func (s *Sender) stopIdling() {
	if s.idleTimer != nil {
		s.idleTimer.Stop()
	}
}

func (s *Sender) startIdling() {
	if s.current != nil {
		s.idleTimer = time.AfterFunc(s.o.Timeouts.Idle, s.Close)
	}
}

func (s *Sender) drop() {
	if s.current != nil {
		s.current.Close()
		s.current = nil
	}
}

// connectionFor returns the connection for m: the one at hand when it is good and
// not at its end, else a new one. reused tells which. With an error it is closed
// already.
func (s *Sender) connectionFor(ctx context.Context, deadline time.Time, m *mailobject.Mail) (c *connection, reused bool, err error) {
	if s.current != nil && s.canCarry(m) {
		return s.current, true, nil
	}
	s.drop()
	c, err = s.connect(ctx, deadline)
	return c, false, err
}

// canCarry reports whether the connection at hand may take m. One that m was
// promised to does so even at its end.
func (s *Sender) canCarry(m *mailobject.Mail) bool {
	promised := s.current.Promised()
	if promised == nil {
		return s.current.Usable() && !s.ending()
	}
	return s.current.Usable() && promised == m
}

// connect makes the connection at hand. With an error it is closed already.
func (s *Sender) connect(ctx context.Context, deadline time.Time) (*connection, error) {
	made, err := session.Connect(ctx, s.o, deadline)
	c := &connection{session: made, setUp: made.Steps(), made: time.Now()}
	if err != nil {
		made.Close()
		return c, err
	}
	c.Pipeline = transaction.NewPipeline(made)
	s.current = c
	return c, nil
}

// ending reports a connection on which nothing new should begin.
func (s *Sender) ending() bool {
	expires := s.current.session.Token().Expires
	old := time.Since(s.current.made) > s.o.Timeouts.Session
	return old || (!expires.IsZero() && time.Until(expires) < tokenMargin)
}

// makeAttempts makes attempts at m until no further one is worth it.
func (s *Sender) makeAttempts(ctx context.Context, r *Receipt, m *mailobject.Mail, p Policy, next func() *mailobject.Mail) {
	freshTried := false
	var waited time.Duration
	for n := 1; ; n++ {
		err, again := s.attempt(ctx, r, m, p, waited, next)
		waited = 0
		if again {
			m = withRecipients(m, r.Open())
			n--
			continue
		}
		if staleToken(err) && r.Token.FromCache && !freshTried {
			freshTried = true
			s.o.Tokens.Invalidate(r.Token)
			n--
			continue
		}
		finding, worth := r.worthAnother(err)
		if !worth || p.exhausted(n, finding) {
			return
		}
		m = withRecipients(m, r.Open())
		waited = p.pause(n, finding.Class)
		if !p.Deadline.IsZero() && time.Until(p.Deadline) < waited {
			return
		}
		if p.Waiting != nil {
			p.Waiting(waited, finding)
		}
		s.drop() // others may use the slot meanwhile, and another front end may do better
		if backoff.Sleep(ctx, waited) != nil {
			r.interrupted = context.Cause(ctx)
			return
		}
	}
}

// attempt makes one connection, or goes on with the one at hand, for the
// recipients of m, and records it in r. again reports what is not an attempt: a
// session that had ended before the message began, or a server that offers BDAT
// and does not take it.
func (s *Sender) attempt(ctx context.Context, r *Receipt, m *mailobject.Mail, p Policy, waited time.Duration, next func() *mailobject.Mail) (err *session.Error, again bool) {
	a := Attempt{Started: time.Now(), Waited: waited}
	c, reused, failed := s.connectionFor(ctx, p.Deadline, m)
	r.Token = c.session.Token()
	if failed != nil {
		errors.As(failed, &a.Err)
		a.Steps = c.setUp
	} else {
		if next != nil && s.ending() {
			next = nil
		}
		c.BeforeContent = p.BeforeContent
		res := c.Transact(ctx, p.Deadline, m, next)
		if reused && res.NeverBegan() {
			s.drop()
			return res.Err, true
		}
		r.record(res)
		if res.Err != nil && errors.Is(res.Err, transaction.ErrChunking) {
			r.Notes = append(r.Notes, "server offers CHUNKING and answered BDAT with "+res.Err.Reply.String()+": submitted by DATA instead")
			s.drop()
			return res.Err, true
		}
		a.Err = res.Err
		a.Steps = slices.Concat(c.setUp, res.Steps)
		c.setUp = nil
		if !c.Usable() {
			s.drop()
		}
	}
	a.Took = time.Since(a.Started)
	a.cut = a.silent() && !p.Deadline.IsZero() && !time.Now().Before(p.Deadline)
	r.Attempts = append(r.Attempts, a)
	return a.Err, false
}

// staleToken reports a refusal that another token might change.
func staleToken(e *session.Error) bool {
	return e != nil && e.Stage == smtp.StageAuth && e.Reply.Code == 535
}

// withRecipients is m for the recipients that are still open.
func withRecipients(m *mailobject.Mail, paths []string) *mailobject.Mail {
	copied := *m
	copied.Envelope.ForwardPaths = paths
	return &copied
}
