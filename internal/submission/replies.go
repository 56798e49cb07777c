package submission

import (
	"errors"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// envelopeReplies reads the replies to RSET, MAIL and every RCPT, by functions
// that also send the command where commands go one by one. After a refused MAIL
// a group's other replies are still read, to stay in step; stepwise there are
// none.
func (s *Session) envelopeReplies(t *transaction, mail, rcpt func() (smtp.Reply, error)) error {
	limit := s.opts.Timeouts.Command
	if t.reset {
		if err := s.wire.limit(limit); err != nil {
			return s.fail(smtp.StageMail, err)
		}
		r, err := s.wire.read()
		if err := s.wasReset(r, err); err != nil {
			return err
		}
	}
	if err := s.wire.limit(limit); err != nil {
		return s.fail(smtp.StageMail, err)
	}
	r, err := mail()
	if err != nil {
		return s.fail(smtp.StageMail, err)
	}
	if !r.Positive() {
		return s.mailRefused(t, r)
	}
	for i := range t.to {
		if err := s.wire.limit(limit); err != nil {
			return s.fail(smtp.StageRcpt, err)
		}
		r, err := rcpt()
		if err != nil {
			return s.brokenAfter(t, smtp.StageRcpt, err)
		}
		outcome := provisional
		if !r.Positive() {
			outcome = outcomeOf(r)
		}
		if outcome == smtp.InDoubt { // 3yz makes no sense here, and nothing was sent
			return s.fail(smtp.StageRcpt, unexpected(r))
		}
		t.res.Recipients[i] = smtp.Recipient{ForwardPath: t.to[i], Outcome: outcome, Stage: smtp.StageRcpt, Reply: r}
		if r.Code == 421 { // no reply is due after it
			return s.refuse(&Error{Stage: smtp.StageRcpt, Reply: r})
		}
	}
	return nil
}

// errNotReset is the cause when RSET was refused. The transaction before may
// still stand then, and its recipients would get the next message.
var errNotReset = errors.New("server did not reset")

// wasReset checks the reply to RSET.
func (s *Session) wasReset(r smtp.Reply, err error) error {
	switch {
	case err != nil:
		return s.fail(smtp.StageMail, err)
	case !r.Positive():
		return s.fail(smtp.StageMail, &Error{Reply: r, Err: errNotReset})
	}
	return nil
}

// mailRefused ends a transaction whose MAIL was refused. In a group the replies
// to RCPT and DATA are due as well; should the server accept one of them all the
// same, it is out of step, and gets nothing more.
func (s *Session) mailRefused(t *transaction, r smtp.Reply) error {
	refusal := &Error{Stage: smtp.StageMail, Reply: r}
	if outcomeOf(r) == smtp.InDoubt {
		return s.fail(smtp.StageMail, refusal)
	}
	t.settle(smtp.NotAttempted, smtp.StageMail, r)
	if !s.grouped() || r.Code == 421 {
		s.reset = true // so that a reply too many is noticed in the next transaction
		return s.refuse(refusal)
	}
	due := len(t.to) + 1
	if s.opts.AllOrNone {
		due--
	}
	for range due {
		later, err := s.wire.read()
		if err != nil || later.Positive() || later.Intermediate() {
			s.broken = true
			break
		}
	}
	return s.refuse(refusal)
}

// refuse completes the error of a refusal, after which the session goes on
// unless the server is leaving.
func (s *Session) refuse(e *Error) *Error {
	e.Server = s.opts.address()
	if e.Reply.Code == 421 { // RFC 5321 3.8: the server closes the channel
		s.broken = true
	}
	return e
}

// brokenAfter is the error for a connection that broke within the replies of a
// group. When the last reply before was a 421, that is the reason.
func (s *Session) brokenAfter(t *transaction, stage smtp.Stage, err error) error {
	for _, rcpt := range t.res.Recipients {
		if rcpt.Reply.Code == 421 {
			s.broken = true
			return s.refuse(&Error{Stage: rcpt.Stage, Reply: rcpt.Reply, Err: err})
		}
	}
	return s.fail(stage, err)
}

// failWriting is the error for a group that could not be written. A server
// that closed the connection may have said why.
func (s *Session) failWriting(t *transaction, err error) error {
	s.broken = true
	if said := s.readPending(); said != nil {
		said.Stage, said.Err = smtp.StageMail, err
		t.settle(smtp.NotAttempted, smtp.StageMail, said.Reply)
		return s.refuse(said)
	}
	return s.fail(smtp.StageMail, err)
}

// dataReply sends what is buffered and reads the reply to DATA.
func (s *Session) dataReply(t *transaction) error {
	if err := s.wire.limit(s.opts.Timeouts.Data); err != nil {
		return s.fail(smtp.StageData, err)
	}
	r, err := s.wire.roundTrip()
	refused := t.refusedAll()
	switch {
	case err != nil && refused != nil: // the refusals stand, whatever became of the connection
		s.broken = true
		return s.refuse(refused)
	case err != nil:
		return s.brokenAfter(t, smtp.StageData, err)
	case r.Code == 354 && refused == nil:
		return nil
	case r.Code == 354:
		return s.loneDot(t, refused)
	case !r.Negative():
		// One reply too many came before, so nobody knows whose they all were.
		t.res.Recipients = newTransaction(t.mail, t.to).res.Recipients
		return s.fail(smtp.StageData, unexpected(r))
	case refused != nil: // DATA had to be refused too (RFC 5321 3.3)
		s.reset = true
		s.broken = s.broken || r.Code == 421
		return s.refuse(refused)
	}
	t.settle(provisional, smtp.StageData, r)
	s.reset = true
	return s.refuse(&Error{Stage: smtp.StageData, Reply: r})
}

// loneDot ends the data that a server asks for after it refused every
// recipient, as RFC 2920 3.1 has it. Its acceptance would mean nothing.
func (s *Session) loneDot(t *transaction, refused *Error) error {
	if _, err := s.wire.bw.WriteString(".\r\n"); err != nil {
		return s.refuse(refused)
	}
	s.opts.trace("C: .")
	if err := s.wire.limit(s.opts.Timeouts.Data); err != nil {
		s.broken = true
		return s.refuse(refused)
	}
	r, err := s.wire.roundTrip()
	if err != nil {
		s.broken = true
		return s.refuse(refused)
	}
	if r.Positive() {
		t.res.Notes = append(t.res.Notes, "server accepted an empty message after it refused every recipient: "+r.String())
	}
	return s.refuse(refused)
}

// refusedAll is the error when no recipient was accepted: the first refusal, or
// the first transient one, because that is worth another attempt.
func (t *transaction) refusedAll() *Error {
	first := t.res.Recipients[0]
	for _, rcpt := range t.res.Recipients {
		if rcpt.Outcome == provisional {
			return nil
		}
		if rcpt.Outcome == smtp.Transient && first.Outcome != smtp.Transient {
			first = rcpt
		}
	}
	return &Error{Stage: first.Stage, Reply: first.Reply}
}

// ErrNotAll is wrapped by the error of a transaction that ended because a
// recipient was refused and Options.AllOrNone is set.
var ErrNotAll = errors.New("a recipient was refused, so nothing was submitted")

// allOrNone is the error when any recipient was refused. The others go back to
// not attempted.
func (t *transaction) allOrNone() *Error {
	for _, rcpt := range t.res.Recipients {
		if rcpt.Outcome != provisional {
			return &Error{Stage: rcpt.Stage, Reply: rcpt.Reply, Err: ErrNotAll}
		}
	}
	return nil
}
