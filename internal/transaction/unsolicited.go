package transaction

import (
	"errors"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// errUnsolicited is the cause when the server said something that nothing was
// asked for: whose reply the next one is cannot be known then.
var errUnsolicited = errors.New("server replied to what was not sent yet")

// errOutOfStep is the cause when a reply contradicts one before it.
var errOutOfStep = errors.New("server accepted something after it refused everything")

// errOfAddress is the cause when the reply to the content is that to MAIL or RCPT.
var errOfAddress = errors.New("server answered the content with the reply to an address")

// pendingTime is how long a reply that has begun to arrive, or is about to, may
// take.
const pendingTime = 2 * time.Second

// silence ends a session in which the server speaks, or leaves, between two
// transactions: usually a 421 because it was idle too long.
func (p *Pipeline) silence() error {
	if !p.wire.Spoken() {
		return nil
	}
	defer p.session.Cut()
	if err := p.wire.Conn().SetReadDeadline(time.Now().Add(pendingTime)); err != nil {
		return p.session.Fail(smtp.StageMail, err)
	}
	r, err := p.wire.Read()
	if err != nil {
		return p.session.Fail(smtp.StageMail, err)
	}
	return p.session.Fail(smtp.StageMail, &session.Error{Reply: r, Err: errUnsolicited})
}

// ask sends one command within a transaction and reads its reply. A reply that is
// there before the command does not belong to it, but for 421, which may come at
// any time (RFC 5321 3.8).
func (p *Pipeline) ask(command string) (smtp.Reply, error) {
	if !p.wire.Audible() {
		return p.wire.Command(p.o.Timeouts.Command, command)
	}
	if err := p.wire.Limit(pendingTime); err != nil {
		return smtp.Reply{}, err
	}
	r, err := p.wire.Read()
	if err == nil && r.Code != 421 {
		err = errUnsolicited
	}
	return r, err
}

// readPending reads a reply that the server may have sent before it closed the
// connection while we wrote, such as a 421 or 552: it says more than "broken
// pipe". What is to be read has arrived, or is about to.
func (p *Pipeline) readPending() *session.Error {
	if err := p.wire.Conn().SetReadDeadline(time.Now().Add(pendingTime)); err != nil {
		return nil
	}
	r, err := p.wire.Read()
	if err != nil || !r.Negative() {
		return nil
	}
	return session.Unexpected(r)
}

// trace shows a line of the dialogue that is not a command.
func (p *Pipeline) trace(line string) {
	if p.o.Trace != nil {
		p.o.Trace(line)
	}
}

// NeverBegan reports that the session had come to its end before the mail object:
// the server closed it while it was idle, says 421 to MAIL, could not reset it, or
// said what it was not asked. It has nothing of the message then, and another
// session may take it at once. It did begin when one of several transactions
// brought a recipient an outcome.
func (r *Result) NeverBegan() bool {
	e := r.Err
	if e == nil || e.Stage != smtp.StageMail || e.InDoubt {
		return false
	}
	begun := slices.ContainsFunc(r.Recipients, func(rcpt smtp.Recipient) bool {
		return rcpt.Outcome != smtp.NotAttempted && rcpt.Stage != smtp.StageMail
	})
	silent := e.Reply.IsZero() && e.Fault == smtp.FaultConnectionClosed
	ended := silent || e.Reply.Code == 421 || errors.Is(e.Err, errNotReset) || errors.Is(e.Err, errUnsolicited)
	return ended && !begun
}
