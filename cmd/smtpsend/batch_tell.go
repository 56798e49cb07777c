package main

import (
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/view"
)

// progressLines is how often a line is printed where there is no terminal.
const progressLines = 30 * time.Second

// batchTeller says what happens to a batch whose rows are in the file of that name.
type batchTeller struct {
	*globals
	file string
}

func (t batchTeller) tell(event batch.Event) {
	switch e := event.(type) {
	case batch.SourceChanged:
		t.Line("note", "%s is not what it was at the last start; %s whose key is known %s as taken then",
			t.file, view.Counted(e.Known, "row"), view.Plural(e.Known, "stays", "stay"))
	case batch.GoesOn:
		if !t.json {
			t.Printf("batch %q goes on; begun %s: %s\n", e.Batch.Name, e.Batch.CreatedAt.Local().Format("2006-01-02 15:04"), e.Before)
		}
	case batch.Stuck:
		if !t.json {
			t.Warningf("no further rows are taken: %v", e.Err)
		}
	case batch.TriedAgain:
		word := "paused"
		if e.Mailbox.Held() {
			word = "was held"
		}
		t.Line("note", "mailbox %s %s (%s): tried again", e.Mailbox.Name, word, e.Mailbox.Code)
	case batch.OtherSender:
		t.Line("note", "another process submits from this outbox, these rows too; when it ends, this one goes on")
	case batch.Progress:
		t.Progress(progressText(e) + pauseText(e))
	case batch.ProgressEnds:
		if !t.json {
			t.Progress("")
		}
	}
}

// progressText says what is done, how fast, and how long the rest will take.
func progressText(p batch.Progress) string {
	text := fmt.Sprintf("%d of %s done, %d refused, %d in doubt", p.Done, view.Counted(p.Rows, "row"), p.Account.Refused, p.Account.InDoubt)
	if p.Here > 0 && p.Elapsed > time.Second {
		perMinute := float64(p.Here) / p.Elapsed.Minutes()
		left := time.Duration(float64(p.Rows-p.Done) / perMinute * float64(time.Minute))
		text += fmt.Sprintf(", %.0f a minute, %s left", perMinute, left.Round(time.Second))
	}
	return text
}

// pauseText says why and until when a mailbox submits nothing, or that a row asks
// for a later time, "" when neither is so.
func pauseText(p batch.Progress) string {
	now := time.Now()
	if m := p.Waits; m.Name != "" {
		return fmt.Sprintf("; %s waits until %s: %s", m.Name, view.Clock(m.WaitsUntil, now), view.AtMost(printable.Line(diagnosis.Short(m.Reason)), view.InTable))
	}
	if !p.Last.IsZero() {
		return "; the last row is due at " + view.Clock(p.Last, now)
	}
	return ""
}
