// Package transaction takes mail objects through mail transactions (RFC 5321 3.3)
// on a session. Each recipient gets one outcome: a transaction may be accepted for
// some. A mail object with more recipients than a transaction takes goes in
// several. Content goes in one of two ways.
//
// # By DATA
//
//  1. MAIL, all RCPT and DATA in one write where the server offers PIPELINING
//     (RFC 2920), their replies read one by one.
//  2. The content, dot-stuffed, then the final dot, and with it the MAIL group of
//     the mail object that follows. When the content itself fails (a file that
//     shrank), the connection is cut and the data never ended, so that no server
//     accepts a truncated message.
//  3. The reply to the final dot decides. When it does not come, the outcome is
//     in doubt.
//
// The caller's deadline bounds all up to the final dot; the reply to the dot keeps
// its own ten minutes, because giving up there is what makes doubt.
//
// # By BDAT
//
// Where the server offers PIPELINING and CHUNKING (RFC 3030), content of at most
// 64 KiB goes with MAIL: MAIL, all RCPT, BDAT n LAST and the content, no dot
// doubled, in one write. That saves a turn, and moves the moment from which
// silence is doubt up to that write. What follows for the receipt:
//
//   - The content is read whole before anything is written. When it fails, nothing
//     goes out. The caller is asked (BeforeContent) at the same moment. A server that
//     spoke or left meanwhile gets nothing.
//   - A write that fails makes no doubt: its last octets have not left, octets are
//     counted, and a TLS record that is not whole cannot be read. What the server
//     said meanwhile is read. Once the write is whole, no failure of ours, the
//     deadline included, ends the wait; every reply may take the ten minutes.
//   - MAIL refused: the refusal holds for every recipient, the other replies are
//     read. Was one of them positive, server and client are out of step and all is
//     in doubt.
//   - Some RCPT refused: these stay refused, whatever comes; the reply to BDAT is
//     that of the others. All refused: BDAT has to fail, and what it says does not
//     matter. Does the server accept it all the same, a reply came too many, it is
//     not known which, and all is in doubt.
//   - 421 to MAIL, RCPT or BDAT: the server leaves and takes nothing. When it says
//     more after a 421 to MAIL or RCPT, it did not leave, and its replies are read on.
//   - 4yz or 5yz to BDAT: as to the final dot. RSET is due (RFC 3030 2).
//   - 500, 502 or 504 to BDAT: the server does not know the command and may take
//     the content for commands. The connection is cut, and the message goes by DATA
//     on another one, as does all later mail to this server (session.Chunking). The
//     same is done after 501 and 503, when recipients were accepted, and after 552
//     5.3.4, which cannot be true of small content: Exchange Online is reported to
//     have said it of BDAT.
//   - No reply, half of one or one that makes no sense: in doubt. Later mail goes by
//     DATA when it was the reply to BDAT.
//   - Something more after the reply to BDAT: the server said a reply too many, it is
//     not known where, and all is in doubt. A 421 counts as well, because it may be the
//     reply to BDAT, and what looked like that the one to the last RCPT. It leaves a
//     refusal as it is, when the server leaves then: it has nothing, whichever of the
//     two was meant. After a reply that says that BDAT was not taken, or that all RCPT
//     were refused, only a 2yz makes doubt: a server that takes the content for commands
//     refuses its first lines.
//   - 2yz with an enhanced status code about an address (X.1.Y, RFC 3463 3.2) to BDAT:
//     that is the reply to MAIL or RCPT, one came too many, and all is in doubt. It is
//     the one way to know while the reply to BDAT is still to come; a server without
//     such codes is believed.
//   - Later mail goes by DATA in both of these cases, where the 354 tells what the
//     replies before it were about.
//
// DATA it is, too, when replies decide whether the content goes out (AllOrNone);
// when RSET is due, because a server that refuses RSET would add the recipients
// before; when the server was silent for 30 s, because a connection that died takes
// a write; and for content in which a line begins with DATA, BDAT or BURL, so that a
// server that takes it for commands submits nothing. The mail object that follows
// is not announced with BDAT: that would save no turn.
package transaction

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/wire"
)

// Pipeline is the transactions on one session, one after another (the client's
// side of RFC 2920). It is not safe for concurrent use.
type Pipeline struct {
	// BeforeContent, when set, is called each time before content goes out: when the
	// server waits for it, or before it goes with MAIL. With an error it does not go
	// out and the connection is cut.
	BeforeContent func(context.Context) error

	session *session.Session
	wire    *wire.Wire
	o       session.Options
	ahead   *transaction // whose MAIL group is written already
	reset   bool         // a transaction was left open: RSET is due
}

// NewPipeline returns the transactions on s, which has authenticated.
func NewPipeline(s *session.Session) *Pipeline {
	return &Pipeline{session: s, wire: s.Wire(), o: s.Options()}
}

// Transact submits m, in as many transactions as its recipients need. next, when
// not nil, is asked just before the last final dot for the mail object that comes
// after m: its MAIL group then goes with the dot, which saves a turn, and it must
// be the next that is submitted (Promised). Transact ends at deadline (zero: none)
// or with ctx; once the final dot is sent, only ctx and the limit of its reply end
// it.
func (p *Pipeline) Transact(ctx context.Context, deadline time.Time, m *mailobject.Mail, next func() *mailobject.Mail) Result {
	bounded, cancel := session.Until(ctx, deadline)
	defer cancel()
	pending := m.Envelope.ForwardPaths
	var all Result
	for len(pending) > 0 {
		t := p.ahead
		if t == nil || t.mail != m {
			t = p.firstOf(m, pending)
		}
		pending = pending[len(t.to):]
		res := p.run(ctx, bounded, t, func() *transaction {
			if len(pending) == 0 && t.full() {
				return nil // m needs another transaction, which is not known yet
			}
			return p.following(m, pending, next)
		})
		again := tooMany(&res)
		pending = slices.Concat(pending, again)
		all.add(res)
		if res.Err == nil {
			continue
		}
		if p.Usable() && res.Err.Stage == smtp.StageRcpt { // which is about these recipients alone
			continue
		}
		if p.ahead != nil && p.ahead.mail == m { // whose turn will not come
			p.session.Break()
		}
		break
	}
	for _, path := range pending {
		if !all.has(path) {
			all.Recipients = append(all.Recipients, smtp.Recipient{ForwardPath: path, Outcome: smtp.NotAttempted})
		}
	}
	return all
}

// firstOf is the transaction for the first of the pending recipients.
func (p *Pipeline) firstOf(m *mailobject.Mail, pending []string) *transaction {
	return newTransaction(m, pending[:min(len(pending), cmp.Or(p.o.Recipients, exchange.RecipientsPerMessage))])
}

// transaction is MAIL, RCPT and DATA for some recipients of one mail object
// (RFC 5321 3.3), and their outcomes so far.
type transaction struct {
	mail  *mailobject.Mail
	to    []string
	reset bool // RSET goes before it
	res   Result
}

func newTransaction(m *mailobject.Mail, to []string) *transaction {
	t := &transaction{mail: m, to: to}
	t.forget()
	return t
}

// forget makes every recipient not attempted.
func (t *transaction) forget() {
	t.res.Recipients = nil
	for _, path := range t.to {
		t.res.Recipients = append(t.res.Recipients, smtp.Recipient{ForwardPath: path, Outcome: smtp.NotAttempted})
	}
}

// following is the transaction after the current one: more recipients of m, or
// the next mail object.
func (p *Pipeline) following(m *mailobject.Mail, pending []string, next func() *mailobject.Mail) *transaction {
	if len(pending) > 0 {
		return p.firstOf(m, pending)
	}
	if next == nil {
		return nil
	}
	if n := next(); n != nil {
		return p.firstOf(n, n.Envelope.ForwardPaths)
	}
	return nil
}

// Usable reports whether another mail object may be submitted.
func (p *Pipeline) Usable() bool { return p.session.Usable() }

// Promised returns the mail object whose MAIL group is written already, nil when
// there is none. No other can be submitted before it.
func (p *Pipeline) Promised() *mailobject.Mail {
	if p.ahead == nil {
		return nil
	}
	return p.ahead.mail
}

// Close ends the session, with QUIT unless a MAIL group is under way.
func (p *Pipeline) Close() {
	if p.ahead != nil {
		p.session.Cut()
	}
	p.session.Close()
}

// grouped reports whether commands go in one write.
func (p *Pipeline) grouped() bool {
	_, pipelining := p.session.Extensions().Offers("PIPELINING")
	return pipelining && !p.o.NoPipelining
}

// run takes the transaction from where it is to its end. next may name the
// transaction that follows, whose MAIL group then goes with the final dot. Up to
// that dot bounded limits the run, then ctx.
func (p *Pipeline) run(ctx, bounded context.Context, t *transaction, next func() *transaction) Result {
	stop := context.AfterFunc(bounded, p.session.Cut)
	defer context.AfterFunc(ctx, p.session.Cut)()
	way := p.byData
	if p.chunks(t) {
		way = p.byChunk
	}
	sent, err := way(bounded, stop, t, next)
	stop()
	t.end(sent)
	if err != nil {
		cause := bounded
		if sent || ctx.Err() != nil { // bounded ends a moment after ctx, which cuts too
			cause = ctx
		}
		var e *session.Error
		errors.As(p.session.WithCause(cause, err), &e)
		e.InDoubt = sent && t.doubtful()
		t.res.Err = e
	}
	return t.res
}

// byData is the transaction with DATA. sent reports whether the server may have
// the final dot.
func (p *Pipeline) byData(bounded context.Context, stop func() bool, t *transaction, next func() *transaction) (sent bool, err error) {
	if err := newEnvelope(p, t).converse(); err != nil {
		return false, err
	}
	if err := p.mayBegin(bounded); err != nil {
		return false, err
	}
	c := newContent(p, t)
	sent, err = c.send(bounded, stop, next)
	if err == nil && sent {
		err = c.finalReply()
	}
	return sent, err
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
	if err := p.writeWhole(bounded, t, c); err != nil {
		t.timed(smtp.StageMail, start)
		return false, c.writeFailed(err)
	}
	err = c.replies(time.Since(start))
	return c.taken(err), err
}

// writeWhole sends MAIL, RCPT, BDAT and the content. An error means that the last
// octet has not left, so that the server cannot have the chunk: it is counted, and a
// TLS record that is not whole cannot be read.
func (p *Pipeline) writeWhole(bounded context.Context, t *transaction, c *chunk) error {
	limit := p.o.Timeouts.Block
	if deadline, ok := bounded.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	if err := p.wire.Limit(limit); err != nil {
		return err
	}
	if err := p.putEnvelope(t); err != nil {
		return err
	}
	if err := c.put(); err != nil {
		return err
	}
	return p.wire.Flush()
}

// mayBegin asks the caller whether the content may go out. When it may not, the
// connection is cut: after 354 there is no other way back.
func (p *Pipeline) mayBegin(ctx context.Context) error {
	if p.BeforeContent == nil {
		return nil
	}
	if err := p.BeforeContent(ctx); err != nil {
		p.session.Cut()
		return p.session.Fail(smtp.StageData, err)
	}
	return nil
}
