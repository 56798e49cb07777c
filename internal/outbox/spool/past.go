package spool

import (
	"database/sql"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// memory is how much longer than a message a row of a batch is known.
const memory = 365 * 24 * time.Hour

// Remember keeps the keys of rows whose messages are about to be deleted: those
// that chosen, a condition on ?1, names. What waited was never submitted and
// never will be; what was held in doubt stays in doubt.
func Remember(t *store.Tx, chosen string, arg int64) error {
	now, err := t.Own()
	if err != nil {
		return err
	}
	_, err = t.Exec(`INSERT INTO past (batch_id, row_key, mail_id, state, doubts, finished_at, finished_own)
		SELECT batch_id, row_key, id, CASE WHEN state IN ('sent', 'dead') OR (state = 'held' AND doubts > 0) THEN state ELSE 'cancelled' END,
			doubts, coalesce(finished_at, ?2), coalesce(finished_own, ?3)
		FROM mail WHERE batch_id IS NOT NULL AND state NOT IN ('sending', 'receiving') AND `+chosen+` ON CONFLICT DO NOTHING`, arg, t.Now, now)
	return err
}

// pastRow finds the message that a row of a batch had, 0 when it had none.
func pastRow(t *store.Tx, m *Message) (id int64, err error) {
	if m.Batch == 0 {
		return 0, nil
	}
	err = t.Row("SELECT mail_id FROM past WHERE batch_id = ?1 AND row_key = ?2", []any{m.Batch, m.Row}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// ForgetSome forgets up to 500 rows of batches that were finished before a time, by
// the database's own clock in ms, and returns how many: a year later than messages.
func ForgetSome(t *store.Tx, before int64) (int, error) {
	n, err := t.Exec(`DELETE FROM past WHERE (batch_id, row_key) IN
		(SELECT batch_id, row_key FROM past WHERE finished_own < ?1 ORDER BY finished_own LIMIT 500)`, before-memory.Milliseconds())
	return int(n), err
}
