package transaction

import (
	"context"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// content is the part of a transaction that follows the reply to DATA: the mail
// data, the final dot and its reply.
type content struct {
	p *Pipeline
	t *transaction
	d *dotWriter
}

func newContent(p *Pipeline, t *transaction) *content {
	return &content{p: p, t: t, d: newDotWriter(p.wire, p.o.Timeouts.Block)}
}

// send sends the content and the final dot, and with it the MAIL group of the
// transaction that follows. sent reports whether the server may have the whole
// dot: from then on silence is doubt. Before that a failure is none, because a
// server cannot see the end of data in a TLS record, or a line, that did not
// arrive whole. At the dot bounded ends: stop takes its hand from the connection,
// so that a deadline that passes just after the dot makes no doubt.
func (c *content) send(bounded context.Context, stop func() bool, next func() *transaction) (sent bool, err error) {
	start := time.Now()
	defer func() { c.t.timed(smtp.StageContent, start) }()
	stopListening := c.listen()
	_, err = c.t.mail.Content.WriteTo(c.d)
	stopListening()
	if err != nil {
		return false, c.failed(err)
	}
	c.p.trace(fmt.Sprintf("C: [content, %d octets]", c.d.octets))
	if err := c.silence(); err != nil {
		return false, err
	}
	if !stop() {
		return false, c.failed(context.Cause(bounded))
	}
	if deadline, ok := bounded.Deadline(); ok {
		c.d.perWrite = min(c.d.perWrite, time.Until(deadline))
	}
	var ahead *transaction
	if next != nil && c.p.grouped() {
		ahead = next()
	}
	if ahead != nil && !c.p.chunks(ahead) { // whose content goes with MAIL, in one turn all the same
		return c.endWith(ahead)
	}
	if err := c.putDot(); err != nil {
		return false, c.failed(err)
	}
	if err := c.flush(); err != nil {
		return false, c.failed(err)
	}
	return true, nil
}

func (c *content) putDot() error {
	err := c.d.end()
	c.p.trace("C: .")
	return err
}

func (c *content) flush() error {
	err := c.p.wire.Flush()
	if err != nil {
		c.d.writeErr = err
	}
	return err
}

// endWith sends the final dot and the next MAIL group in one write (RFC 2920
// 3.1: the dot need not end a group). When that write fails, it cannot be known
// whether the dot was in the part that left; so the content leaves before it,
// which leaves little to fail.
func (c *content) endWith(ahead *transaction) (sent bool, err error) {
	if err := c.flush(); err != nil {
		return false, c.failed(err)
	}
	if err := c.putDot(); err != nil {
		return false, c.failed(err)
	}
	if c.p.commands(ahead.mail).acceptable() == nil {
		if err := c.p.putGroup(ahead); err != nil {
			return true, c.p.session.Fail(smtp.StageContent, err)
		}
		c.p.ahead = ahead
	}
	if err := c.flush(); err != nil {
		return true, c.p.session.Fail(smtp.StageContent, err)
	}
	return true, nil
}

// failed cuts the connection, so that the server cannot take what arrived for the
// whole. When the connection itself failed, the server may have said why.
func (c *content) failed(err error) error {
	defer c.p.session.Cut()
	c.p.session.Break()
	if c.d.writeErr != nil && c.d.heard.Load() {
		return c.readUnsolicited()
	}
	if c.d.writeErr != nil {
		if said := c.p.readPending(); said != nil {
			said.Stage, said.Err = smtp.StageContent, err
			c.t.decide(provisional, smtp.StageContent, said.Reply)
			return c.p.session.Refused(said)
		}
	}
	return c.p.session.Fail(smtp.StageContent, err)
}

// finalReply reads the reply to the final dot. Only the caller's context and the
// dot's own limit end the wait.
func (c *content) finalReply() error {
	start := time.Now()
	defer func() { c.t.timed(smtp.StageContent, start) }()
	if err := c.p.wire.Limit(c.p.o.Timeouts.Dot); err != nil {
		return c.p.session.Fail(smtp.StageContent, err)
	}
	r, err := c.p.wire.Read()
	if err != nil {
		return c.p.session.Fail(smtp.StageContent, err)
	}
	if outcomeOf(r) == smtp.InDoubt {
		return c.p.session.Fail(smtp.StageContent, session.Unexpected(r))
	}
	c.t.decide(provisional, smtp.StageContent, r)
	c.t.res.Reply = r
	if r.Positive() {
		return nil
	}
	return c.p.session.Refused(&session.Error{Stage: smtp.StageContent, Reply: r})
}

// silence ends a transaction in which the server speaks, or leaves, before it has
// the final dot. Its words cannot be the reply to what it did not get: with a
// stray 451 after the 354 taken for that reply, a message that the server stores
// would be submitted again, and with a stray 250 one that it refuses would be
// lost. So the connection is cut before the dot, after which a refusal is true and
// everything else can be tried again. Words that arrive later than this look
// around cannot be told from the reply.
func (c *content) silence() error {
	if !c.d.heard.Load() && !c.p.wire.Spoken() {
		return nil
	}
	return c.readUnsolicited()
}

// readUnsolicited reads what was said before the final dot.
func (c *content) readUnsolicited() error {
	s := c.p.session
	defer s.Cut()
	s.Break()
	if err := c.p.wire.Conn().SetReadDeadline(time.Now().Add(pendingTime)); err != nil {
		return s.Fail(smtp.StageContent, err)
	}
	r, err := c.p.wire.Read()
	if err != nil {
		return s.Fail(smtp.StageContent, err)
	}
	if r.Negative() {
		c.t.decide(provisional, smtp.StageContent, r)
		return s.Refused(&session.Error{Stage: smtp.StageContent, Reply: r})
	}
	return s.Fail(smtp.StageContent, &session.Error{Reply: r, Err: errUnsolicited})
}

// socketBuffers is how many octets can be written to a connection whose other end
// reads nothing.
const socketBuffers = 64 << 10

// past is a deadline that ends reading or writing at once.
var past = time.Unix(1, 0)

// listen hears the server while the content is written, and ends the writing when
// it speaks or leaves: a server that refuses the content has often stopped to
// read it. Content that the socket's buffers take needs none of that. stop must be
// called before anything else reads.
func (c *content) listen() (stop func()) {
	w := c.p.wire
	if c.t.mail.Content.Size() <= socketBuffers || w.Conn().SetReadDeadline(time.Time{}) != nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if w.Heard() {
			c.d.heard.Store(true)
			_ = w.Conn().SetWriteDeadline(past)
		}
	}()
	return func() {
		_ = w.Conn().SetReadDeadline(past)
		<-done
	}
}
