package outbox

import (
	"context"
	"fmt"
	"time"
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
	err = ob.write(ctx, func(t *tx) error {
		if _, err := t.exec("INSERT INTO batch (name, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING", name, t.now); err != nil {
			return err
		}
		var created int64
		before.Name = name
		if err := t.row("SELECT id, source_sum, total, created_at FROM batch WHERE name = ?1", []any{name}, &b.ID, &before.SourceSum, &before.Total, &created); err != nil {
			return err
		}
		b.CreatedAt = moment(created)
		before.ID, before.CreatedAt = b.ID, b.CreatedAt
		_, err := t.exec("UPDATE batch SET source_sum = ?2, total = ?3 WHERE id = ?1", b.ID, sourceSum, total)
		return err
	})
	if err != nil {
		return Batch{}, Batch{}, fmt.Errorf("starting batch %q: %w", name, err)
	}
	return b, before, nil
}

// BatchCounts counts the messages of a batch by state, and by what became of
// them: InDoubt are those, in whichever state, with an attempt in doubt.
func (ob *Outbox) BatchCounts(ctx context.Context, id int64) (counts map[State]int, inDoubt int, err error) {
	counts = make(map[State]int)
	rows, err := view{ctx, ob.store}.query("SELECT state, count(*), sum(CASE WHEN doubts > 0 THEN 1 ELSE 0 END) FROM mail WHERE batch_id = ?1 GROUP BY state", id)
	if err != nil {
		return nil, 0, fmt.Errorf("counting batch: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s State
		var n, doubts int
		if err := rows.Scan(&s, &n, &doubts); err != nil {
			return nil, 0, fmt.Errorf("counting batch: %w", err)
		}
		counts[s] = n
		inDoubt += doubts
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("counting batch: %w", err)
	}
	return counts, inDoubt, nil
}

// Batch returns the batch with the name. The error wraps ErrNotFound when there
// is none.
func (ob *Outbox) Batch(ctx context.Context, name string) (Batch, error) {
	rows, err := view{ctx, ob.store}.query("SELECT id, source_sum, total, created_at FROM batch WHERE name = ?1", name)
	if err != nil {
		return Batch{}, fmt.Errorf("finding batch %q: %w", name, err)
	}
	defer rows.Close()
	b := Batch{Name: name}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return Batch{}, fmt.Errorf("finding batch %q: %w", name, err)
		}
		return Batch{}, fmt.Errorf("finding batch %q: %w", name, ErrNotFound)
	}
	var created int64
	if err := rows.Scan(&b.ID, &b.SourceSum, &b.Total, &created); err != nil {
		return Batch{}, fmt.Errorf("finding batch %q: %w", name, err)
	}
	b.CreatedAt = moment(created)
	return b, nil
}
