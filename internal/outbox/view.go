package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// State is where a message stands.
type State string

// The states. "Deferred", "scheduled" and "throttled" are none: Mail.Reason says
// why a ready message waits.
const (
	Receiving State = "receiving" // a large content is still coming in; not taken yet
	Ready     State = "ready"     // to be submitted
	Sending   State = "sending"   // claimed
	Held      State = "held"      // until somebody releases it
	Sent      State = "sent"      // every recipient was accepted
	Dead      State = "dead"      // a recipient was refused, or time was up; the content is kept
	Cancelled State = "cancelled"
)

func (s State) finished() bool { return s == Sent || s == Dead || s == Cancelled }

// Mail is a message as lists show it.
type Mail struct {
	QID         QID
	Mailbox     string
	State       State
	Priority    Priority
	ReadyAt     time.Time
	ExpiresAt   time.Time // zero: never
	Attempts    int
	InDoubt     int // attempts whose outcome is in doubt
	Key         string
	Batch       int64
	Row         string
	MessageID   string
	ReversePath string
	Recipients  int
	Open        int // recipients that wait
	Size        int64
	Source      string
	Client      string
	Notice      bool
	Code        int // of the last reply
	Enhanced    string
	Kind        string // the catalogue's code for it
	Text        string // the last words, cut
	ServerID    string
	CreatedAt   time.Time
	FinishedAt  time.Time // zero: not yet

	// Reason says in words why the message waits, and WaitsUntil until when; zero
	// when that is not known or the message waits for somebody.
	Reason     string
	WaitsUntil time.Time
	ProbeAt    time.Time // when its mailbox, which is held, is tried by a sign-in
}

const mailColumns = `m.id, m.mailbox, m.state, m.prio, m.ready_at, m.expires_at, m.attempts, m.doubts, coalesce(m.dedupe_key, ''), coalesce(m.batch_id, 0),
	m.row_key, m.message_id, m.reverse_path, m.rcpt_count, m.rcpt_open, m.size, m.source, m.client, m.notice, m.last_code, m.last_enhanced,
	m.last_kind, m.last_text, m.server_id, m.created_at, coalesce(m.finished_at, 0)`

func (ob *Outbox) scanMail(rows *sql.Rows, boxes map[string]*mailbox, now int64) (m Mail, id int64, err error) {
	var prio, notice int
	var ready, expires, created, finished int64
	err = rows.Scan(&id, &m.Mailbox, &m.State, &prio, &ready, &expires, &m.Attempts, &m.InDoubt, &m.Key, &m.Batch,
		&m.Row, &m.MessageID, &m.ReversePath, &m.Recipients, &m.Open, &m.Size, &m.Source, &m.Client, &notice, &m.Code, &m.Enhanced,
		&m.Kind, &m.Text, &m.ServerID, &created, &finished)
	m.QID, m.Priority, m.Notice = ob.qid(id), Priority(prio-1), notice == 1
	m.ReadyAt, m.ExpiresAt, m.CreatedAt, m.FinishedAt = store.Moment(ready), store.Moment(expires), store.Moment(created), store.Moment(finished)
	m.explain(boxes[m.Mailbox], now)
	return m, id, err
}

// explain says why a message waits.
func (m *Mail) explain(box *mailbox, now int64) {
	var wait *WaitError
	if box != nil {
		wait = box.waits(now)
	}
	switch {
	case m.State == Receiving:
		m.Reason = "its content is still coming in"
	case m.State == Sending:
		m.Reason = "is being submitted"
	case m.State == Held && m.InDoubt > 0:
		m.Reason = "held: in doubt, the server may have it"
	case m.State == Held:
		m.Reason = "held by the operator"
	case m.State != Ready:
	case wait != nil && (wait.Until.IsZero() || !wait.Until.Before(m.ReadyAt)):
		m.Reason, m.WaitsUntil, m.ProbeAt = "the mailbox waits: "+wait.Reason, wait.Until, wait.Probe
	case store.Millis(m.ReadyAt) <= now:
		m.Reason = "is due"
	case m.Text != "" || m.Attempts > 0:
		m.Reason, m.WaitsUntil = "deferred: "+m.Text, m.ReadyAt
	default:
		m.Reason, m.WaitsUntil = "scheduled", m.ReadyAt
	}
}

// Detail is a message with all that is known about it.
type Detail struct {
	Mail
	RecipientStates []RecipientDetail
	Events          []Event
}

// Count returns how many messages f names. ErrNoFilter is returned for a filter
// without bounds, unless it says All.
func (ob *Outbox) Count(ctx context.Context, f Filter) (n int, err error) {
	if !f.bounded() {
		return 0, ErrNoFilter
	}
	where, args, err := ob.where(f)
	if err == nil {
		err = store.Each(ob.db.View(ctx), func(rows *sql.Rows) error { return rows.Scan(&n) }, "SELECT count(*) FROM mail m WHERE "+where, args...)
	}
	if err != nil {
		return 0, fmt.Errorf("counting messages: %w", err)
	}
	return n, nil
}

// List returns the messages that f names, without their history, the newest
// first.
func (ob *Outbox) List(ctx context.Context, f Filter) ([]Mail, error) {
	list, _, err := ob.list(ob.db.View(ctx), f)
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	return list, nil
}

func (ob *Outbox) list(r store.Reader, f Filter) (list []Mail, ids []int64, err error) {
	where, args, err := ob.where(f)
	if err != nil {
		return nil, nil, err
	}
	boxes, err := mailboxes(r)
	if err != nil {
		return nil, nil, err
	}
	now := ob.db.Now()
	err = store.Each(r, func(rows *sql.Rows) error {
		m, id, err := ob.scanMail(rows, boxes, now)
		list, ids = append(list, m), append(ids, id)
		return err
	}, "SELECT "+mailColumns+" FROM mail m WHERE "+where+f.order(), args...)
	return list, ids, err
}

// History is List with recipients and events.
func (ob *Outbox) History(ctx context.Context, f Filter) ([]Detail, error) {
	v := ob.db.View(ctx)
	list, ids, err := ob.list(v, f)
	details := make([]Detail, len(list))
	for i, m := range list {
		if err == nil {
			details[i].Mail = m
			details[i].Events, err = events(v, ids[i])
		}
		if err == nil {
			details[i].RecipientStates, err = recipientStates(v, ids[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	return details, nil
}

// Show returns one message with its history. The error wraps store.ErrNotFound.
func (ob *Outbox) Show(ctx context.Context, q QID) (Detail, error) {
	list, err := ob.History(ctx, Filter{QIDs: []QID{q}})
	if err != nil {
		return Detail{}, err
	}
	if len(list) == 0 {
		return Detail{}, fmt.Errorf("%w: %s", store.ErrNotFound, q)
	}
	return list[0], nil
}

func recipientStates(r store.Reader, id int64) (list []RecipientDetail, err error) {
	err = store.Each(r, func(rows *sql.Rows) error {
		var s RecipientDetail
		err := rows.Scan(&s.ForwardPath, &s.State, &s.Code, &s.Enhanced, &s.Text)
		list = append(list, s)
		return err
	}, "SELECT addr, state, code, enhanced, text FROM rcpt WHERE mail_id = ?1 ORDER BY n", id)
	return list, err
}

func mailboxes(r store.Reader) (map[string]*mailbox, error) {
	boxes := make(map[string]*mailbox)
	err := store.Each(r, func(rows *sql.Rows) error {
		m := new(mailbox)
		err := rows.Scan(m.fields()...)
		boxes[m.name] = m
		return err
	}, "SELECT "+mailboxColumns+" FROM mailbox")
	return boxes, err
}
