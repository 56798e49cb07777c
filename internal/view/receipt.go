package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Receipt is a receipt as it is shown, the same for people and for --json.
type Receipt struct {
	stdio.Schema
	Summary     string             `json:"summary"`
	ExitCode    int                `json:"exit_code"`
	MessageID   string             `json:"message_id"`
	Mailbox     string             `json:"mailbox"`
	ReversePath string             `json:"reverse_path"`
	Server      string             `json:"server"`
	Size        int64              `json:"size"`
	Recipients  []Recipient        `json:"recipients"`
	Reply       string             `json:"reply,omitempty"`
	QueueID     string             `json:"queue_id,omitempty"`
	Hostname    string             `json:"hostname,omitempty"`
	Attempts    []Attempt          `json:"attempts"`
	Started     time.Time          `json:"started"`
	Took        float64            `json:"took_ms"`
	Notes       []string           `json:"notes,omitempty"`
	Finding     *diagnosis.Finding `json:"finding,omitempty"`
	Queued      int                `json:"queued_recipients,omitempty"` // in our outbox
	OutboxID    string             `json:"outbox_id,omitempty"`

	Said   string        `json:"-"` // what the server or the endpoint said, for people
	Ending ending.Ending `json:"-"`
}

// Recipient is one forward-path of a receipt.
type Recipient struct {
	ForwardPath string             `json:"forward_path"`
	Outcome     smtp.Outcome       `json:"outcome"`
	Stage       smtp.Stage         `json:"stage,omitempty"`
	Reply       string             `json:"reply,omitempty"`
	Finding     *diagnosis.Finding `json:"finding,omitempty"`
}

// Attempt is one session's, or one transaction's, try.
type Attempt struct {
	Started time.Time `json:"started"`
	Took    float64   `json:"took_ms"`
	Waited  float64   `json:"waited_ms,omitempty"`
	Steps   []Step    `json:"steps"`
	Error   string    `json:"error,omitempty"`
}

// Step is a stage and its time. The content has two: until the final dot,
// and "reply", the wait for the reply to it.
type Step struct {
	Stage string  `json:"stage"`
	Took  float64 `json:"took_ms"`
}

// NewReceipt is the view of a receipt: facts fill the commands of the findings, and
// claims, which may be nil, tell what the token says.
func NewReceipt(r *submission.Receipt, f diagnosis.Facts, claims *diagnosis.Claims) Receipt {
	v := Receipt{
		MessageID: r.MessageID, Mailbox: r.Mailbox, ReversePath: r.ReversePath, Server: r.Server, Size: r.Size,
		Reply: r.Reply.String(), QueueID: r.QueueID, Hostname: r.Hostname,
		Started: r.Started, Took: Milliseconds(r.Took), Notes: r.Notes,
	}
	for _, a := range r.Attempts {
		v.Attempts = append(v.Attempts, newAttempt(a))
	}
	explained := r.Explain(f, claims)
	for i, rcpt := range r.Recipients {
		v.Recipients = append(v.Recipients, Recipient{
			ForwardPath: rcpt.ForwardPath, Outcome: rcpt.Outcome, Stage: rcpt.Stage, Reply: rcpt.Reply.String(), Finding: explained.Recipients[i],
		})
	}
	if explained.Failure != nil {
		v.Finding, v.Said = &explained.Finding, Said(explained.Failure)
	}
	if ending.NotAll(r) {
		v.Notes = append(slices.Clone(v.Notes), "nothing was submitted: a recipient was refused, and --all-or-none is set")
	}
	v.Ending = ending.OfReceipt(r, explained.Finding)
	v.ExitCode = v.Ending.Code()
	v.Summary = summary(r)
	return v
}

func newAttempt(a submission.Attempt) Attempt {
	v := Attempt{Started: a.Started, Took: Milliseconds(a.Took), Waited: Milliseconds(a.Waited)}
	for i, step := range a.Steps {
		name := string(step.Stage)
		if step.Stage == smtp.StageContent && i > 0 && a.Steps[i-1].Stage == step.Stage {
			name = "reply"
		}
		v.Steps = append(v.Steps, Step{name, Milliseconds(step.Took)})
	}
	if a.Err != nil {
		v.Error = a.Err.Error()
	}
	return v
}

// Said is what follows "said:": the server's reply, else the cause.
func Said(e *session.Error) string {
	text := e.Reply.String()
	if e.Reply.IsZero() && e.Err != nil {
		text = e.Err.Error()
	}
	if e.Result != nil {
		text += fmt.Sprintf(" (%v)", e.Result)
	}
	return text
}

// summary is the receipt in one line: how many recipients had which outcome.
func summary(r *submission.Receipt) string {
	var parts []string
	for _, o := range smtp.Outcomes {
		if n := r.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o.Word()))
		}
	}
	return strings.Join(parts, ", ")
}

// Print writes the receipt to standard output, and why it is not all
// accepted to standard error.
func (v Receipt) Print(p *stdio.Printer) {
	for _, rcpt := range v.Recipients {
		p.Printf("%-14s%s%s\n", rcpt.Outcome.Word(), rcpt.ForwardPath, AtMost(printable.Line(Tail(rcpt.Reply)), 160))
	}
	p.Printf("message-id:   %s\nmailbox:      %s\nserver:       %s%s\n", v.MessageID, v.Mailbox, v.Server, printable.Line(Tail(v.Hostname)))
	if v.QueueID != "" && v.QueueID != v.MessageID {
		p.Printf("queue id:     %s\n", printable.Line(v.QueueID))
	}
	p.Printf("size:         %d octets\ntime:         %s\n", v.Size, v.times())
	for _, note := range v.Notes {
		p.Line("note", "%s", note)
	}
	if v.OutboxID != "" {
		v.PrintQueued(p)
		return
	}
	if v.ExitCode == exit.Interrupted {
		p.Errorf("interrupted")
		return
	}
	if v.Finding != nil {
		Failure(p, *v.Finding, AtMost(v.Said, 400))
	}
}

// PrintQueued says that nothing is lost, and why it was not submitted at once.
func (v Receipt) PrintQueued(p *stdio.Printer) {
	if v.Finding != nil {
		p.Warningf("not submitted at once: %s", v.Finding.Title)
	}
	p.Line("note", "queued as %s for %d %s; smtpsend queue run submits it", v.OutboxID, v.Queued, Plural(v.Queued, "recipient", "recipients"))
}

// times lists the stages of the last attempt.
func (v Receipt) times() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f ms", v.Took)
	if len(v.Attempts) > 1 {
		fmt.Fprintf(&b, " in %d attempts", len(v.Attempts))
	}
	if len(v.Attempts) == 0 {
		return b.String()
	}
	var steps []string
	for _, s := range v.Attempts[len(v.Attempts)-1].Steps {
		steps = append(steps, fmt.Sprintf("%s %.0f", s.Stage, s.Took))
	}
	fmt.Fprintf(&b, " (%s)", strings.Join(steps, ", "))
	return b.String()
}
