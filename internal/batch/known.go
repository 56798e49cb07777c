package batch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/rows"
)

// OtherKeyError refuses to go on with a batch by another key: each of its rows would
// be another row, and submitted again.
type OtherKeyError struct {
	Batch string
	Key   string // the column by which the batch was started; "": a hash of the row
}

// Error says by which key the rows are known.
func (e *OtherKeyError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("batch %q: its rows are identified without a key", e.Batch)
	}
	return fmt.Sprintf("batch %q: its rows are identified by the key %s", e.Batch, e.Key)
}

// KnownIn returns what the outbox knows of the batch of that name: nil and a zero
// batch when it was not started yet. The error is *OtherKeyError for another key.
func KnownIn(ctx context.Context, box *outbox.Outbox, name, key string) (Known, mailmerge.Batch, error) {
	entry, err := mailmerge.Find(ctx, box, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, entry, nil
	}
	if err != nil {
		return nil, entry, ending.Outbox(err)
	}
	_, before, known := strings.Cut(entry.SourceSum, "/")
	if known && before != key {
		return nil, entry, exit.With(exit.Usage, &OtherKeyError{Batch: entry.Name, Key: before})
	}
	return func(keys []string) (map[string]bool, error) { return mailmerge.KnownRows(ctx, box, entry, keys) }, entry, nil
}

// CheckFile is Check for a file of rows. Its errors have exit codes (internal/exit).
func CheckFile(ctx context.Context, f *rows.File, p Plan, known Known) (Checked, error) {
	in, err := f.Rows()
	if err != nil {
		return Checked{}, err
	}
	checked, err := Check(ctx, in, p, known)
	if _, whole := errors.AsType[*rows.Error](err); whole {
		return checked, exit.With(exit.Data, fmt.Errorf("%s: %w", f.Name(), err))
	}
	return checked, ending.Outbox(err)
}
