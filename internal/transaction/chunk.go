package transaction

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// inlineContent is how many octets of content may go with MAIL. As much as the
// buffers of two sockets take, so that no side waits for the other to read (RFC
// 2920 3.1), and little enough to be sent in vain when the server refuses.
const inlineContent = socketBuffers

// ErrChunking is wrapped by the error of a transaction in which BDAT did not work
// with a server that offers CHUNKING. The server does not have the message, which
// can go by DATA at once, on another session.
var ErrChunking = errors.New("server offers CHUNKING and did not take BDAT")

// chunks reports whether the content of t is to go with MAIL, by BDAT.
func (p *Pipeline) chunks(t *transaction) bool {
	_, offered := p.session.Extensions().Offers("CHUNKING")
	wanted := offered && !p.o.NoChunking && !p.o.Chunking.Failed()
	// With AllOrNone the replies to RCPT decide whether the content goes out. When
	// RSET is refused, the transaction before is still open, and its recipients
	// would get this content.
	waits := p.o.AllOrNone || p.reset || p.ahead == t
	// A connection that died in silence takes a write, and the lost reply is doubt.
	fresh := p.wire.Quiet() < p.o.Timeouts.Fresh
	return wanted && !waits && fresh && p.grouped() && t.mail.Content.Size() <= inlineContent
}

// chunk is a transaction whose content goes with MAIL and RCPT.
type chunk struct {
	e    *envelope
	p    *Pipeline
	t    *transaction
	text []byte
}

// byChunk is the transaction with BDAT: one write, one turn. sent reports whether
// the server may have the whole chunk and took no position on it.
func (p *Pipeline) byChunk(bounded context.Context, stop func() bool, t *transaction, next func() *transaction) (sent bool, err error) {
	var content bytes.Buffer
	if _, err := t.mail.Content.WriteTo(&content); err != nil {
		return false, p.session.Fail(smtp.StageContent, err)
	}
	if holdsSMTP(content.Bytes()) {
		return p.byData(bounded, stop, t, next)
	}
	c := &chunk{e: newEnvelope(p, t), p: p, t: t, text: content.Bytes()}
	if _, err := c.e.begin(); err != nil {
		return false, err
	}
	if err := p.mayBegin(bounded); err != nil {
		return false, err
	}
	if err := p.silence(); err != nil { // the caller may have taken its time
		return false, err
	}
	if !stop() {
		return false, p.session.Fail(smtp.StageMail, context.Cause(bounded))
	}
	start := time.Now()
	if err := c.write(bounded); err != nil {
		t.timed(smtp.StageMail, start)
		return false, c.writeFailed(err)
	}
	err = c.replies(time.Since(start))
	return c.taken(err), err
}

// replies reads all of them. For the steps writing, which took so long, comes
// after the replies to the envelope, as it does with DATA.
func (c *chunk) replies(writing time.Duration) error {
	c.e.patience, c.e.chunked = c.p.o.Timeouts.Dot, true // giving up on any of them makes doubt
	c.t.expect()
	start := time.Now()
	err := c.e.replies(c.p.wire.Read, c.p.wire.Read)
	c.t.timed(smtp.StageMail, start)
	if err != nil {
		return err
	}
	c.t.res.Steps = append(c.t.res.Steps, session.Step{Stage: smtp.StageContent, Took: writing})
	start = time.Now()
	defer func() { c.t.timed(smtp.StageContent, start) }()
	return c.finalReply()
}

// taken reports whether err leaves open that the server has the content: it does
// not when the server is leaving (421) or did not take BDAT. Replies out of step
// say neither.
func (c *chunk) taken(err error) bool {
	var e *session.Error
	if !errors.As(err, &e) || errors.Is(e.Err, errOutOfStep) || errors.Is(e.Err, errUnsolicited) {
		return true
	}
	return e.Reply.Code != 421 && !errors.Is(e.Err, ErrChunking)
}

// write sends MAIL, RCPT, BDAT and the content. An error means that the last octet
// has not left, so that the server cannot have the chunk: it is counted, and a TLS
// record that is not whole cannot be read.
func (c *chunk) write(bounded context.Context) error {
	limit := c.p.o.Timeouts.Block
	if deadline, ok := bounded.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	w := c.p.wire
	if err := w.Limit(limit); err != nil {
		return err
	}
	if err := c.p.putEnvelope(c.t); err != nil {
		return err
	}
	if err := w.Put(fmt.Sprintf("BDAT %d LAST", len(c.text))); err != nil {
		return err
	}
	c.p.trace(fmt.Sprintf("C: [content, %d octets]", len(c.text)))
	if _, err := w.Out().Write(c.text); err != nil {
		return err
	}
	return w.Flush()
}

// writeFailed ends a transaction whose write failed. What the server said of it
// before it closed the connection says more than "broken pipe".
func (c *chunk) writeFailed(cause error) error {
	defer c.p.session.Cut()
	c.p.session.Break()
	c.e.patience = pendingTime
	c.t.forget()
	err := c.e.replies(c.p.wire.Read, c.p.wire.Read)
	if err == nil {
		err = c.earlyEnd()
	}
	var e *session.Error
	if errors.As(err, &e) && !e.Reply.IsZero() {
		return e
	}
	return c.p.session.Fail(smtp.StageMail, cause)
}

// earlyEnd reads a reply to BDAT that came before the whole chunk was written.
func (c *chunk) earlyEnd() error {
	r, err := c.p.wire.Read()
	refused := c.t.refusedAll()
	switch {
	case refused != nil:
		return c.p.session.Refused(refused)
	case err != nil:
		c.p.o.Chunking.Fail()
		return err
	case unknownCommand(r) || suspect(r):
		return c.unfit(r)
	case !r.Negative():
		return err
	}
	c.t.decide(provisional, smtp.StageContent, r)
	return c.p.session.Refused(&session.Error{Stage: smtp.StageContent, Reply: r})
}

// finalReply reads the reply to BDAT, which decides for every recipient whose RCPT
// was accepted. Only the caller's context and the dot's own limit end the wait.
func (c *chunk) finalReply() error {
	if err := c.p.wire.Limit(c.p.o.Timeouts.Dot); err != nil {
		return c.p.session.Fail(smtp.StageContent, err)
	}
	r, err := c.p.wire.Read()
	refused := c.t.refusedAll()
	switch {
	case err != nil && refused != nil: // the refusals hold, whatever became of the connection
		c.p.session.Break()
		return c.p.session.Refused(refused)
	case err != nil:
		c.p.o.Chunking.Fail() // it may be BDAT that the server, or what is before it, trips over
		return c.e.brokenAfter(smtp.StageContent, err)
	}
	more, said := c.p.further()
	unfit := unknownCommand(r) || suspect(r)
	switch {
	case refused != nil:
		return c.refusedAll(refused, r, more)
	case unfit && !more.Positive(): // a server that takes content for commands says more, and refuses its first line
		return c.unfit(r)
	case !r.Positive() && !r.Negative():
		return c.p.session.Fail(smtp.StageContent, session.Unexpected(r))
	case said && more.Code != 421: // whose replies those were that came before cannot be known either
		c.t.expect()
		return c.p.session.Fail(smtp.StageContent, &session.Error{Reply: r, Err: errUnsolicited})
	}
	c.t.decide(provisional, smtp.StageContent, r)
	c.t.res.Reply = r
	if r.Positive() {
		return nil
	}
	c.p.reset = true // RFC 3030 2: after a BDAT that failed
	return c.p.session.Refused(&session.Error{Stage: smtp.StageContent, Reply: r})
}

// refusedAll ends a transaction in which every RCPT was refused. r is the reply to
// BDAT, which had to be refused then, and more what came after it: when one of them
// accepts something, a reply came too many.
func (c *chunk) refusedAll(refused *session.Error, r, more smtp.Reply) error {
	accepted := r
	if r.Negative() {
		accepted = more
	}
	if accepted.Positive() || accepted.Intermediate() {
		c.t.expect()
		c.t.res.Notes = append(c.t.res.Notes, "server accepted content after it refused every recipient: "+accepted.String())
		return c.p.session.Fail(smtp.StageContent, &session.Error{Reply: r, Err: errOutOfStep})
	}
	c.p.reset = true
	c.p.leaveIfUnknown(r)
	if r.Code == 421 {
		c.p.session.Break()
	}
	return c.p.session.Refused(refused)
}

// unfit ends a transaction whose BDAT the server did not take as such. It may take
// the content for commands, so the connection is cut at once.
func (c *chunk) unfit(r smtp.Reply) error {
	c.p.o.Chunking.Fail()
	c.p.session.Cut()
	return c.p.session.Fail(smtp.StageContent, &session.Error{Reply: r, Err: ErrChunking})
}

// leaveIfUnknown cuts the connection to a server that does not know BDAT.
func (p *Pipeline) leaveIfUnknown(r smtp.Reply) {
	if unknownCommand(r) {
		p.o.Chunking.Fail()
		p.session.Break()
		p.session.Cut()
	}
}

// further is a reply that came after the one that was read. said reports that one
// began to come, which may have been cut or have made no sense: one of the server's
// replies came too many then, and it is not known which, unless it is a 421, which may
// come at any time. What has not begun to come is not waited for.
func (p *Pipeline) further() (r smtp.Reply, said bool) {
	if !p.wire.Audible() {
		return r, false
	}
	p.session.Break()
	said = p.wire.Unread() > 0 // and not the end alone
	if p.wire.Limit(pendingTime) != nil {
		return r, said
	}
	r, _ = p.wire.Read()
	return r, said
}

// unknownCommand reports a reply of a server that does not know BDAT, whatever its
// EHLO says (RFC 5321 4.2.4).
func unknownCommand(r smtp.Reply) bool {
	return r.Code == 500 || r.Code == 502 || r.Code == 504
}

// suspect reports a reply that is about BDAT rather than the message: its form or
// place (501, 503), although every RCPT was accepted, or a size that the server
// itself allows and that is small. Exchange Online said 552 5.3.4 "Header size
// exceeds fixed maximum size" to clients that used BDAT in 2019.
func suspect(r smtp.Reply) bool {
	tooLarge := r.Code == 552 && r.Enhanced.Subject == 3 && r.Enhanced.Detail == 4
	return r.Code == 501 || r.Code == 503 || tooLarge
}

// holdsSMTP reports whether a server that takes the content for commands could
// submit something: no command but DATA, BDAT and BURL (RFC 4468) does. Such
// content, a mail about SMTP or an attack, waits for the reply to DATA.
func holdsSMTP(content []byte) bool {
	for _, end := range []byte("\r\n") { // one after the other, which is faster than for both
		for line, more := content, true; more; _, line, more = bytes.Cut(line, []byte{end}) {
			if submits(line) {
				return true
			}
		}
	}
	return false
}

// submits reports whether a line begins with one of the commands that submit; some
// servers look no further than its first four octets.
func submits(line []byte) bool {
	if len(line) == 0 || strings.IndexByte(" \tBbDd", line[0]) < 0 { // nearly every one
		return false
	}
	verb := bytes.TrimLeft(line, " \t")
	verb = verb[:min(len(verb), len("DATA"))]
	return slices.ContainsFunc([]string{"DATA", "BDAT", "BURL"}, func(command string) bool {
		return bytes.EqualFold(verb, []byte(command))
	})
}
