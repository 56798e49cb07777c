package submission

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Result is what one mail transaction brought.
type Result struct {
	Recipients []smtp.Recipient // in the order of the transaction
	Reply      smtp.Reply       // to the final dot; zero when none came
	Steps      []Step
	Err        *Error   // why the transaction did not end with 2yz; nil when it did
	Notes      []string // oddities of the server
}

// transaction is MAIL, RCPT and DATA for some recipients of one mail object
// (RFC 5321 3.3).
type transaction struct {
	mail  *mailobject.Mail
	to    []string
	reset bool // RSET goes before it
	res   Result
}

func newTransaction(m *mailobject.Mail, to []string) *transaction {
	t := &transaction{mail: m, to: to}
	for _, path := range to {
		t.res.Recipients = append(t.res.Recipients, smtp.Recipient{ForwardPath: path, Outcome: smtp.NotAttempted})
	}
	return t
}

// settle gives the outcome of r to every recipient whose outcome is from.
func (t *transaction) settle(from smtp.Outcome, stage smtp.Stage, r smtp.Reply) {
	for i, rcpt := range t.res.Recipients {
		if rcpt.Outcome == from {
			t.res.Recipients[i] = smtp.Recipient{ForwardPath: rcpt.ForwardPath, Outcome: outcomeOf(r), Stage: stage, Reply: r}
		}
	}
}

// provisional is the outcome of a recipient between a RCPT that was accepted
// and the reply to the final dot. It never leaves this file.
const provisional smtp.Outcome = "rcpt accepted"

func outcomeOf(r smtp.Reply) smtp.Outcome {
	switch {
	case r.Positive():
		return smtp.Accepted
	case r.Transient():
		return smtp.Transient
	case r.Permanent():
		return smtp.Permanent
	}
	return smtp.InDoubt
}

// run takes the transaction from where it is to its end. next may name the
// transaction that follows, whose MAIL group is then written behind the final
// dot. Up to that dot early bounds the run, then ctx.
func (s *Session) run(ctx, early context.Context, t *transaction, next func() *transaction) Result {
	stop := context.AfterFunc(early, s.cut)
	defer context.AfterFunc(ctx, s.cut)()
	err := s.converse(t)
	if err == nil {
		err = s.mayBegin(early)
	}
	var sent bool
	if err == nil {
		sent, err = s.sendContent(early, stop, t, next)
	}
	stop()
	if err == nil && sent {
		err = s.finalReply(t)
	}
	t.end(sent)
	if err != nil {
		cause := early
		if sent || ctx.Err() != nil { // early ends a moment after ctx, which cuts too
			cause = ctx
		}
		var e *Error
		errors.As(s.blame(cause, err), &e)
		e.InDoubt = sent && t.doubtful()
		t.res.Err = e
	}
	return t.res
}

// mayBegin asks the caller whether the content may go out. When it may not, the
// connection is cut: after 354 there is no other way back.
func (s *Session) mayBegin(ctx context.Context) error {
	if s.beforeContent == nil {
		return nil
	}
	if err := s.beforeContent(ctx); err != nil {
		s.cut()
		return s.fail(smtp.StageData, err)
	}
	return nil
}

// end turns what is still provisional into what it means.
func (t *transaction) end(sent bool) {
	outcome := smtp.NotAttempted
	if sent {
		outcome = smtp.InDoubt
	}
	for i, rcpt := range t.res.Recipients {
		if rcpt.Outcome == provisional {
			t.res.Recipients[i] = smtp.Recipient{ForwardPath: rcpt.ForwardPath, Outcome: outcome, Stage: smtp.StageContent}
		}
	}
}

// doubtful reports whether a recipient's outcome is in doubt.
func (t *transaction) doubtful() bool {
	return slices.ContainsFunc(t.res.Recipients, func(r smtp.Recipient) bool { return r.Outcome == smtp.InDoubt })
}

// timed records how long a stage took.
func (t *transaction) timed(stage smtp.Stage, start time.Time) {
	t.res.Steps = append(t.res.Steps, Step{stage, time.Since(start)})
}

// converse goes from MAIL to the reply to DATA. Without error the server waits
// for content and at least one recipient is provisional.
func (s *Session) converse(t *transaction) error {
	start := time.Now()
	defer func() { t.timed(smtp.StageMail, start) }()
	if s.broken {
		return s.fail(smtp.StageMail, net.ErrClosed)
	}
	written := s.ahead == t
	if s.ahead != nil && !written {
		return s.fail(smtp.StageMail, errors.New("another transaction is under way"))
	}
	s.ahead = nil
	if err := s.acceptable(t.mail); err != nil {
		for i, path := range t.to {
			t.res.Recipients[i] = smtp.Recipient{ForwardPath: path, Outcome: smtp.Permanent, Stage: smtp.StageMail, Fault: err.Fault}
		}
		return s.refuse(err)
	}
	if !written {
		if err := s.heardBetween(); err != nil {
			return err
		}
	}
	if s.grouped() {
		return s.converseGrouped(t, written)
	}
	return s.converseStepwise(t)
}

// grouped reports whether commands go in one write.
func (s *Session) grouped() bool {
	_, pipelining := s.offers("PIPELINING")
	return pipelining && !s.opts.NoPipelining
}

// acceptable checks what the server said that it cannot take, before it has to
// say so again (RFC 1870 6.1, RFC 6531 3.1, RFC 6152 3).
func (s *Session) acceptable(m *mailobject.Mail) *Error {
	if limit, ok := s.sizeLimit(); ok && m.Content.Size() > limit {
		return &Error{Stage: smtp.StageMail, Fault: faultTooLarge,
			Err: fmt.Errorf("content of %d octets exceeds the server's limit of %d", m.Content.Size(), limit)}
	}
	if _, ok := s.offers("SMTPUTF8"); m.NeedsSMTPUTF8() && !ok {
		return &Error{Stage: smtp.StageMail, Fault: faultSMTPUTF8Missing,
			Err: errors.New("an address is not ASCII and the server does not offer SMTPUTF8")}
	}
	if _, ok := s.offers("8BITMIME"); m.Content.EightBit() && !ok {
		return &Error{Stage: smtp.StageMail, Fault: faultEightBitMissing,
			Err: errors.New("the content has octets above 127 and the server does not offer 8BITMIME")}
	}
	return nil
}

// sizeLimit is the server's SIZE; no number and 0 mean that it names none.
func (s *Session) sizeLimit() (int64, bool) {
	p, ok := s.offers("SIZE")
	n, err := strconv.ParseInt(p, 10, 64)
	return n, ok && err == nil && n > 0
}

// mailCommand has SIZE, BODY and SMTPUTF8 only where offered and needed:
// Exchange has been seen to advertise SMTPUTF8 and refuse it (502 5.3.3).
func (s *Session) mailCommand(m *mailobject.Mail) string {
	cmd := "MAIL FROM:<" + m.Envelope.ReversePath + ">"
	if _, ok := s.offers("SIZE"); ok {
		cmd += " SIZE=" + strconv.FormatInt(m.Content.Size(), 10)
	}
	if _, ok := s.offers("8BITMIME"); ok && m.Content.EightBit() {
		cmd += " BODY=8BITMIME"
	}
	if m.NeedsSMTPUTF8() {
		cmd += " SMTPUTF8"
	}
	return cmd + s.mailDSN(m.Envelope.DSN)
}

// putGroup buffers the commands up to DATA. With AllOrNone it ends before DATA,
// after which there is no way to take back an accepted RCPT but to cut the
// connection.
func (s *Session) putGroup(t *transaction) error {
	if t.reset = s.reset; t.reset {
		s.reset = false
		if err := s.wire.put("RSET"); err != nil {
			return err
		}
	}
	if err := s.wire.put(s.mailCommand(t.mail)); err != nil {
		return err
	}
	for _, path := range t.to {
		if err := s.wire.put(s.rcptCommand(t.mail, path)); err != nil {
			return err
		}
	}
	if s.opts.AllOrNone {
		return nil
	}
	return s.wire.put("DATA")
}

// converseGrouped writes the group, unless it went behind the last final dot,
// and reads its replies. A connection that breaks after a refusal does not hide
// the refusal.
func (s *Session) converseGrouped(t *transaction, written bool) error {
	if !written {
		if err := s.wire.limit(s.opts.Timeouts.Command); err != nil {
			return s.fail(smtp.StageMail, err)
		}
		if err := s.putGroup(t); err != nil {
			return s.fail(smtp.StageMail, err)
		}
		if err := s.wire.bw.Flush(); err != nil {
			return s.failWriting(t, err)
		}
	}
	read := func() (smtp.Reply, error) { return s.wire.read() }
	if err := s.envelopeReplies(t, read, read); err != nil {
		return err
	}
	if s.opts.AllOrNone {
		if err := t.allOrNone(); err != nil {
			s.reset = true
			return s.refuse(err)
		}
		if err := s.wire.put("DATA"); err != nil {
			return s.fail(smtp.StageData, err)
		}
	}
	return s.dataReply(t)
}

// converseStepwise is one command at a time.
func (s *Session) converseStepwise(t *transaction) error {
	if s.reset {
		s.reset = false
		r, err := s.ask("RSET")
		if err := s.wasReset(r, err); err != nil {
			return err
		}
	}
	i := -1
	mail := func() (smtp.Reply, error) { return s.ask(s.mailCommand(t.mail)) }
	rcpt := func() (smtp.Reply, error) { i++; return s.ask(s.rcptCommand(t.mail, t.to[i])) }
	if err := s.envelopeReplies(t, mail, rcpt); err != nil {
		return err
	}
	if err := t.refusedAll(); err != nil {
		s.reset = true
		return s.refuse(err)
	}
	if s.opts.AllOrNone {
		if err := t.allOrNone(); err != nil {
			s.reset = true
			return s.refuse(err)
		}
	}
	if err := s.wire.put("DATA"); err != nil {
		return s.fail(smtp.StageData, err)
	}
	return s.dataReply(t)
}
