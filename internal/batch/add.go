package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/smtp"
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
func Add(ctx context.Context, in *rows.Reader, p Plan, box *outbox.Outbox, b mailmerge.Batch, progress func(Added)) (Added, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &adder{plan: p, box: box, batch: b, progress: progress}
	work := make(chan rows.Row)
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
	err := feed(ctx, in, work)
	close(work)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return a.added, err
}

// feed hands out rows until they end or ctx does.
func feed(ctx context.Context, in *rows.Reader, work chan<- rows.Row) error {
	for {
		row, err := in.Next()
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
	batch    mailmerge.Batch
	progress func(Added)

	mu    sync.Mutex // guards added
	added Added
}

func (a *adder) add(ctx context.Context, row rows.Row) error {
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
func isKnown(ctx context.Context, box *outbox.Outbox, b mailmerge.Batch, row rows.Row) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	known, err := mailmerge.KnownRows(ctx, box, b, []string{row.Key})
	return known[row.Key], err
}

// addRow composes one message and puts it into the outbox.
func addRow(ctx context.Context, row rows.Row, p Plan, box *outbox.Outbox, b mailmerge.Batch) (known bool, err error) {
	d, at, err := p.Draft(ctx, row)
	if err != nil {
		return false, err
	}
	m, err := message.Compose(ctx, d)
	if err != nil {
		return false, err
	}
	defer m.Close()
	s := stored(m.Mail, row)
	s.Size, s.ReadyAt, s.Batch, s.Key = m.Content.Size(), at, b.ID, b.Key(row.Key)
	_, known, err = box.AcceptContent(ctx, s, m.Content)
	return known, err
}

// stored is a row's message as the outbox takes it, but for what the batch and
// the content decide.
func stored(m *mailobject.Mail, row rows.Row) spool.Message {
	return spool.Message{
		Mailbox: m.Envelope.ReversePath, Envelope: m.Envelope, From: m.From, MessageID: m.MessageID,
		Priority: spool.Bulk, Row: row.Key, Source: "batch",
	}
}

// Account counts the outcomes of the rows of a batch.
type Account struct {
	Accepted int // by the server
	Refused  int // dead, for any reason
	InDoubt  int // held because a server may have them
	Waiting  int // for their time, a limit, or a person
	Other    int // cancelled
	Doubts   int // of all, those with an attempt in doubt
}

// Total is the number of rows that are in the outbox.
func (a Account) Total() int { return a.Accepted + a.Refused + a.InDoubt + a.Waiting + a.Other }

// String is the account in one line.
func (a Account) String() string {
	s := fmt.Sprintf("%s: %d accepted, %d refused, %d in doubt, %d waiting", counted(a.Total(), "row"), a.Accepted, a.Refused, a.InDoubt, a.Waiting)
	if a.Other > 0 {
		s += fmt.Sprintf(", %d cancelled", a.Other)
	}
	return s
}

// Take reads the account of a batch from the outbox. Of what is held, a server
// may have what is in doubt; the rest is held because an operator wanted it. What is
// still coming in, or broke off, is not taken, and no row of the batch yet.
func Take(ctx context.Context, box *outbox.Outbox, b mailmerge.Batch) (Account, error) {
	all, inDoubt, err := mailmerge.Counts(ctx, box, b.ID)
	if err != nil {
		return Account{}, err
	}
	a := Account{
		Accepted: all[outbox.Sent], Refused: all[outbox.Dead], InDoubt: inDoubt[outbox.Held], Other: all[outbox.Cancelled],
		Waiting: all[outbox.Ready] + all[outbox.Sending] + all[outbox.Held] - inDoubt[outbox.Held],
	}
	for _, n := range inDoubt {
		a.Doubts += n
	}
	return a, nil
}

// pageSize is how many messages a list has in memory at once.
const pageSize = 500

// taken are the states of messages that were taken.
var taken = []outbox.State{outbox.Ready, outbox.Sending, outbox.Held, outbox.Sent, outbox.Dead, outbox.Cancelled}

// each calls do for every message of a batch, the newest first.
func each(ctx context.Context, box *outbox.Outbox, b mailmerge.Batch, do func(operator.Detail) error) error {
	f := operator.Filter{Batch: b.ID, States: taken, Limit: pageSize}
	for {
		list, err := operator.History(ctx, box, f)
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
func outcome(state outbox.State, inDoubt int) string {
	switch state {
	case outbox.Sent:
		return smtp.Accepted.Word()
	case outbox.Dead:
		return smtp.Permanent.Word()
	case outbox.Cancelled:
		return string(state)
	case outbox.Held:
		if inDoubt > 0 {
			return smtp.InDoubt.Word()
		}
	}
	return "waiting"
}

// stamp is empty for a message that is not finished.
func stamp(finished time.Time) string {
	if finished.IsZero() {
		return ""
	}
	return finished.Format(time.RFC3339)
}
