// Package mailmerge is what an outbox knows of mail-merges: each has a name, and its
// rows are messages. A row is one message, however often it is added, also after its
// message was removed.
package mailmerge

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
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

// Start returns the batch with the name, made when there is none, and the
// sum and total that it had before (zero when it is new).
func Start(ctx context.Context, box *outbox.Outbox, name, sourceSum string, total int64) (b, before Batch, err error) {
	b = Batch{Name: name, SourceSum: sourceSum, Total: total}
	err = box.DB().Write(ctx, func(t *store.Tx) error {
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

// Counts counts the messages of a batch by state, those that were removed
// included. Of all, inDoubt are those with an attempt in doubt.
func Counts(ctx context.Context, box *outbox.Outbox, id int64) (all, inDoubt map[outbox.State]int, err error) {
	all, inDoubt = make(map[outbox.State]int), make(map[outbox.State]int)
	err = store.Each(box.DB().View(ctx), func(rows *sql.Rows) error {
		var s outbox.State
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

// StillLeft counts, by mailbox, what of a batch is still to be submitted.
func StillLeft(ctx context.Context, box *outbox.Outbox, id int64) (map[string]Left, error) {
	return left(ctx, box, "batch_id = ?1 AND state IN ('ready', 'sending', 'held')", id)
}

// Moving counts, by mailbox, what of a batch is ready or on its way: in one
// look, because a message goes from one to the other at any time.
func Moving(ctx context.Context, box *outbox.Outbox, id int64) (map[string]Left, error) {
	return left(ctx, box, "batch_id = ?1 AND state IN ('ready', 'sending')", id)
}

// DueBeside counts, by mailbox, what is due now and not of the batch; of any
// batch when id is 0.
func DueBeside(ctx context.Context, box *outbox.Outbox, id int64) (map[string]Left, error) {
	return left(ctx, box, "state = 'ready' AND ready_at <= ?2 AND (batch_id IS NULL OR batch_id <> ?1)", id, box.DB().Now())
}

func left(ctx context.Context, box *outbox.Outbox, condition string, args ...any) (map[string]Left, error) {
	found := make(map[string]Left)
	err := store.Each(box.DB().View(ctx), func(rows *sql.Rows) error {
		var name string
		var n Left
		err := rows.Scan(&name, &n.Messages, &n.Recipients)
		found[name] = n
		return err
	}, "SELECT mailbox, count(*), sum(rcpt_open) FROM mail WHERE "+condition+" GROUP BY mailbox", args...)
	if err != nil {
		return nil, fmt.Errorf("counting what waits: %w", err)
	}
	return found, nil
}

// Left is what a mailbox has still to submit.
type Left struct{ Messages, Recipients int }

// Find returns the batch with the name. The error wraps store.ErrNotFound when there
// is none.
func Find(ctx context.Context, box *outbox.Outbox, name string) (Batch, error) {
	b := Batch{Name: name}
	err := store.Each(box.DB().View(ctx), func(rows *sql.Rows) error {
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

// KnownRows returns those of the rows that are, or were, messages of the batch.
func KnownRows(ctx context.Context, box *outbox.Outbox, b Batch, rows []string) (map[string]bool, error) {
	known := make(map[string]bool)
	c := &store.Where{}
	keys, names := make([]any, len(rows)), make([]any, len(rows))
	for i, row := range rows {
		keys[i], names[i] = b.Key(row), row
	}
	c.In("dedupe_key", keys)
	c.Add("batch_id = ? ", b.ID)
	c.In("row_key", names)
	err := store.Each(box.DB().View(ctx), func(r *sql.Rows) error {
		var row string
		err := r.Scan(&row)
		known[row] = true
		return err
	}, "SELECT row_key FROM mail WHERE "+c.Text[0]+" UNION ALL SELECT row_key FROM past WHERE "+c.Text[1]+" AND "+c.Text[2], c.Args...)
	if err != nil {
		return nil, fmt.Errorf("finding rows of batch %q: %w", b.Name, err)
	}
	return known, nil
}

// PastRow is a row of a batch whose message was removed. A State of Held says
// that it was in doubt.
type PastRow struct {
	Row        string
	QID        queueid.ID
	State      outbox.State
	InDoubt    int
	FinishedAt time.Time
}

// PastRows lists up to limit of them by key, from the one after the row named.
func PastRows(ctx context.Context, box *outbox.Outbox, batch int64, after string, limit int) (list []PastRow, err error) {
	err = store.Each(box.DB().View(ctx), func(r *sql.Rows) error {
		var p PastRow
		var id, finished int64
		err := r.Scan(&p.Row, &id, &p.State, &p.InDoubt, &finished)
		p.QID, p.FinishedAt = box.Tag().ID(id), store.Moment(finished)
		list = append(list, p)
		return err
	}, "SELECT row_key, mail_id, state, doubts, finished_at FROM past WHERE batch_id = ?1 AND row_key > ?2 ORDER BY row_key LIMIT ?3", batch, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing removed rows: %w", err)
	}
	return list, nil
}
