package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// NoticesCarried says that the message takes the notices to the operator. They are
// done when it was accepted, and listed again when its mailbox cannot submit.
func (ob *Outbox) NoticesCarried(ctx context.Context, by queueid.ID, list []notice.Notice) error {
	id, err := ob.Number(by)
	if err == nil {
		err = ob.db.Write(ctx, func(t *store.Tx) error {
			if err := notice.Carry(t, id, list); err != nil {
				return err
			}
			return ob.carriedBefore(t, id)
		})
	}
	if err != nil {
		return fmt.Errorf("settling notices: %w", err)
	}
	return nil
}

// carriedBefore is for a message that was over before it was said that it carries
// notices: it may be submitted as soon as it was taken.
func (ob *Outbox) carriedBefore(t *store.Tx, id int64) error {
	var state State
	err := t.Row("SELECT state FROM mail WHERE id = ?1", []any{id}, &state)
	isGone := errors.Is(err, sql.ErrNoRows)
	switch {
	case err != nil && !isGone:
		return err
	case state == Cancelled:
		return notice.PutBack(t, id, ob.rules.Scaled(mailbox.FirstProbe))
	case isGone || state.Finished():
		return notice.Carried(t, id)
	}
	return nil
}

// pullNotices takes the notices out of a mailbox that does not submit: the operator
// is not told by what is broken.
func pullNotices(t *store.Tx, name string) error {
	ids, err := readIDs(t, "SELECT id FROM mail WHERE id IN (SELECT carrier FROM notice WHERE carrier > 0) AND mailbox = ?1 AND state = 'ready'", name)
	for _, id := range ids {
		if err == nil {
			_, err = actOnOne(t, Cancel, id)
		}
		if err == nil {
			err = notice.PutBack(t, id, 0)
		}
	}
	return err
}
