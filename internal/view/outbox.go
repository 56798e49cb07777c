package view

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Mail is a message of the outbox for --json.
type Mail struct {
	QID         queueid.ID   `json:"queue_id"`
	State       outbox.State `json:"state"`
	Mailbox     string       `json:"mailbox"`
	ReversePath string       `json:"reverse_path"`
	Recipients  int          `json:"recipients"`
	Open        int          `json:"open_recipients"`
	MessageID   string       `json:"message_id"`
	Size        int64        `json:"size"`
	Attempts    int          `json:"attempts"`
	InDoubt     int          `json:"in_doubt"`
	Row         string       `json:"row,omitempty"`
	Source      string       `json:"source"`
	Reason      string       `json:"reason,omitempty"`
	WaitsUntil  *time.Time   `json:"waits_until,omitempty"`
	ProbeAt     *time.Time   `json:"probe_at,omitempty"` // of the mailbox, which is held
	Code        int          `json:"reply_code,omitempty"`
	Kind        string       `json:"kind,omitempty"`
	Text        string       `json:"text,omitempty"`
	ServerID    string       `json:"server_id,omitempty"`
	CreatedAt   time.Time    `json:"created_at"`
	FinishedAt  *time.Time   `json:"finished_at,omitempty"`
}

// Mails is a list of messages of the outbox.
type Mails struct {
	stdio.Schema
	ExitCode int    `json:"exit_code"`
	Messages []Mail `json:"messages"`
	More     bool   `json:"more"` // the list was cut

	list []operator.Mail
}

// NewMails is the view of a list. more: there are others.
func NewMails(list []operator.Mail, more bool) Mails {
	v := Mails{Messages: []Mail{}, More: more, ExitCode: exit.OK, list: list}
	for _, m := range list {
		v.Messages = append(v.Messages, NewMail(m))
	}
	return v
}

// NewMail is the view of a message.
func NewMail(m operator.Mail) Mail {
	return Mail{
		QID: m.QID, State: m.State, Mailbox: m.Mailbox, ReversePath: m.ReversePath, Recipients: m.Recipients, Open: m.Open,
		MessageID: m.MessageID, Size: m.Size, Attempts: m.Attempts, InDoubt: m.InDoubt, Row: m.Row, Source: m.Source,
		Reason: MailReason(m), WaitsUntil: OrNil(m.WaitsUntil), ProbeAt: OrNil(m.ProbeAt), Code: m.Code, Kind: m.Kind, Text: m.Text, ServerID: m.ServerID,
		CreatedAt: m.CreatedAt, FinishedAt: OrNil(m.FinishedAt),
	}
}

// Detail is a message with all that is known about it.
type Detail struct {
	Mail
	RecipientStates []RecipientState `json:"recipient_states"`
	Events          []Event          `json:"events"`
}

// RecipientState is what happened to a message for one recipient.
type RecipientState struct {
	ForwardPath string                `json:"forward_path"`
	State       outbox.RecipientState `json:"state"`
	Code        int                   `json:"reply_code,omitempty"`
	Text        string                `json:"text,omitempty"`
}

// Event is something that happened to a message.
type Event struct {
	At        time.Time        `json:"at"`
	Kind      outbox.EventKind `json:"kind"`
	Attempt   int              `json:"attempt,omitempty"`
	Recipient string           `json:"recipient,omitempty"`
	Code      int              `json:"reply_code,omitempty"`
	Enhanced  string           `json:"enhanced,omitempty"`
	Text      string           `json:"text,omitempty"`
	Took      float64          `json:"took_ms,omitempty"`
}

// Details are messages with all that is known about them.
type Details struct {
	stdio.Schema
	ExitCode int      `json:"exit_code"`
	Messages []Detail `json:"messages"`
	More     bool     `json:"more"` // the list was cut

	list []operator.Detail
}

// NewDetails is the view of messages and their histories. more: there are others.
func NewDetails(list []operator.Detail, more bool) Details {
	v := Details{Messages: []Detail{}, More: more, ExitCode: exit.OK, list: list}
	for _, d := range list {
		v.Messages = append(v.Messages, NewDetail(d))
	}
	return v
}

// NewDetail is the view of a message and its history.
func NewDetail(d operator.Detail) Detail {
	v := Detail{Mail: NewMail(d.Mail)}
	for _, r := range d.RecipientStates {
		v.RecipientStates = append(v.RecipientStates, RecipientState{r.ForwardPath, r.State, r.Code, r.Text})
	}
	for _, e := range d.Events {
		v.Events = append(v.Events, Event{e.At, e.Kind, e.Attempt, e.Recipient, e.Code, e.Enhanced, e.Text, Milliseconds(e.Took)})
	}
	return v
}

// Mailbox is a mailbox of the outbox for --json.
type Mailbox struct {
	Name          string               `json:"mailbox"`
	Counts        map[outbox.State]int `json:"messages"`
	PerMinute     int                  `json:"messages_per_minute"`
	PerDay        int                  `json:"recipients_per_day"`
	LastMinute    int                  `json:"messages_last_minute"`
	LastDay       int                  `json:"recipients_last_24h"`
	Pause         mailbox.Pause        `json:"pause,omitempty"`
	Held          bool                 `json:"held"`
	Since         *time.Time           `json:"since,omitempty"`
	ProbeAt       *time.Time           `json:"probe_at,omitempty"`
	Code          string               `json:"kind,omitempty"`
	Reason        string               `json:"reason,omitempty"`
	WaitsUntil    *time.Time           `json:"waits_until,omitempty"`
	OldestDueFrom *time.Time           `json:"oldest_due,omitempty"`
	HeldSenders   []HeldSender         `json:"held_senders,omitempty"`
}

// HeldSender is a sender of whom a refusal holds messages.
type HeldSender struct {
	Sender   string `json:"sender"`
	Messages int    `json:"messages"`
	Code     string `json:"kind,omitempty"`
	Text     string `json:"text,omitempty"`
	Release  string `json:"release"`
}

// Mailboxes are mailboxes of the outbox.
type Mailboxes struct {
	stdio.Schema
	ExitCode  int       `json:"exit_code"`
	Mailboxes []Mailbox `json:"mailboxes"`

	list []operator.Mailbox
}

// NewMailboxes is the view of mailboxes.
func NewMailboxes(list []operator.Mailbox) Mailboxes {
	v := Mailboxes{Mailboxes: []Mailbox{}, ExitCode: exit.OK, list: list}
	for _, m := range list {
		v.Mailboxes = append(v.Mailboxes, NewMailbox(m))
	}
	return v
}

// orNone is a limit, 0 for none.
func orNone(limit int) int {
	if limit == exchange.Uncounted {
		return 0
	}
	return limit
}

// NewMailbox is the view of a mailbox.
func NewMailbox(m operator.Mailbox) Mailbox {
	v := Mailbox{
		Name: m.Name, Counts: m.Counts, PerMinute: orNone(m.Limits.PerMinute), PerDay: orNone(m.Limits.RecipientsPerDay),
		LastMinute: m.Messages, LastDay: m.Recipients, Pause: m.Pause, Code: m.Code, Reason: MailboxReason(m.Wait),
		Held: m.Held(), Since: OrNil(m.Since), ProbeAt: OrNil(m.ProbeAt), WaitsUntil: OrNil(m.WaitsUntil), OldestDueFrom: OrNil(m.OldestDue),
	}
	for _, s := range m.Senders {
		v.HeldSenders = append(v.HeldSenders, HeldSender{s.Address, s.Messages, s.Code, s.Text, courier.ReleaseMessageCommand(s.First)})
	}
	return v
}
