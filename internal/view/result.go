package view

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Result is what a verb came to: an object for --json, and a text for people.
type Result interface {
	stdio.Object
	// Print writes the text.
	Print(*stdio.Printer)
}

// Failed is the error that ended a verb, for --json.
type Failed struct {
	stdio.Schema
	Error    string             `json:"error"`
	ExitCode int                `json:"exit_code"`
	Finding  *diagnosis.Finding `json:"finding,omitempty"` // of token: why there is none
}

// NotSubmitted is what would have been submitted.
type NotSubmitted struct {
	stdio.Schema
	ExitCode   int      `json:"exit_code"`
	Mailbox    string   `json:"mailbox"`
	MessageID  string   `json:"message_id"`
	Reason     string   `json:"reason"` // that it was not: a flag or a setting
	Recipients []string `json:"recipients"`
	Size       int64    `json:"size"`
	Submitted  bool     `json:"submitted"`
}

// NewNotSubmitted is the view of a message that was not submitted for that reason.
func NewNotSubmitted(m *mailobject.Mail, reason string) NotSubmitted {
	return NotSubmitted{
		Reason: reason, MessageID: m.MessageID, Mailbox: m.Envelope.ReversePath, Recipients: m.Envelope.ForwardPaths,
		Size: m.Content.Size(), ExitCode: exit.OK,
	}
}

// Print writes why, and the message.
func (v NotSubmitted) Print(p *stdio.Printer) {
	p.Printf("not submitted: %s\n", v.Reason)
	for _, path := range v.Recipients {
		p.Printf("recipient:  %s\n", path)
	}
	p.Printf("mailbox:    %s\nmessage-id: %s\nsize:       %d octets\n", v.Mailbox, v.MessageID, v.Size)
}

// Queued is a message that the outbox took.
type Queued struct {
	stdio.Schema
	ExitCode   int        `json:"exit_code"`
	Known      bool       `json:"known"`
	Mailbox    string     `json:"mailbox"`
	MessageID  string     `json:"message_id"`
	QueueID    queueid.ID `json:"queue_id"`
	Queued     bool       `json:"queued"`
	ReadyAt    *time.Time `json:"ready_at"` // null: now
	Recipients []string   `json:"recipients"`
	Size       int64      `json:"size"`
}

// NewQueued is the view of a message that was taken, to be submitted from a time on,
// now when it is zero.
func NewQueued(qid queueid.ID, m *mailobject.Mail, readyAt time.Time) Queued {
	return Queued{
		Queued: true, QueueID: qid, ReadyAt: OrNil(readyAt), MessageID: m.MessageID, Mailbox: m.Envelope.ReversePath,
		Recipients: m.Envelope.ForwardPaths, Size: m.Content.Size(), ExitCode: exit.OK,
	}
}

// Print writes the queue id, and what submits the message.
func (v Queued) Print(p *stdio.Printer) {
	if v.ReadyAt != nil && v.ReadyAt.After(time.Now()) {
		p.Printf("queued as %s; smtpsend queue run submits it from %s on\n", v.QueueID, v.ReadyAt.Local().Format("2006-01-02 15:04:05 -0700"))
		return
	}
	p.Printf("queued as %s; smtpsend queue run submits it\n", v.QueueID)
}

// QueuedBefore is a message whose key the outbox knows. What else was said of it may
// be otherwise there.
type QueuedBefore struct {
	stdio.Schema
	ExitCode int        `json:"exit_code"`
	Known    bool       `json:"known"`
	QueueID  queueid.ID `json:"queue_id"`
	Queued   bool       `json:"queued"`
}

// NewQueuedBefore is the view of the message that has the key.
func NewQueuedBefore(qid queueid.ID) QueuedBefore {
	return QueuedBefore{Known: true, QueueID: qid, ExitCode: exit.OK}
}

// Print writes which message it is.
func (v QueuedBefore) Print(p *stdio.Printer) {
	p.Printf("not queued again: the key is known, and its message is %s\n", v.QueueID)
}
