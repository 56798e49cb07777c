package batch

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/rows"
)

// ErrOwnRows is the reason of OpenReport for a report over the rows themselves.
var ErrOwnRows = errors.New("the report is the file of rows")

// ReportFile is a file for the report of a batch. It stays open from before the first
// message on: root may be another user by the end.
type ReportFile struct{ f *os.File }

// OpenReport opens a file, so that the first message is not taken when it cannot be
// written. The error is ErrOwnRows when in is that file.
func OpenReport(ctx context.Context, name string, in *rows.File) (*ReportFile, error) {
	f, err := ownfile.Writable(ctx, name)
	if err != nil {
		return nil, exit.With(exit.CannotCreate, err)
	}
	info, err := f.Stat()
	if err != nil {
		return &ReportFile{f}, nil // writing will tell
	}
	same, err := in.SameAs(info)
	if same {
		err = ErrOwnRows
	}
	return &ReportFile{f}, err
}

// Write writes the report, as Report, in the place of what the file has, and closes it.
func (r *ReportFile) Write(ctx context.Context, box *outbox.Outbox, b mailmerge.Batch, reason func(operator.Mail) string) error {
	info, err := r.f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = r.f.Truncate(0)
	}
	if err == nil {
		err = Report(ctx, r.f, box, b, reason)
	}
	if err := errors.Join(err, r.f.Close()); err != nil {
		return exit.With(exit.IO, err)
	}
	return nil
}

// Report writes a CSV file with a line for each row of the batch: its key, the
// recipients, its outcome, the server's last words, the queue id, the
// Message-ID, attempts and time. Rows are in the order in which they were
// taken, the newest first; after them those whose messages were removed. A cell
// that a spreadsheet would run as a formula begins with an apostrophe. reason says in
// words why a message waits.
func Report(ctx context.Context, w io.Writer, box *outbox.Outbox, b mailmerge.Batch, reason func(operator.Mail) string) error {
	out := report{csv.NewWriter(w)}
	if err := out.Write([]string{"row", "recipients", "outcome", "reply", "queue_id", "message_id", "attempts", "in_doubt", "finished_at", "reason"}); err != nil {
		return err
	}
	err := each(ctx, box, b, func(d operator.Detail) error {
		return out.row(
			d.Row, recipients(d), outcome(d.State, d.InDoubt), lastReply(d), string(d.QID), d.MessageID, strconv.Itoa(d.Attempts),
			strconv.Itoa(d.InDoubt), stamp(d.FinishedAt), reason(d.Mail),
		)
	})
	if err == nil {
		err = reportPast(ctx, out, box, b)
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	out.Flush()
	return out.Error()
}

// report writes cells that a spreadsheet shows and does not run, nor a terminal:
// keys are those of the rows, and replies are a server's words.
type report struct{ *csv.Writer }

func (r report) row(cells ...string) error {
	for i, cell := range cells {
		cell = printable.Text(cell)
		if first, n := utf8.DecodeRuneInString(cell); n > 0 && strings.ContainsRune("=+-@\t\r＝＋－＠", first) {
			cell = "'" + cell
		}
		cells[i] = cell
	}
	return r.Write(cells)
}

// reportPast writes a line for each row whose message was removed.
func reportPast(ctx context.Context, out report, box *outbox.Outbox, b mailmerge.Batch) error {
	for after := ""; ; {
		list, err := mailmerge.PastRows(ctx, box, b.ID, after, pageSize)
		for _, p := range list {
			after = p.Row
			if err == nil {
				err = out.row(p.Row, "", outcome(p.State, p.InDoubt), "", string(p.QID), "", "", strconv.Itoa(p.InDoubt), stamp(p.FinishedAt), "removed from the outbox")
			}
		}
		if err != nil || len(list) < pageSize {
			return err
		}
	}
}

func recipients(d operator.Detail) string {
	var paths []string
	for _, r := range d.RecipientStates {
		paths = append(paths, r.ForwardPath)
	}
	return strings.Join(paths, " ")
}

// lastReply is the last that a server said about the message.
func lastReply(d operator.Detail) string {
	for i := len(d.Events) - 1; i >= 0; i-- {
		if e := d.Events[i]; e.Code != 0 {
			return strings.TrimSpace(fmt.Sprintf("%d %s", e.Code, strings.ReplaceAll(e.Text, "\n", " ")))
		}
	}
	return ""
}
