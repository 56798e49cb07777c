package outbox

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// some is how many messages one transaction handles: others write in between.
const some = 500

// Purge ends what has expired in mailboxes that submit nothing just now (Claim
// sees to the others), removes what was finished longer ago than
// Options.Retention and contents that broke off, and gives space back. It
// returns how many messages were removed. Call it now and then.
func (s *Sender) Purge(ctx context.Context) (removed int, err error) {
	if err = s.ob.db.Write(ctx, func(t *store.Tx) error { return t.Look(0) }); err == nil {
		_, err = s.ob.inPieces(ctx, expireSome)
	}
	if err == nil {
		err = s.ob.sweep(ctx)
	}
	if err == nil {
		removed, err = s.ob.inPieces(ctx, s.ob.purgeSome)
	}
	if err == nil {
		_, err = s.ob.inPieces(ctx, s.ob.forgetSome)
	}
	if err == nil {
		err = s.ob.db.Vacuum(ctx)
	}
	if err != nil {
		return removed, fmt.Errorf("purging outbox: %w", err)
	}
	return removed, nil
}

// inPieces calls do in one transaction after another until it handles less than
// some rows, and returns how many all handled.
func (ob *Outbox) inPieces(ctx context.Context, do func(*store.Tx) (int, error)) (sum int, err error) {
	for n := some; n == some && err == nil; sum += n {
		err = ob.db.Write(ctx, func(t *store.Tx) (err error) {
			n, err = do(t)
			return err
		})
	}
	return sum, err
}

func expireSome(t *store.Tx) (int, error) {
	ids, err := readIDs(t, "SELECT id FROM mail WHERE expires_at > 0 AND expires_at <= ?1 AND (state = 'ready' OR state = 'held') LIMIT 500", t.Now)
	for _, id := range ids {
		if err == nil {
			err = expire(t, id)
		}
	}
	return len(ids), err
}

// readIDs reads a column of ids.
func readIDs(t *store.Tx, query string, args ...any) (ids []int64, err error) {
	err = store.Each(t, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, query, args...)
	return ids, err
}

// sweep deletes contents of which a crash left pieces: of large messages that
// were sent, and of those that never came in whole.
func (ob *Outbox) sweep(ctx context.Context) error {
	var done, broken []int64
	err := ob.db.Write(ctx, func(t *store.Tx) (err error) {
		if done, err = readIDs(t, "SELECT id FROM mail WHERE body_left = 1"); err != nil {
			return err
		}
		broken, err = readIDs(t, "SELECT id FROM mail WHERE state = 'receiving' AND lease_until < ?1", t.Now)
		return err
	})
	for _, id := range done {
		if err == nil {
			err = ob.spool.Drop(ctx, id)
		}
	}
	for _, id := range broken {
		if err == nil {
			err = ob.spool.Remove(ctx, id)
		}
	}
	return err
}

// purgeSome removes up to 500 old messages; recipients, events and contents go
// with them.
func (ob *Outbox) purgeSome(t *store.Tx) (int, error) {
	const chosen = "id IN (SELECT id FROM mail WHERE finished_own IS NOT NULL AND finished_own < ?1 ORDER BY finished_own LIMIT 500)"
	now, err := t.Own()
	if err != nil {
		return 0, err
	}
	old := now - ob.o.Retention.Milliseconds()
	if err := spool.Remember(t, chosen, old); err != nil {
		return 0, err
	}
	n, err := t.Exec("DELETE FROM mail WHERE "+chosen, old)
	if err == nil && n < some {
		err = notice.Purge(t, old)
	}
	if err == nil && n < some {
		err = ob.rules.PurgeUsage(t)
	}
	return int(n), err
}

// forgetSome forgets up to 500 rows of batches.
func (ob *Outbox) forgetSome(t *store.Tx) (int, error) {
	now, err := t.Own()
	if err != nil {
		return 0, err
	}
	return spool.ForgetSome(t, now-ob.o.Retention.Milliseconds())
}
