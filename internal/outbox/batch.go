package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Batch is a named mail-merge. Its rows are messages with Message.Batch, a Row
// and the key that Key makes of both.
type Batch struct {
	ID        int64
	Name      string
	SourceSum string // of the data file at the latest start, so that a change can be told
	Total     int64  // rows at the latest start
	CreatedAt time.Time
}

// Key makes a row of the batch one message, however often it is added.
func (b Batch) Key(row string) string { return fmt.Sprintf("batch/%d/%s", b.ID, row) }

// StartBatch returns the batch with the name, made when there is none, and the
// sum and total that it had before (zero when it is new).
func (ob *Outbox) StartBatch(ctx context.Context, name, sourceSum string, total int64) (b, before Batch, err error) {
	b = Batch{Name: name, SourceSum: sourceSum, Total: total}
	err = ob.db.Write(ctx, func(t *store.Tx) error {
		if _, err := t.Exec("INSERT INTO batch (name, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING", name, t.Now); err != nil {
			return err
		}
		var created int64
		before.Name = name
		if err := t.Row("SELECT id, source_sum, total, created_at FROM batch WHERE name = ?1", []any{name}, &b.ID, &before.SourceSum, &before.Total, &created); err != nil {
			return err
		}
		b.CreatedAt = store.Moment(created)
		before.ID, before.CreatedAt = b.ID, b.CreatedAt
		_, err := t.Exec("UPDATE batch SET source_sum = ?2, total = ?3 WHERE id = ?1", b.ID, sourceSum, total)
		return err
	})
	if err != nil {
		return Batch{}, Batch{}, fmt.Errorf("starting batch %q: %w", name, err)
	}
	return b, before, nil
}

// BatchCounts counts the messages of a batch by state, those that were removed
// included. Of all, inDoubt are those with an attempt in doubt.
func (ob *Outbox) BatchCounts(ctx context.Context, id int64) (all, inDoubt map[State]int, err error) {
	all, inDoubt = make(map[State]int), make(map[State]int)
	err = store.Each(ob.db.View(ctx), func(rows *sql.Rows) error {
		var s State
		var n, doubts int
		err := rows.Scan(&s, &n, &doubts)
		all[s] += n
		inDoubt[s] += doubts
		return err
	}, `SELECT state, count(*), sum(CASE WHEN doubts > 0 THEN 1 ELSE 0 END) FROM mail WHERE batch_id = ?1 GROUP BY state
		UNION ALL SELECT state, count(*), sum(CASE WHEN doubts > 0 THEN 1 ELSE 0 END) FROM past WHERE batch_id = ?1 GROUP BY state`, id)
	if err != nil {
		return nil, nil, fmt.Errorf("counting batch: %w", err)
	}
	return all, inDoubt, nil
}

// BatchLeft counts, by mailbox, what of a batch is still to be submitted.
func (ob *Outbox) BatchLeft(ctx context.Context, id int64) (map[string]Left, error) {
	return ob.left(ctx, "batch_id = ?1 AND state IN ('ready', 'sending', 'held')", id)
}

// BatchMoving counts, by mailbox, what of a batch is ready or on its way: in one
// look, because a message goes from one to the other at any time.
func (ob *Outbox) BatchMoving(ctx context.Context, id int64) (map[string]Left, error) {
	return ob.left(ctx, "batch_id = ?1 AND state IN ('ready', 'sending')", id)
}

// DueBeside counts, by mailbox, what is due now and not of the batch; of any
// batch when id is 0.
func (ob *Outbox) DueBeside(ctx context.Context, id int64) (map[string]Left, error) {
	return ob.left(ctx, "state = 'ready' AND ready_at <= ?2 AND (batch_id IS NULL OR batch_id <> ?1)", id, ob.db.Now())
}

func (ob *Outbox) left(ctx context.Context, condition string, args ...any) (map[string]Left, error) {
	left := make(map[string]Left)
	err := store.Each(ob.db.View(ctx), func(rows *sql.Rows) error {
		var name string
		var n Left
		err := rows.Scan(&name, &n.Messages, &n.Recipients)
		left[name] = n
		return err
	}, "SELECT mailbox, count(*), sum(rcpt_open) FROM mail WHERE "+condition+" GROUP BY mailbox", args...)
	if err != nil {
		return nil, fmt.Errorf("counting what waits: %w", err)
	}
	return left, nil
}

// Left is what a mailbox has still to submit.
type Left struct{ Messages, Recipients int }

// Batch returns the batch with the name. The error wraps store.ErrNotFound when there
// is none.
func (ob *Outbox) Batch(ctx context.Context, name string) (Batch, error) {
	b := Batch{Name: name}
	err := store.Each(ob.db.View(ctx), func(rows *sql.Rows) error {
		var created int64
		err := rows.Scan(&b.ID, &b.SourceSum, &b.Total, &created)
		b.CreatedAt = store.Moment(created)
		return err
	}, "SELECT id, source_sum, total, created_at FROM batch WHERE name = ?1", name)
	if err == nil && b.ID == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return Batch{}, fmt.Errorf("finding batch %q: %w", name, err)
	}
	return b, nil
}
