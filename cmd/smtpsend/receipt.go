package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// receiptView is a receipt as it is shown, the same for people and for --json.
type receiptView struct {
	Summary     string             `json:"summary"`
	ExitCode    int                `json:"exit_code"`
	MessageID   string             `json:"message_id"`
	Mailbox     string             `json:"mailbox"`
	ReversePath string             `json:"reverse_path"`
	Server      string             `json:"server"`
	Size        int64              `json:"size"`
	Recipients  []recipientView    `json:"recipients"`
	Reply       string             `json:"reply,omitempty"`
	QueueID     string             `json:"queue_id,omitempty"`
	Hostname    string             `json:"hostname,omitempty"`
	Attempts    []attemptView      `json:"attempts"`
	Started     time.Time          `json:"started"`
	Took        float64            `json:"took_ms"`
	Notes       []string           `json:"notes,omitempty"`
	Finding     *diagnosis.Finding `json:"finding,omitempty"`
	Queued      int                `json:"queued_recipients,omitempty"` // in our outbox
	OutboxID    string             `json:"outbox_id,omitempty"`

	said   string // what the server or the endpoint said, for people
	ending exit.Ending
}

type recipientView struct {
	ForwardPath string             `json:"forward_path"`
	Outcome     smtp.Outcome       `json:"outcome"`
	Stage       smtp.Stage         `json:"stage,omitempty"`
	Reply       string             `json:"reply,omitempty"`
	Finding     *diagnosis.Finding `json:"finding,omitempty"`
}

type attemptView struct {
	Started time.Time  `json:"started"`
	Took    float64    `json:"took_ms"`
	Waited  float64    `json:"waited_ms,omitempty"`
	Steps   []stepView `json:"steps"`
	Error   string     `json:"error,omitempty"`
}

// stepView is a stage and its time. The content has two: until the final dot,
// and "reply", the wait for the reply to it.
type stepView struct {
	Stage string  `json:"stage"`
	Took  float64 `json:"took_ms"`
}

func newReceiptView(r *submission.Receipt, f diagnosis.Facts, claims *diagnosis.Claims) receiptView {
	v := receiptView{
		MessageID: r.MessageID, Mailbox: r.Mailbox, ReversePath: r.ReversePath, Server: r.Server, Size: r.Size,
		Reply: r.Reply.String(), QueueID: r.QueueID, Hostname: r.Hostname,
		Started: r.Started, Took: milliseconds(r.Took), Notes: r.Notes,
	}
	for _, a := range r.Attempts {
		v.Attempts = append(v.Attempts, newAttemptView(a))
	}
	for _, rcpt := range r.Recipients {
		v.Recipients = append(v.Recipients, newRecipientView(rcpt, f, claims))
	}
	f.MessageID = r.MessageID
	var found diagnosis.Finding
	if e, to := r.Failure(); e != nil {
		f.Recipient = to
		symptom := e.Symptom()
		symptom.Claims = claims
		found = diagnosis.Find(symptom, f)
		v.Finding, v.said = &found, said(e)
	}
	if exit.NotAll(r) {
		v.Notes = append(slices.Clone(v.Notes), "nothing was submitted: a recipient was refused, and --all-or-none is set")
	}
	v.ending = exit.EndingOf(r, found)
	v.ExitCode = v.ending.Code()
	v.Summary = summary(r)
	return v
}

func newAttemptView(a submission.Attempt) attemptView {
	v := attemptView{Started: a.Started, Took: milliseconds(a.Took), Waited: milliseconds(a.Waited)}
	for i, step := range a.Steps {
		name := string(step.Stage)
		if step.Stage == smtp.StageContent && i > 0 && a.Steps[i-1].Stage == step.Stage {
			name = "reply"
		}
		v.Steps = append(v.Steps, stepView{name, milliseconds(step.Took)})
	}
	if a.Err != nil {
		v.Error = a.Err.Error()
	}
	return v
}

func newRecipientView(r smtp.Recipient, f diagnosis.Facts, claims *diagnosis.Claims) recipientView {
	v := recipientView{ForwardPath: r.ForwardPath, Outcome: r.Outcome, Stage: r.Stage, Reply: r.Reply.String()}
	if r.Outcome != smtp.Accepted && (!r.Reply.IsZero() || r.Fault != "") {
		f.Recipient = r.ForwardPath
		symptom := session.SymptomOf(r)
		symptom.Claims = claims
		finding := diagnosis.Find(symptom, f)
		v.Finding = &finding
	}
	return v
}

// said is what follows "said:": the server's reply, else the cause.
func said(e *session.Error) string {
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

// printReceipt writes the receipt to standard output, and why it is not all
// accepted to standard error.
func (g *globals) printReceipt(v receiptView) {
	for _, rcpt := range v.Recipients {
		g.Printf("%-14s%s%s\n", rcpt.Outcome.Word(), rcpt.ForwardPath, atMost(printable.Line(tail(rcpt.Reply)), 160))
	}
	g.Printf("message-id:   %s\nmailbox:      %s\nserver:       %s%s\n", v.MessageID, v.Mailbox, v.Server, printable.Line(tail(v.Hostname)))
	if v.QueueID != "" && v.QueueID != v.MessageID {
		g.Printf("queue id:     %s\n", printable.Line(v.QueueID))
	}
	g.Printf("size:         %d octets\ntime:         %s\n", v.Size, v.times())
	for _, note := range v.Notes {
		g.Line("note", "%s", note)
	}
	if v.OutboxID != "" {
		g.printQueued(v)
		return
	}
	if v.ExitCode == exit.Interrupted {
		g.Errorf("interrupted")
		return
	}
	if v.Finding != nil {
		g.finding(*v.Finding, atMost(v.said, 400))
	}
}

// printQueued says that nothing is lost, and why it was not submitted at once.
func (g *globals) printQueued(v receiptView) {
	if v.Finding != nil {
		g.Warningf("not submitted at once: %s", v.Finding.Title)
	}
	g.Line("note", "queued as %s for %d %s; smtpsend queue run submits it", v.OutboxID, v.Queued, plural(v.Queued, "recipient", "recipients"))
}

// times lists the stages of the last attempt.
func (v receiptView) times() string {
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

func tail(s string) string {
	if s == "" {
		return ""
	}
	return "  " + s
}

// atMost cuts long text for people; --json has it whole.
func atMost(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n]) + " ..."
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
