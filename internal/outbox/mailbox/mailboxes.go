package mailbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// ErrNegative says that a limit is below zero.
var ErrNegative = errors.New("a limit is negative")

// Mailboxes are those of one outbox. They are safe for concurrent use.
type Mailboxes struct {
	db    *store.DB
	rules Rules
	wake  func() // is called after something may go out sooner
	free  func(t *store.Tx, name string) error
}

// New returns the mailboxes of a database. wake is called after a change by which
// something may go out sooner; free, within the transaction, when a mailbox is released,
// to release what else of it waits for an administrator.
func New(db *store.DB, rules Rules, wake func(), free func(t *store.Tx, name string) error) *Mailboxes {
	return &Mailboxes{db, rules, wake, free}
}

// Rules are what they have in common.
func (b *Mailboxes) Rules() Rules { return b.rules }

// SetLimits lowers the limits of one mailbox; a zero field is the default again.
// Values above Exchange Online's count as those. The error wraps ErrNegative.
func (b *Mailboxes) SetLimits(ctx context.Context, name string, l Limits) error {
	if l.PerMinute < 0 || l.RecipientsPerDay < 0 {
		return fmt.Errorf("setting limits of %s: %w", name, ErrNegative)
	}
	err := b.db.Write(ctx, func(t *store.Tx) error {
		if err := Ensure(t, Key(name)); err != nil {
			return err
		}
		_, err := t.Exec("UPDATE mailbox SET per_minute = ?2, rcpt_day = ?3, next_at = 0 WHERE name = ?1", Key(name), l.PerMinute, l.RecipientsPerDay)
		return err
	})
	if err != nil {
		return fmt.Errorf("setting limits of %s: %w", name, err)
	}
	b.wake()
	return nil
}

// Hold keeps a mailbox from submitting until Release. What is
// under way goes on.
func (b *Mailboxes) Hold(ctx context.Context, name, reason string) error {
	err := b.db.Write(ctx, func(t *store.Tx) error {
		if err := Ensure(t, Key(name)); err != nil {
			return err
		}
		m, err := Lock(t, Key(name))
		if err != nil {
			return err
		}
		m.stop(PauseOperator, 0, "", reason)
		return m.Save(t)
	})
	if err != nil {
		return fmt.Errorf("holding %s: %w", name, err)
	}
	return nil
}

// Release ends every pause of a mailbox, and the holds of its senders. Its limits stay: what was
// counted counts. The error wraps store.ErrNotFound for a mailbox that never had a
// message.
func (b *Mailboxes) Release(ctx context.Context, name string) error {
	err := b.db.Write(ctx, func(t *store.Tx) error {
		m, err := Lock(t, Key(name))
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: no message of this mailbox was ever queued", store.ErrNotFound)
		}
		if err != nil {
			return err
		}
		m.release()
		return errors.Join(m.Save(t), b.free(t, m.name))
	})
	if err != nil {
		return fmt.Errorf("releasing %s: %w", name, err)
	}
	b.wake()
	return nil
}

// Record is a mailbox and what is known of it as a way for a notice.
type Record struct {
	Mailbox  string
	Works    bool      // nothing but a limit of its own keeps it from submitting now, and its last attempt shows that it may
	Accepted time.Time // its last message; zero: none was
}

// Records lists the mailboxes, the one whose message was accepted last first.
func (b *Mailboxes) Records(ctx context.Context) ([]Record, error) {
	rows, err := read(b.db.View(ctx), "ORDER BY accepted_at DESC, name")
	if err != nil {
		return nil, fmt.Errorf("reading mailboxes: %w", err)
	}
	now := b.db.Now()
	list := make([]Record, len(rows))
	for i, m := range rows {
		w := m.Wait(now)
		isPaused := w != nil && w.Pause != ""
		m.Renew(b.rules, now)
		list[i] = Record{m.name, !isPaused && m.since == 0, store.Moment(m.acceptedAt)}
	}
	return list, nil
}
