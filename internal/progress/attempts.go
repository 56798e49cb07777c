// Package progress tells people what happens while a verb runs: attempts as they end,
// mailboxes that pause or are held, the rows of a batch, the checks of doctor. What a
// verb came to in the end is in internal/view. Text goes out by an
// internal/stdio.Printer.
package progress

import (
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/tally"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Attempts shows the attempts of a courier one after another, and why mailboxes
// pause or are held. It is for tally.Options, which calls it once at a time.
type Attempts struct {
	Printer *stdio.Printer
	Lines   bool // a line for each attempt
	Waits   bool // the run waits for pauses to end
	Batch   bool // the run is one of a batch, which shows pauses beside its rows
}

// Print shows an attempt.
func (v Attempts) Print(a tally.Attempt) {
	name, s, now := a.Claim.Mailbox, a.Settled, time.Now()
	switch {
	case a.NewlyHeld:
		if v.explain(a) {
			v.Printer.Line("note", "mailbox %s is held, and no message is lost; %s", name, view.GoesOn(name, s.Until, s.Probe, now))
		}
	case s.Pause != "" && !s.Held():
		if a.FirstOfServer {
			v.explain(a)
		}
		batchOfServer := v.Batch && s.Pause == mailbox.PauseServer
		if v.Waits || batchOfServer { // a batch shows the others beside its rows
			v.Printer.Line("note", "mailbox %s is paused; %s", name, view.GoesOn(name, s.Until, s.Probe, now))
		}
	}
	if s.MessageHeld() && v.explain(a) {
		v.Printer.Line("note", "message %s is held. %s", a.Claim.QID, courier.MessageHeld(a.Claim.QID, a.Finding.Code))
	}
	if v.Lines {
		v.Printer.Printf("%s  %-12s%s%s\n", a.Claim.QID, s.Event, name, view.AtMost(printable.Line(view.Tail(lastWords(a.Claim, a.Receipt))), 140))
	}
}

// explain says what the catalogue knows of the failure of an attempt.
func (v Attempts) explain(a tally.Attempt) bool {
	if a.Receipt == nil || a.Receipt.Err() == nil {
		return false
	}
	view.Failure(v.Printer, a.Finding, view.AtMost(view.Said(a.Receipt.Err()), 400))
	return true
}

// Probed tells how a held mailbox was tried.
func (v Attempts) Probed(p courier.Probed) {
	switch {
	case p.Settled.Pause == "":
		v.Printer.Line("note", "mailbox %s was held; its sign-in is accepted again and it continues", p.Mailbox)
	case p.Err != nil:
		v.Printer.Line("note", "a sign-in was tried for mailbox %s, which is still held: %s", p.Mailbox, view.AtMost(view.Said(p.Err), 200))
	}
}

// lastWords is what the server said last, or why it said nothing.
func lastWords(c *outbox.Claim, r *submission.Receipt) string {
	if r == nil {
		return ""
	}
	e := r.Err()
	if e == nil {
		return r.Reply.String()
	}
	var wait *mailbox.WaitError
	if errors.As(e, &wait) {
		return fmt.Sprintf("allowing the content of %s: %s waits: %s", c.QID, wait.Mailbox, view.MailboxReason(wait))
	}
	return view.Said(e)
}

// Stopped says which mailboxes have mail that is not submitted: those of
// tally.Stopped.
func Stopped(p *stdio.Printer, list []operator.Mailbox) {
	now := time.Now()
	for _, m := range list {
		n := m.Counts[outbox.Ready]
		wait := fmt.Sprintf("%s for mailbox %s, which", view.Plural(n, "1 message waits", fmt.Sprint(n)+" messages wait"), m.Name)
		switch {
		case m.Pause == mailbox.PauseOperator:
			p.Line("note", "%s is held: %s", wait, courier.ReleaseCommand(m.Name))
		case m.Stopped():
			p.Line("note", "%s is held (%s); %s", wait, m.Code, view.GoesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		default:
			p.Line("note", "%s is paused: %s; %s", wait, view.AtMost(diagnosis.Short(view.MailboxReason(m.Wait)), 200), view.GoesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		}
	}
}

// Pauses says what a run that waits for pauses will wait for.
func Pauses(p *stdio.Printer, list []operator.Mailbox) {
	now := time.Now()
	for _, m := range list {
		if m.Pause != "" && !m.Held() && m.Counts[outbox.Ready] > 0 {
			p.Line("note", "mailbox %s is paused: %s; %s", m.Name, view.AtMost(diagnosis.Short(view.MailboxReason(m.Wait)), 200), view.GoesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
		}
	}
}

// LastRun says what the process that submitted before has left.
func LastRun(p *stdio.Printer, left outbox.Recovered) {
	if left.Again > 0 {
		p.Warningf("the last run ended before it could send %d %s that it had begun: due again", left.Again, view.Plural(left.Again, "message", "messages"))
	}
	if left.InDoubt > 0 {
		p.Warningf("the last run left %d %s in doubt: sent again with the same Message-ID", left.InDoubt, view.Plural(left.InDoubt, "message", "messages"))
	}
	if left.Held > 0 {
		p.Warningf("the last run left %d %s in doubt: held; see smtpsend queue ls --state held", left.Held, view.Plural(left.Held, "message", "messages"))
	}
}

// UnderWay says that n messages are being submitted, to which an action does not
// apply.
func UnderWay(p *stdio.Printer, a outbox.Action, n int) {
	if n > 0 {
		p.Line("note", "%s being submitted: %s does not apply to them now", view.Plural(n, "1 more is", fmt.Sprint(n)+" more are"), a)
	}
}
