package transaction

import (
	"errors"
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// envelope is the dialogue of one transaction up to the reply to DATA, or the
// replies to MAIL and RCPT when all went with BDAT.
type envelope struct {
	p        *Pipeline
	t        *transaction
	patience time.Duration // for each reply to RSET, MAIL and RCPT
	chunked  bool          // BDAT and the content are written already
}

func newEnvelope(p *Pipeline, t *transaction) *envelope {
	return &envelope{p: p, t: t, patience: p.o.Timeouts.Command}
}

// converse goes from MAIL to the reply to DATA. Without error the server waits
// for content and at least one recipient is provisional.
func (e *envelope) converse() error {
	p, t := e.p, e.t
	start := time.Now()
	defer func() { t.timed(smtp.StageMail, start) }()
	written, err := e.begin()
	if err != nil {
		return err
	}
	if p.grouped() {
		return e.grouped(written)
	}
	return e.stepwise()
}

// begin checks that the transaction may begin. written reports whether its group
// went with the final dot of the one before.
func (e *envelope) begin() (written bool, err error) {
	p, t := e.p, e.t
	if !p.Usable() {
		return false, e.fail(smtp.StageMail, net.ErrClosed)
	}
	written = p.ahead == t
	if p.ahead != nil && !written {
		return false, e.fail(smtp.StageMail, errors.New("another transaction is under way"))
	}
	p.ahead = nil
	if err := p.commands(t.mail).acceptable(); err != nil {
		for i, path := range t.to {
			t.res.Recipients[i] = smtp.Recipient{ForwardPath: path, Outcome: smtp.Permanent, Stage: smtp.StageMail, Fault: err.Fault}
		}
		return false, p.session.Refused(err)
	}
	if !written {
		if err := p.silence(); err != nil {
			return false, err
		}
	}
	return written, nil
}

// grouped writes the group, unless it went with the last final dot, and reads its
// replies. A connection that breaks after a refusal does not hide the refusal.
func (e *envelope) grouped(written bool) error {
	p := e.p
	if !written {
		if err := p.wire.Limit(p.o.Timeouts.Command); err != nil {
			return e.fail(smtp.StageMail, err)
		}
		if err := p.putGroup(e.t); err != nil {
			return e.fail(smtp.StageMail, err)
		}
		if err := p.wire.Flush(); err != nil {
			return e.failWriting(err)
		}
	}
	if err := e.replies(p.wire.Read, p.wire.Read); err != nil {
		return err
	}
	if p.o.AllOrNone {
		if err := e.t.refusedAny(); err != nil {
			p.reset = true
			return p.session.Refused(err)
		}
		if err := p.wire.Put("DATA"); err != nil {
			return e.fail(smtp.StageData, err)
		}
	}
	return e.dataReply()
}

// stepwise is one command at a time.
func (e *envelope) stepwise() error {
	p, t := e.p, e.t
	if p.reset {
		p.reset = false
		r, err := p.ask("RSET")
		if err := e.wasReset(r, err); err != nil {
			return err
		}
	}
	c := p.commands(t.mail)
	i := -1
	mail := func() (smtp.Reply, error) { return p.ask(c.from()) }
	rcpt := func() (smtp.Reply, error) { i++; return p.ask(c.to(t.to[i])) }
	if err := e.replies(mail, rcpt); err != nil {
		return err
	}
	if err := t.refusedAll(); err != nil {
		p.reset = true
		return p.session.Refused(err)
	}
	if p.o.AllOrNone {
		if err := t.refusedAny(); err != nil {
			p.reset = true
			return p.session.Refused(err)
		}
	}
	if err := p.wire.Put("DATA"); err != nil {
		return e.fail(smtp.StageData, err)
	}
	return e.dataReply()
}

// replies reads the replies to RSET, MAIL and every RCPT, by functions that also
// send the command where commands go one by one. After a refused MAIL a group's
// other replies are still read, to stay in step; stepwise there are none.
func (e *envelope) replies(mail, rcpt func() (smtp.Reply, error)) error {
	if e.t.reset {
		if err := e.p.wire.Limit(e.patience); err != nil {
			return e.fail(smtp.StageMail, err)
		}
		r, err := e.p.wire.Read()
		if err := e.wasReset(r, err); err != nil {
			return err
		}
	}
	if err := e.p.wire.Limit(e.patience); err != nil {
		return e.fail(smtp.StageMail, err)
	}
	r, err := mail()
	if err != nil {
		return e.fail(smtp.StageMail, err)
	}
	if !r.Positive() {
		return e.mailRefused(r)
	}
	for i := range e.t.to {
		if err := e.p.wire.Limit(e.patience); err != nil {
			return e.fail(smtp.StageRcpt, err)
		}
		r, err := rcpt()
		if err != nil {
			return e.brokenAfter(smtp.StageRcpt, err)
		}
		outcome := provisional
		if !r.Positive() {
			outcome = outcomeOf(r)
		}
		if outcome == smtp.InDoubt { // 3yz makes no sense here
			return e.fail(smtp.StageRcpt, session.Unexpected(r))
		}
		e.t.res.Recipients[i] = smtp.Recipient{ForwardPath: e.t.to[i], Outcome: outcome, Stage: smtp.StageRcpt, Reply: r}
		if r.Code == 421 && e.leaves() { // no reply is due after it
			return e.p.session.Refused(&session.Error{Stage: smtp.StageRcpt, Reply: r})
		}
	}
	return nil
}

// leaves reports whether a server that said 421 closes the connection, as it has to
// (RFC 5321 3.8). One that stays may take content that it has already, so its other
// replies are due.
func (e *envelope) leaves() bool {
	if !e.chunked {
		return true
	}
	e.p.session.Break()
	w := e.p.wire
	return w.Limit(pendingTime) != nil || !w.Heard() || w.Unread() == 0
}

// errNotReset is the cause when RSET was refused. The transaction before may
// still be open then, and its recipients would get the next message.
var errNotReset = errors.New("server did not accept RSET")

// wasReset checks the reply to RSET.
func (e *envelope) wasReset(r smtp.Reply, err error) error {
	switch {
	case err != nil:
		return e.fail(smtp.StageMail, err)
	case !r.Positive():
		return e.fail(smtp.StageMail, &session.Error{Reply: r, Err: errNotReset})
	}
	return nil
}

// mailRefused ends a transaction whose MAIL was refused. In a group the replies
// to RCPT and DATA, or BDAT, are due as well; should the server accept one of them
// all the same, it is out of step, and gets nothing more.
func (e *envelope) mailRefused(r smtp.Reply) error {
	refusal := &session.Error{Stage: smtp.StageMail, Reply: r}
	if outcomeOf(r) == smtp.InDoubt {
		return e.fail(smtp.StageMail, refusal)
	}
	e.t.decide(smtp.NotAttempted, smtp.StageMail, r)
	e.t.decide(provisional, smtp.StageMail, r)
	ended := r.Code == 421 && e.leaves()
	if !e.p.grouped() || ended {
		e.p.reset = true // so that a reply too many is noticed in the next transaction
		return e.p.session.Refused(refusal)
	}
	due := len(e.t.to) + 1
	if e.p.o.AllOrNone {
		due--
	}
	var last smtp.Reply
	for range due {
		later, err := e.p.wire.Read()
		if err != nil {
			e.p.session.Break()
			return e.p.session.Refused(refusal)
		}
		if !later.Negative() {
			return e.outOfStep(refusal)
		}
		last = later
	}
	if e.chunked {
		if more := e.p.further(); !more.accepted.IsZero() {
			return e.outOfStep(refusal)
		}
		e.p.reset = true
		e.p.leaveIfUnknown(last)
	}
	return e.p.session.Refused(refusal)
}

// outOfStep ends a transaction in which the server accepted something after it
// refused MAIL. With BDAT the content may have been that, so all is in doubt.
func (e *envelope) outOfStep(refusal *session.Error) error {
	e.p.session.Break()
	if !e.chunked {
		return e.p.session.Refused(refusal)
	}
	e.t.expect()
	return e.fail(smtp.StageMail, &session.Error{Reply: refusal.Reply, Err: errOutOfStep})
}

// brokenAfter is the error for a connection that broke within the replies of a
// group. When the last reply before was a 421, that is the reason.
func (e *envelope) brokenAfter(stage smtp.Stage, err error) error {
	for _, rcpt := range e.t.res.Recipients {
		if rcpt.Reply.Code == 421 {
			e.p.session.Break()
			return e.p.session.Refused(&session.Error{Stage: rcpt.Stage, Reply: rcpt.Reply, Err: err})
		}
	}
	return e.fail(stage, err)
}

// failWriting is the error for a group that could not be written. A server
// that closed the connection may have said why.
func (e *envelope) failWriting(err error) error {
	e.p.session.Break()
	if said := e.p.readPending(); said != nil {
		said.Stage, said.Err = smtp.StageMail, err
		e.t.decide(smtp.NotAttempted, smtp.StageMail, said.Reply)
		return e.p.session.Refused(said)
	}
	return e.fail(smtp.StageMail, err)
}

// dataReply sends what is buffered and reads the reply to DATA.
func (e *envelope) dataReply() error {
	if err := e.p.wire.Limit(e.p.o.Timeouts.Data); err != nil {
		return e.fail(smtp.StageData, err)
	}
	r, err := e.p.wire.RoundTrip()
	refused := e.t.refusedAll()
	switch {
	case err != nil && refused != nil: // the refusals hold, whatever became of the connection
		e.p.session.Break()
		return e.p.session.Refused(refused)
	case err != nil:
		return e.brokenAfter(smtp.StageData, err)
	case r.Code == 354 && refused == nil:
		return nil
	case r.Code == 354:
		return e.loneDot(refused)
	case !r.Negative():
		// One reply too many came before, so it is not known whose they all were.
		e.t.forget()
		return e.fail(smtp.StageData, session.Unexpected(r))
	case refused != nil: // DATA had to be refused too (RFC 5321 3.3)
		e.p.reset = true
		if r.Code == 421 {
			e.p.session.Break()
		}
		return e.p.session.Refused(refused)
	}
	e.t.decide(provisional, smtp.StageData, r)
	e.p.reset = true
	return e.p.session.Refused(&session.Error{Stage: smtp.StageData, Reply: r})
}

// loneDot ends the data that a server asks for after it refused every
// recipient, as RFC 2920 3.1 says. Its acceptance would mean nothing.
func (e *envelope) loneDot(refused *session.Error) error {
	if _, err := e.p.wire.Out().WriteString(".\r\n"); err != nil {
		return e.p.session.Refused(refused)
	}
	e.p.trace("C: .")
	if err := e.p.wire.Limit(e.p.o.Timeouts.Data); err != nil {
		e.p.session.Break()
		return e.p.session.Refused(refused)
	}
	r, err := e.p.wire.RoundTrip()
	if err != nil {
		e.p.session.Break()
		return e.p.session.Refused(refused)
	}
	if r.Positive() {
		e.t.res.Notes = append(e.t.res.Notes, "server accepted an empty message after it refused every recipient: "+r.String())
	}
	return e.p.session.Refused(refused)
}

// fail is the error of a session that is broken.
func (e *envelope) fail(stage smtp.Stage, err error) *session.Error {
	return e.p.session.Fail(stage, err)
}
