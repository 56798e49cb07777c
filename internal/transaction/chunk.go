package transaction

import (
	"bytes"
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
var ErrChunking = errors.New("server offers CHUNKING but refused BDAT")

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

// put buffers BDAT and the content.
func (c *chunk) put() error {
	if err := c.p.wire.Put(fmt.Sprintf("BDAT %d LAST", len(c.text))); err != nil {
		return err
	}
	c.p.trace(fmt.Sprintf("C: [content, %d octets]", len(c.text)))
	_, err := c.p.wire.Out().Write(c.text)
	return err
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
	more := c.p.further()
	unfit := unknownCommand(r) || suspect(r)
	switch {
	case refused != nil:
		return c.refusedAll(refused, r, more)
	case unfit && more.accepted.IsZero(): // a server that takes content for commands says more, and refuses its first lines
		return c.unfit(r)
	case !r.Positive() && !r.Negative():
		return c.p.session.Fail(smtp.StageContent, session.Unexpected(r))
	case r.Positive() && r.Enhanced.Subject == addressStatus:
		return c.lostCount(r, errOfAddress)
	case !c.inStep(r, more):
		return c.lostCount(r, errUnsolicited)
	}
	c.t.decide(provisional, smtp.StageContent, r)
	c.t.res.Reply = r
	if r.Positive() {
		return nil
	}
	c.p.reset = true // RFC 3030 2: after a BDAT that failed
	return c.p.session.Refused(&session.Error{Stage: smtp.StageContent, Reply: r})
}

// inStep reports whether r can be believed to be the reply to BDAT, although more
// came. Where it accepts, nothing may follow: a reply too many, which may have come
// anywhere before, makes it the reply to a RCPT, and what follows the one to BDAT. A
// refusal may be followed by the 421 of a server that leaves then, and has nothing
// whichever of the two was meant for BDAT.
func (c *chunk) inStep(r smtp.Reply, more surplus) bool {
	saysIt := r.Code == 421 && !more.said
	mayLeave := saysIt || more.only421
	if r.Negative() && mayLeave {
		return c.e.leaves()
	}
	return !more.said
}

// lostCount ends a transaction in which the server said a reply too many, at a place
// that is not known: whose refusals and whose acceptances the replies were is not
// known either. Later mail goes by DATA, where the 354 tells: a server that does the
// same each time would make doubt of every message.
func (c *chunk) lostCount(r smtp.Reply, cause error) error {
	c.p.o.Chunking.Fail()
	c.t.expect()
	return c.p.session.Fail(smtp.StageContent, &session.Error{Reply: r, Err: cause})
}

// refusedAll ends a transaction in which every RCPT was refused. r is the reply to
// BDAT, which had to be refused then, and more what came after it: when one of them
// accepts something, a reply came too many.
func (c *chunk) refusedAll(refused *session.Error, r smtp.Reply, more surplus) error {
	accepted := r
	if r.Negative() {
		accepted = more.accepted
	}
	if !accepted.IsZero() {
		c.t.res.Notes = append(c.t.res.Notes, "server accepted content after it refused every recipient: "+accepted.String())
		return c.lostCount(r, errOutOfStep)
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

// surplus is what came after the reply to BDAT, where nothing is due.
type surplus struct {
	said     bool       // a reply, or a part of one
	only421  bool       // and no more, which may come at any time (RFC 5321 3.8)
	accepted smtp.Reply // the first that is not a refusal; zero when there is none
}

// surplusReplies is how many replies too many are looked for. A server that takes the
// content for commands says one for each of its lines, and refuses the first ones,
// which are header fields.
const surplusReplies = 4

// further reads what came after the last reply, and spoils the session for another
// transaction when something did. What has not begun to come is not waited for.
func (p *Pipeline) further() (more surplus) {
	for i := range surplusReplies {
		if !p.wire.Audible() {
			break
		}
		p.session.Break()
		if p.wire.Unread() == 0 { // the end alone
			break
		}
		more.said, more.only421 = true, false
		if p.wire.Limit(pendingTime) != nil {
			break
		}
		r, err := p.wire.Read()
		if err != nil {
			break
		}
		more.only421 = i == 0 && r.Code == 421
		if more.accepted.IsZero() && !r.Negative() {
			more.accepted = r
		}
	}
	return more
}

// addressStatus is the subject of an enhanced status code that is about an address
// (RFC 3463 3.2), as 2.1.0 and 2.1.5 are. With an acceptance only replies to MAIL and
// RCPT have it.
const addressStatus = 1

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
