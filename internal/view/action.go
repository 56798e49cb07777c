package view

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/tally"
)

// pastOf says that an action was done.
func pastOf(a outbox.Action) string {
	switch a {
	case outbox.Retry:
		return "due now"
	case outbox.Hold:
		return "held"
	case outbox.Free:
		return "released"
	case outbox.Cancel:
		return "cancelled"
	case outbox.Discard:
		return "removed"
	}
	return string(a)
}

// Acted is what an action did to messages of the outbox.
type Acted struct {
	stdio.Schema
	Action   outbox.Action `json:"action"`
	ExitCode int           `json:"exit_code"`
	Messages int           `json:"messages"`
	NotDone  []string      `json:"not_done"` // why, of those that were named one by one
}

// NewActed is the view of an action that was done to n messages, and not to those that
// are left.
func NewActed(a outbox.Action, n int, left []operator.Left) Acted {
	v := Acted{Action: a, Messages: n, NotDone: []string{}, ExitCode: exit.OK}
	for _, m := range left {
		text := fmt.Sprintf("%s is %s: %s does not apply", m.QID, m.State, a)
		if m.State == "" {
			text = fmt.Sprintf("%s: no such message", m.QID)
		}
		v.NotDone, v.ExitCode = append(v.NotDone, text), exit.NoInput
	}
	return v
}

// Print writes to how many messages the action was done, and why not to others.
func (v Acted) Print(p *stdio.Printer) {
	if v.Messages > 0 || len(v.NotDone) == 0 {
		p.Printf("%d %s %s\n", v.Messages, Plural(v.Messages, "message", "messages"), pastOf(v.Action))
	}
	for _, text := range v.NotDone {
		p.Errorf("%s", text)
	}
}

// Text is why the action was not done to some.
func (v Acted) Text() string { return strings.Join(v.NotDone, "; ") }

// MailboxActed is what an action did to a mailbox, not to its messages.
type MailboxActed struct {
	stdio.Schema
	Action   outbox.Action `json:"action"`
	ExitCode int           `json:"exit_code"`
	Mailbox  string        `json:"mailbox"`
}

// Print writes that it was done.
func (v MailboxActed) Print(p *stdio.Printer) {
	p.Printf("mailbox %s %s\n", v.Mailbox, pastOf(v.Action))
}

// Backup is a copy of the outbox.
type Backup struct {
	stdio.Schema
	ExitCode int    `json:"exit_code"`
	File     string `json:"file"`
}

// Print writes where it is.
func (v Backup) Print(p *stdio.Printer) { p.Printf("copied to %s\n", v.File) }

// QueueRun tells the outcomes of the attempts of a run.
type QueueRun struct {
	stdio.Schema
	Accepted int `json:"accepted"`
	Deferred int `json:"deferred"`
	ExitCode int `json:"exit_code"`
	InDoubt  int `json:"in_doubt"`
	Paused   int `json:"paused_mailboxes"`
	Refused  int `json:"refused"`
	Stopped  int `json:"stopped_mailboxes"`
}

// NewQueueRun is the view of the sum of a run.
func NewQueueRun(sum tally.Sum) QueueRun {
	return QueueRun{
		Accepted: sum.Accepted, Deferred: sum.Deferred, Refused: sum.Refused, InDoubt: sum.InDoubt,
		Stopped: sum.StoppedMailboxes, Paused: sum.PausedMailboxes, ExitCode: sum.Ending.Code(),
	}
}

// Text is the sum in a line.
func (v QueueRun) Text() string {
	return fmt.Sprintf("%d accepted, %d deferred, %d refused, %d in doubt", v.Accepted, v.Deferred, v.Refused, v.InDoubt)
}

// Print writes the sum.
func (v QueueRun) Print(p *stdio.Printer) { p.Printf("%s\n", v.Text()) }
