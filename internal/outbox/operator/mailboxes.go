package operator

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Mailbox is the state of a mailbox, and what waits in it.
type Mailbox struct {
	Name       string
	Limits     mailbox.Limits // in force
	Messages   int            // of the last minute, what is under way included
	Recipients int            // of the last 24 hours, likewise
	Counts     map[outbox.State]int
	OldestDue  time.Time // zero: nothing is ready

	Pause      mailbox.Pause      // "" when nothing or only a limit holds it
	Code       string             // the catalogue's code for the pause
	Wait       *mailbox.WaitError // why it waits; nil when it does not
	WaitsUntil time.Time          // zero: not known, or it is held
	Since      time.Time          // of the first pause that no accepted message has ended; zero: there is none
	ProbeAt    time.Time          // when a held one is tried by a sign-in; zero: it waits for an operator alone

	Senders []Sender // whose messages a refusal holds, by address
}

// Sender is one of whom a refusal holds messages until something is fixed.
type Sender struct {
	Address  string // in From, or, when that is not known, the reverse-path
	Messages int
	First    queueid.ID // the oldest of them
	Code     string     // the catalogue's code for the refusal
	Text     string     // the server's words
}

// Held reports that the mailbox has no end of its pause: it goes on when a probe is
// accepted or it is released.
func (m Mailbox) Held() bool { return m.Pause != "" && m.WaitsUntil.IsZero() }

// Stopped reports a mailbox that something wrong holds, not an operator.
func (m Mailbox) Stopped() bool { return m.Held() && m.Pause != mailbox.PauseOperator }

// Mailboxes returns all mailboxes by name, with what waits in them. It costs the
// reading of the index of what waits.
func Mailboxes(ctx context.Context, box *outbox.Outbox) ([]Mailbox, error) {
	list, err := mailboxes(ctx, box, "")
	if err != nil {
		return nil, fmt.Errorf("reading mailboxes: %w", err)
	}
	return list, nil
}

// OneMailbox returns one; the error wraps store.ErrNotFound when it never had a
// message.
func OneMailbox(ctx context.Context, box *outbox.Outbox, name string) (Mailbox, error) {
	list, err := mailboxes(ctx, box, mailbox.Key(name))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: no message of this mailbox was ever queued", store.ErrNotFound)
	}
	if err != nil {
		return Mailbox{}, fmt.Errorf("reading mailbox %s: %w", name, err)
	}
	return list[0], nil
}

// mailboxes reads all, or the one with the name.
func mailboxes(ctx context.Context, box *outbox.Outbox, only string) ([]Mailbox, error) {
	waiting, err := box.Waiting(ctx, only)
	if err != nil {
		return nil, err
	}
	v, rules, now := box.DB().View(ctx), box.Mailboxes().Rules(), box.DB().Now()
	own, err := v.Own()
	if err != nil {
		return nil, err
	}
	rows, err := mailbox.All(v, only)
	if err != nil {
		return nil, err
	}
	list := make([]Mailbox, len(rows))
	for i, row := range rows {
		submitted, err := rules.Usage(v, row.Name(), own)
		if err != nil {
			return nil, err
		}
		underWay, err := outbox.UnderWay(v, row.Name())
		if err != nil {
			return nil, err
		}
		w := waiting[row.Name()]
		list[i] = Mailbox{
			Name: row.Name(), Limits: row.Limits().Or(rules.Limits), Counts: w.Counts, OldestDue: w.OldestDue,
			Messages: submitted.Messages + underWay.Messages, Recipients: submitted.Recipients + underWay.Recipients,
		}
		list[i].setWait(row, now)
		if w.Counts[outbox.Held] > 0 {
			if list[i].Senders, err = senders(v, box, row.Name()); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// senders are those of whom a refusal holds messages.
func senders(r store.Reader, box *outbox.Outbox, name string) (list []Sender, err error) {
	err = store.Each(r, func(rows *sql.Rows) error {
		var s Sender
		var first int64
		err := rows.Scan(&s.Address, &s.Messages, &first, &s.Code, &s.Text)
		s.First = box.Tag().ID(first)
		list = append(list, s)
		return err
	}, `SELECT CASE WHEN sender = '' THEN reverse_path ELSE sender END AS address, count(*), min(id), max(last_kind), max(last_text) FROM mail
		WHERE mailbox = ?1 AND state = 'held' AND held_for = 'refused' GROUP BY address ORDER BY address`, name)
	return list, err
}

// HeldSender is one whose mail a refusal holds: other mail with the same three would be
// refused, too.
type HeldSender struct {
	Mailbox, From, ReversePath string     // as mailbox.Key has it; From in lower case, "" when that is not known
	First                      queueid.ID // the oldest message that is held
}

// Name is the address that people know the sender by.
func (s HeldSender) Name() string { return cmp.Or(s.From, s.ReversePath) }

// HeldSenders are those of all mailboxes that have messages held, at most so many.
func HeldSenders(ctx context.Context, box *outbox.Outbox, most int) (list []HeldSender, err error) {
	err = store.Each(box.DB().View(ctx), func(rows *sql.Rows) error {
		var s HeldSender
		var first int64
		err := rows.Scan(&s.Mailbox, &s.From, &s.ReversePath, &first)
		s.First = box.Tag().ID(first)
		list = append(list, s)
		return err
	}, heldSendersQuery, most)
	if err != nil {
		return nil, fmt.Errorf("reading held senders: %w", err)
	}
	return list, nil
}

const heldSendersQuery = `SELECT mailbox, name, reverse_path, first FROM (SELECT mailbox, name, reverse_path, (SELECT min(id) FROM mail
		WHERE state = 'held' AND mailbox = s.mailbox AND sender = s.name AND reverse_path = s.reverse_path AND held_for = 'refused') AS first
	FROM sender s WHERE held = 1) AS held WHERE first IS NOT NULL ORDER BY first LIMIT ?1`

// setWait says why the mailbox waits.
func (m *Mailbox) setWait(row *mailbox.Mailbox, now int64) {
	w := row.Wait(now)
	if w == nil {
		return
	}
	m.Wait, m.Pause, m.WaitsUntil = w, w.Pause, w.Until
	if w.Pause != "" {
		m.Code, m.Since, m.ProbeAt = row.Kind(), row.Since(), w.Probe
	}
}

// Finished counts what was finished since a time.
func Finished(ctx context.Context, box *outbox.Outbox, since time.Time) (map[outbox.State]int, error) {
	counts := make(map[outbox.State]int)
	err := store.Each(box.DB().View(ctx), func(r *sql.Rows) error {
		var s outbox.State
		var n int
		err := r.Scan(&s, &n)
		counts[s] = n
		return err
	}, "SELECT state, count(*) FROM mail WHERE finished_at IS NOT NULL AND finished_at >= ?1 GROUP BY state", store.Millis(since))
	if err != nil {
		return nil, fmt.Errorf("counting messages: %w", err)
	}
	return counts, nil
}
