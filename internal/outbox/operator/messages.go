// Package operator is what a person can see of an outbox, and do to what waits in
// it: messages by a Filter, their history, mailboxes, counts, actions.
package operator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Why is the kind of reason for which a message waits.
type Why string

// The reasons. A message that is over has none.
const (
	WhyArriving   Why = "arriving"   // its content is still coming in
	WhySubmitting Why = "submitting" // an attempt is under way
	WhyInDoubt    Why = "in doubt"   // held: the server may have it
	WhyRefused    Why = "refused"    // held: the server refused it, or its sender, until something is fixed
	WhyHeld       Why = "held"       // by an operator
	WhyMailbox    Why = "mailbox"    // its mailbox waits: Mail.MailboxWait
	WhyDue        Why = "due"        // nothing keeps it
	WhyDeferred   Why = "deferred"   // until another attempt: Mail.Text
	WhyScheduled  Why = "scheduled"  // until the time that was asked for
)

// Mail is a message as lists show it.
type Mail struct {
	QID         queueid.ID
	Mailbox     string
	State       outbox.State
	Priority    spool.Priority
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
	refused     bool      // with State Held: the refusal holds it

	// Why says why the message waits, WaitsUntil until when; zero when that is not
	// known or the message waits for an operator.
	Why         Why
	WaitsUntil  time.Time
	MailboxWait *mailbox.WaitError // with WhyMailbox
	ProbeAt     time.Time          // when its mailbox, which is held, is tried by a sign-in
}

const mailColumns = `m.id, m.mailbox, m.state, m.prio, m.ready_at, m.expires_at, m.attempts, m.doubts, coalesce(m.dedupe_key, ''), coalesce(m.batch_id, 0),
	m.row_key, m.message_id, m.reverse_path, m.rcpt_count, m.rcpt_open, m.size, m.source, m.client, m.notice, m.last_code, m.last_enhanced,
	m.last_kind, m.last_text, m.server_id, m.created_at, coalesce(m.finished_at, 0), m.held_for = 'refused'`

func scanMail(box *outbox.Outbox, rows *sql.Rows, boxes map[string]*mailbox.Mailbox, now int64) (m Mail, id int64, err error) {
	var prio, notice int
	var ready, expires, created, finished int64
	err = rows.Scan(&id, &m.Mailbox, &m.State, &prio, &ready, &expires, &m.Attempts, &m.InDoubt, &m.Key, &m.Batch,
		&m.Row, &m.MessageID, &m.ReversePath, &m.Recipients, &m.Open, &m.Size, &m.Source, &m.Client, &notice, &m.Code, &m.Enhanced,
		&m.Kind, &m.Text, &m.ServerID, &created, &finished, &m.refused)
	m.QID, m.Priority, m.Notice = box.Tag().ID(id), spool.Priority(prio-1), notice == 1
	m.ReadyAt, m.ExpiresAt, m.CreatedAt, m.FinishedAt = store.Moment(ready), store.Moment(expires), store.Moment(created), store.Moment(finished)
	m.explain(boxes[m.Mailbox], now)
	return m, id, err
}

// explain says why a message waits.
func (m *Mail) explain(row *mailbox.Mailbox, now int64) {
	var wait *mailbox.WaitError
	if row != nil {
		wait = row.Wait(now)
	}
	isMailbox := wait != nil && (wait.Until.IsZero() || !wait.Until.Before(m.ReadyAt))
	switch {
	case m.State == outbox.Receiving:
		m.Why = WhyArriving
	case m.State == outbox.Sending:
		m.Why = WhySubmitting
	case m.State == outbox.Held && m.InDoubt > 0:
		m.Why = WhyInDoubt
	case m.State == outbox.Held && m.refused:
		m.Why = WhyRefused
	case m.State == outbox.Held:
		m.Why = WhyHeld
	case m.State != outbox.Ready:
	case isMailbox:
		m.Why, m.MailboxWait, m.WaitsUntil, m.ProbeAt = WhyMailbox, wait, wait.Until, wait.Probe
	case store.Millis(m.ReadyAt) <= now:
		m.Why = WhyDue
	case m.Text != "" || m.Attempts > 0:
		m.Why, m.WaitsUntil = WhyDeferred, m.ReadyAt
	default:
		m.Why, m.WaitsUntil = WhyScheduled, m.ReadyAt
	}
}

// Detail is a message with all that is known about it.
type Detail struct {
	Mail
	RecipientStates []RecipientDetail
	Events          []outbox.Event
}

// RecipientDetail is one recipient of a message with the server's last words about
// it.
type RecipientDetail struct {
	ForwardPath string
	State       outbox.RecipientState
	Code        int
	Enhanced    string
	Text        string
}

// Count returns how many messages f names. ErrNoFilter is returned for a filter
// without bounds, unless it says All.
func Count(ctx context.Context, box *outbox.Outbox, f Filter) (n int, err error) {
	if !f.bounded() {
		return 0, ErrNoFilter
	}
	where, args, err := where(box, f)
	if err == nil {
		err = store.Each(box.DB().View(ctx), func(rows *sql.Rows) error { return rows.Scan(&n) }, "SELECT count(*) FROM mail m WHERE "+where, args...)
	}
	if err != nil {
		return 0, fmt.Errorf("counting messages: %w", err)
	}
	return n, nil
}

// CountNamed is Count, but that ids that are not known count for nothing.
func CountNamed(ctx context.Context, box *outbox.Outbox, f Filter) (n int, err error) {
	if len(f.QIDs) == 0 {
		return Count(ctx, box, f)
	}
	for _, one := range f.each() {
		some, err := Count(ctx, box, one)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// UnderWay counts the messages that f names by anything but ids, and that are being
// submitted: no action applies to them.
func UnderWay(ctx context.Context, box *outbox.Outbox, f Filter) (int, error) {
	otherStates := len(f.States) > 0 && !slices.Contains(f.States, outbox.Sending)
	if len(f.QIDs) > 0 || otherStates {
		return 0, nil
	}
	f.States = []outbox.State{outbox.Sending}
	list, err := List(ctx, box, f)
	return len(list), err
}

// Limited lists no more than the filter's limit, and says whether there is more.
func Limited[T any](f Filter, list func(Filter) ([]T, error)) (found []T, more bool, err error) {
	limit := f.Limit
	if limit > 0 {
		f.Limit++
	}
	if found, err = list(f); err != nil || limit <= 0 || len(found) <= limit {
		return found, false, err
	}
	return found[:limit], true, nil
}

// List returns the messages that f names, without their history, the newest
// first.
func List(ctx context.Context, box *outbox.Outbox, f Filter) ([]Mail, error) {
	found, _, err := list(box.DB().View(ctx), box, f)
	if err != nil {
		return nil, fmt.Errorf("listing messages: %w", err)
	}
	return found, nil
}

func list(r store.Reader, box *outbox.Outbox, f Filter) (found []Mail, ids []int64, err error) {
	where, args, err := where(box, f)
	if err != nil {
		return nil, nil, err
	}
	rows, err := mailbox.All(r, "")
	if err != nil {
		return nil, nil, err
	}
	boxes := make(map[string]*mailbox.Mailbox, len(rows))
	for _, row := range rows {
		boxes[row.Name()] = row
	}
	now := box.DB().Now()
	err = store.Each(r, func(rows *sql.Rows) error {
		m, id, err := scanMail(box, rows, boxes, now)
		found, ids = append(found, m), append(ids, id)
		return err
	}, "SELECT "+mailColumns+" FROM mail m WHERE "+where+f.order(), args...)
	return found, ids, err
}

// History is List with recipients and events.
func History(ctx context.Context, box *outbox.Outbox, f Filter) ([]Detail, error) {
	v := box.DB().View(ctx)
	found, ids, err := list(v, box, f)
	details := make([]Detail, len(found))
	for i, m := range found {
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
func Show(ctx context.Context, box *outbox.Outbox, q queueid.ID) (Detail, error) {
	found, err := History(ctx, box, Filter{QIDs: []queueid.ID{q}})
	if err != nil {
		return Detail{}, err
	}
	if len(found) == 0 {
		return Detail{}, fmt.Errorf("%w: %s", store.ErrNotFound, q)
	}
	return found[0], nil
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

// events reads the history of a message.
func events(r store.Reader, id int64) (list []outbox.Event, err error) {
	err = store.Each(r, func(rows *sql.Rows) error {
		var e outbox.Event
		var at, took int64
		err := rows.Scan(&at, &e.Kind, &e.Attempt, &e.Recipient, &e.Code, &e.Enhanced, &e.Text, &took)
		e.At, e.Took = store.Moment(at), time.Duration(took)*time.Millisecond
		list = append(list, e)
		return err
	}, "SELECT at, kind, attempt, rcpt, code, enhanced, text, took FROM event WHERE mail_id = ?1 ORDER BY id", id)
	return list, err
}

// Intake tells each of the messages that a source put into the outbox since a time, in
// the order in which they came: for whom, when, and to how many recipients.
func Intake(ctx context.Context, box *outbox.Outbox, source string, since time.Time, each func(client string, at time.Time, recipients int)) error {
	err := store.Each(box.DB().View(ctx), func(rows *sql.Rows) error {
		var client string
		var at int64
		var recipients int
		if err := rows.Scan(&client, &at, &recipients); err != nil {
			return err
		}
		each(client, store.Moment(at), recipients)
		return nil
	}, "SELECT client, created_at, rcpt_count FROM mail WHERE source = ?1 AND created_at >= ?2 AND state <> 'receiving' ORDER BY created_at", source, store.Millis(since))
	if err != nil {
		return fmt.Errorf("counting what was taken: %w", err)
	}
	return nil
}
