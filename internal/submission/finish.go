package submission

import (
	"context"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// sendContent sends the content and the final dot, and with it the MAIL group of
// the transaction that follows. sent reports whether the server may have the
// whole dot: from then on silence is doubt. Before that a failure is none,
// because a server cannot see the end of data in a TLS record, or a line, that
// did not arrive whole. At the dot early ends: stop takes its hand from the
// connection, so that a deadline that passes just behind the dot makes no doubt.
func (s *Session) sendContent(early context.Context, stop func() bool, t *transaction, next func() *transaction) (sent bool, err error) {
	start := time.Now()
	defer func() { t.timed(smtp.StageContent, start) }()
	d := newDotWriter(s.wire, s.opts.Timeouts.Block)
	stopListening := s.listen(d, t.mail.Content.Size())
	_, err = t.mail.Content.WriteTo(d)
	stopListening()
	if err != nil {
		return false, s.contentFailed(t, d, err)
	}
	s.opts.trace(fmt.Sprintf("C: [content, %d octets]", d.octets))
	if err := s.heardEarly(t, d); err != nil {
		return false, err
	}
	if !stop() {
		return false, s.contentFailed(t, d, context.Cause(early))
	}
	if deadline, ok := early.Deadline(); ok {
		d.perWrite = min(d.perWrite, time.Until(deadline))
	}
	var ahead *transaction
	if next != nil && s.grouped() {
		ahead = next()
	}
	if ahead != nil {
		return s.endWith(t, d, ahead)
	}
	if err := s.putDot(d); err != nil {
		return false, s.contentFailed(t, d, err)
	}
	if err := s.flush(d); err != nil {
		return false, s.contentFailed(t, d, err)
	}
	return true, nil
}

func (s *Session) putDot(d *dotWriter) error {
	err := d.end()
	s.opts.trace("C: .")
	return err
}

func (s *Session) flush(d *dotWriter) error {
	err := s.wire.bw.Flush()
	if err != nil {
		d.writeErr = err
	}
	return err
}

// endWith sends the final dot and the next MAIL group in one write (RFC 2920
// 3.1: the dot need not end a group). When that write fails, nobody knows
// whether the dot was in the part that left; so the content leaves before it,
// which leaves little to fail.
func (s *Session) endWith(t *transaction, d *dotWriter, ahead *transaction) (sent bool, err error) {
	if err := s.flush(d); err != nil {
		return false, s.contentFailed(t, d, err)
	}
	if err := s.putDot(d); err != nil {
		return false, s.contentFailed(t, d, err)
	}
	if s.acceptable(ahead.mail) == nil {
		if err := s.putGroup(ahead); err != nil {
			return true, s.fail(smtp.StageContent, err)
		}
		s.ahead = ahead
	}
	if err := s.flush(d); err != nil {
		return true, s.fail(smtp.StageContent, err)
	}
	return true, nil
}

// contentFailed cuts the connection, so that the server cannot take what
// arrived for the whole. When the connection itself failed, the server may have
// said why.
func (s *Session) contentFailed(t *transaction, d *dotWriter, err error) error {
	defer s.cut()
	s.broken = true
	if d.writeErr != nil && d.heard.Load() {
		return s.early(t)
	}
	if d.writeErr != nil {
		if said := s.readPending(); said != nil {
			said.Stage, said.Err = smtp.StageContent, err
			t.settle(provisional, smtp.StageContent, said.Reply)
			return s.refuse(said)
		}
	}
	return s.fail(smtp.StageContent, err)
}

// finalReply reads the reply to the final dot. Only the caller's context and the
// dot's own limit end the wait.
func (s *Session) finalReply(t *transaction) error {
	start := time.Now()
	defer func() { t.timed(smtp.StageContent, start) }()
	if err := s.wire.limit(s.opts.Timeouts.Dot); err != nil {
		return s.fail(smtp.StageContent, err)
	}
	r, err := s.wire.read()
	if err != nil {
		return s.fail(smtp.StageContent, err)
	}
	if outcomeOf(r) == smtp.InDoubt {
		return s.fail(smtp.StageContent, unexpected(r))
	}
	t.settle(provisional, smtp.StageContent, r)
	t.res.Reply = r
	if r.Positive() {
		return nil
	}
	return s.refuse(&Error{Stage: smtp.StageContent, Reply: r})
}
