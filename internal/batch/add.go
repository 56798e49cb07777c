package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
)

// Added counts what Add did.
type Added struct {
	New   int // messages taken
	Known int // rows that were taken before, by an earlier run or an equal row
}

// producers is how many rows are composed and taken at once: each commit to disk
// is shared by those that wait for one.
const producers = 8

// Add makes each row a message in the outbox, unless it is one already: the
// batch's name and the row's key are the message's key. progress, when not nil,
// is told of each, from several goroutines but one at a time. The error names
// the row at which it ended; what was taken before stays, and the same call goes
// on there. Rows are taken in about their order.
func Add(ctx context.Context, rows *Rows, p Plan, box *outbox.Outbox, b outbox.Batch, progress func(Added)) (Added, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &adder{plan: p, box: box, batch: b, progress: progress}
	work := make(chan Row)
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for row := range work {
				if err := a.add(ctx, row); err != nil {
					cancel(fmt.Errorf("row %d (line %d): %w", row.N, row.Line, err))
				}
			}
		})
	}
	err := feed(ctx, rows, work)
	close(work)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return a.added, err
}

// feed hands out rows until they end or ctx does.
func feed(ctx context.Context, rows *Rows, work chan<- Row) error {
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case work <- row:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// adder adds rows from several goroutines.
type adder struct {
	plan     Plan
	box      *outbox.Outbox
	batch    outbox.Batch
	progress func(Added)

	mu    sync.Mutex // guards added
	added Added
}

func (a *adder) add(ctx context.Context, row Row) error {
	known, err := isKnown(ctx, a.box, a.batch, row)
	if err == nil && !known {
		known, err = addRow(ctx, row, a.plan, a.box, a.batch)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known {
		a.added.Known++
	} else {
		a.added.New++
	}
	if a.progress != nil {
		a.progress(a.added)
	}
	return nil
}

// isKnown asks before composing, so that going on costs little where nothing is
// to do.
func isKnown(ctx context.Context, box *outbox.Outbox, b outbox.Batch, row Row) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	list, err := box.List(ctx, outbox.Filter{Key: b.Key(row.Key), Limit: 1})
	return len(list) > 0, err
}

// addRow composes one message and puts it into the outbox.
func addRow(ctx context.Context, row Row, p Plan, box *outbox.Outbox, b outbox.Batch) (known bool, err error) {
	d, at, err := p.Draft(row)
	if err != nil {
		return false, err
	}
	m, err := message.Compose(d)
	if err != nil {
		return false, err
	}
	defer m.Close()
	_, known, err = box.AcceptContent(ctx, outbox.Message{
		Mailbox: m.Envelope.ReversePath, Envelope: m.Envelope, MessageID: m.MessageID, Size: m.Content.Size(),
		Key: b.Key(row.Key), Priority: outbox.Bulk, ReadyAt: at, Batch: b.ID, Row: row.Key, Source: "batch",
	}, m.Content)
	return known, err
}

// Account is what became of the rows of a batch.
type Account struct {
	Accepted int // by the server
	Refused  int // dead, for any reason
	InDoubt  int // held because a server may have them
	Waiting  int // for their time, a limit, or somebody
	Other    int // cancelled
	Doubts   int // of all, those with an attempt in doubt
}

// Total is the number of rows that are in the outbox.
func (a Account) Total() int { return a.Accepted + a.Refused + a.InDoubt + a.Waiting + a.Other }

// String is the account in one line.
func (a Account) String() string {
	s := fmt.Sprintf("%d rows: %d accepted, %d refused, %d in doubt, %d waiting", a.Total(), a.Accepted, a.Refused, a.InDoubt, a.Waiting)
	if a.Other > 0 {
		s += fmt.Sprintf(", %d cancelled", a.Other)
	}
	return s
}

// Take reads the account of a batch from the outbox.
func Take(ctx context.Context, box *outbox.Outbox, b outbox.Batch) (Account, error) {
	counts, doubts, err := box.BatchCounts(ctx, b.ID)
	if err != nil {
		return Account{}, err
	}
	held, err := heldInDoubt(ctx, box, b)
	if err != nil {
		return Account{}, err
	}
	return Account{
		Accepted: counts[outbox.Sent], Refused: counts[outbox.Dead], InDoubt: held,
		Waiting: counts[outbox.Ready] + counts[outbox.Sending] + counts[outbox.Held] + counts[outbox.Receiving] - held,
		Other:   counts[outbox.Cancelled], Doubts: doubts,
	}, nil
}

// heldInDoubt counts the held messages that a server may have; others are held
// because somebody wanted it.
func heldInDoubt(ctx context.Context, box *outbox.Outbox, b outbox.Batch) (n int, err error) {
	err = each(ctx, box, outbox.Filter{Batch: b.ID, States: []outbox.State{outbox.Held}}, func(m outbox.Mail) error {
		if m.InDoubt > 0 {
			n++
		}
		return nil
	})
	return n, err
}

// pageSize is how many messages a list has in memory at once.
const pageSize = 500

// each calls do for every message that f names, the newest first.
func each(ctx context.Context, box *outbox.Outbox, f outbox.Filter, do func(outbox.Mail) error) error {
	f.Limit = pageSize
	for {
		list, err := box.List(ctx, f)
		if err != nil {
			return err
		}
		for _, m := range list {
			if err := do(m); err != nil {
				return err
			}
		}
		if len(list) < pageSize {
			return nil
		}
		f.Before = list[len(list)-1].QID
	}
}

// outcome is the state of a message in an account's words.
func outcome(m outbox.Mail) string {
	switch m.State {
	case outbox.Sent:
		return "accepted"
	case outbox.Dead:
		return "refused"
	case outbox.Cancelled:
		return "cancelled"
	case outbox.Held:
		if m.InDoubt > 0 {
			return "in doubt"
		}
	}
	return "waiting"
}

// finishedAt is empty until a message is finished.
func finishedAt(m outbox.Mail) string {
	if m.FinishedAt.IsZero() {
		return ""
	}
	return m.FinishedAt.Format(time.RFC3339)
}
