package batch_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/tally"
)

// start runs a batch of a file that only puts rows into the outbox, and returns the
// types of its events beside how it ended.
func start(t *testing.T, box *outbox.Outbox, name string) (events []string, end batch.End) {
	t.Helper()
	f, err := rows.Open(t.Context(), name, "id", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	known, _, err := batch.KnownIn(t.Context(), box, "mailing", "id")
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, addTemplate)
	checked, err := batch.CheckFile(t.Context(), f, p, known)
	if err != nil {
		t.Fatal(err)
	}
	run, err := batch.Start(t.Context(), batch.RunOptions{
		Name: "mailing", Keyed: true, File: f, Plan: p, Checked: checked, Box: box, AddOnly: true,
		Tally: func(mailmerge.Batch) *tally.Tally { return tally.New(tally.Options{Config: &config.Config{}}) },
		Tell:  func(e batch.Event) { events = append(events, fmt.Sprintf("%T", e)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	failed := run.Do(t.Context())
	if failed != nil {
		t.Fatal(failed)
	}
	if end, err = run.End(t.Context(), false, failed); err != nil {
		t.Fatal(err)
	}
	return events, end
}

func TestARunGoesOnWhereItStopped(t *testing.T) {
	box, _ := openOutbox(t)
	name := filepath.Join(t.TempDir(), "rows.csv")
	for _, tt := range []struct {
		rows   int
		added  batch.Added
		events []string
	}{
		{3, batch.Added{New: 3}, nil},
		{3, batch.Added{Known: 3}, []string{"batch.GoesOn"}},
		{5, batch.Added{New: 2, Known: 3}, []string{"batch.SourceChanged", "batch.GoesOn"}},
	} {
		if err := os.WriteFile(name, []byte(data(0, tt.rows)), 0o600); err != nil {
			t.Fatal(err)
		}
		events, end := start(t, box, name)
		if end.Added != tt.added || end.NotTaken != 0 || end.Account.Waiting != tt.rows || end.Ending.Code() != exit.OK {
			t.Errorf("%d rows: %+v", tt.rows, end)
		}
		if !slices.Equal(events, tt.events) {
			t.Errorf("%d rows: events %q, want %q", tt.rows, events, tt.events)
		}
	}
	if _, _, err := batch.KnownIn(t.Context(), box, "mailing", "email"); ending.Code(err) != exit.Usage {
		t.Errorf("by another key: %v", err)
	} else if other, ok := errors.AsType[*batch.OtherKeyError](err); !ok || other.Key != "id" || !strings.Contains(err.Error(), "id") {
		t.Errorf("by another key: %v", err)
	}
}
