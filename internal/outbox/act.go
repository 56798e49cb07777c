package outbox

import (
	"context"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Action is what an operator does to messages.
type Action string

// The actions. None touches a message that is being submitted.
const (
	Retry   Action = "retry"   // ready, held and dead ones are due now; recipients that were accepted stay so
	Hold    Action = "hold"    // ready ones wait until released
	Free    Action = "release" // held ones are ready again
	Cancel  Action = "cancel"  // ready and held ones are never submitted; their history stays
	Discard Action = "rm"      // any are gone without a trace, but that a batch knows its rows
)

// Act does the action to the messages that find returns, and returns to how many it
// applied. All goes in one transaction but for large contents: another's action
// cannot come in between.
func (ob *Outbox) Act(ctx context.Context, a Action, find func(*store.Tx) ([]int64, error)) (n int, err error) {
	var changed []int64
	err = ob.db.Write(ctx, func(t *store.Tx) error {
		ids, err := find(t)
		if err != nil {
			return err
		}
		for _, id := range ids {
			ok, err := actOnOne(t, a, id)
			if err != nil {
				return err
			}
			if ok {
				changed = append(changed, id)
			}
		}
		if a != Free {
			return nil
		}
		for _, id := range changed { // after all of them, since the first frees the others of its sender
			if err := releaseSender(t, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("doing %s: %w", a, err)
	}
	ob.signal()
	if a != Cancel {
		return len(changed), nil
	}
	for _, id := range changed {
		if err := ob.spool.Drop(ctx, id); err != nil {
			return len(changed), fmt.Errorf("doing %s: %w", a, err)
		}
	}
	return len(changed), nil
}

// actOnOne does the action to one message when its state allows.
func actOnOne(t *store.Tx, a Action, id int64) (done bool, err error) {
	var n int64
	var kind EventKind
	switch a {
	case Retry:
		return retry(t, id)
	case Hold:
		kind = EventHeld
		n, err = t.Exec("UPDATE mail SET state = 'held' WHERE id = ?1 AND state = 'ready'", id)
	case Free:
		kind = EventReleased
		n, err = t.Exec("UPDATE mail SET state = 'ready', held_for = '' WHERE id = ?1 AND state = 'held'", id)
	case Cancel:
		kind = EventCancelled
		n, err = cancel(t, id)
	case Discard:
		if err = spool.Remember(t, "id = ?1", id); err != nil {
			return false, err
		}
		n, err = t.Exec("DELETE FROM mail WHERE id = ?1 AND state NOT IN ('sending', 'receiving')", id)
		return n > 0, err
	default:
		return false, fmt.Errorf("there is no action %q", string(a))
	}
	if err != nil || n == 0 {
		return false, err
	}
	return true, addEvent(t, id, Event{Kind: kind, Text: "by the operator"})
}

// cancel ends a message that waits.
func cancel(t *store.Tx, id int64) (int64, error) {
	own, err := t.Own()
	if err != nil {
		return 0, err
	}
	n, err := t.Exec(`UPDATE mail SET state = 'cancelled', rcpt_open = 0, finished_at = ?2, finished_own = ?3, body_left = 1
		WHERE id = ?1 AND state IN ('ready', 'held')`, id, t.Now, own)
	if err == nil && n > 0 {
		err = closeRecipients(t, id)
	}
	return n, err
}

// retry makes a message due, as if it had just been taken, for every recipient
// that was not accepted.
func retry(t *store.Tx, id int64) (bool, error) {
	n, err := t.Exec(`UPDATE mail SET state = 'ready', held_for = '', ready_at = ?2, waited = 0, attempts = 0, finished_at = NULL, finished_own = NULL,
		expires_at = CASE WHEN expires_at <= ?2 THEN 0 ELSE expires_at END WHERE id = ?1 AND state IN ('ready', 'held', 'dead')`, id, t.Now)
	if err != nil || n == 0 {
		return false, err
	}
	if _, err := t.Exec("UPDATE rcpt SET "+recipientOpen+" WHERE mail_id = ?1 AND ("+recipientRefused+" OR "+recipientUnsent+")", id); err != nil {
		return false, err
	}
	if _, err := t.Exec("UPDATE mail SET rcpt_open = (SELECT count(*) FROM rcpt WHERE mail_id = ?1 AND "+recipientOpen+") WHERE id = ?1", id); err != nil {
		return false, err
	}
	if err := releaseSender(t, id); err != nil {
		return false, err
	}
	return true, addEvent(t, id, Event{Kind: EventRetry, Text: "by the operator"})
}
