package progress

import (
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Batch says what happens to a batch.
type Batch struct {
	Printer *stdio.Printer
	Quiet   bool   // with --json: notes alone
	File    string // the name of the file of rows
}

// Print says what an event tells. It is for batch.RunOptions.Tell.
func (v Batch) Print(event batch.Event) {
	switch e := event.(type) {
	case batch.SourceChanged:
		v.Printer.Line("note", "%s has changed since the last start; %s whose key is known %s as first put into the outbox",
			v.File, view.Counted(e.Known, "row"), view.Plural(e.Known, "stays", "stay"))
	case batch.TriedAgain:
		switch {
		case e.Mailbox.Held():
			v.Printer.Line("note", "mailbox %s was held (%s): tried again", e.Mailbox.Name, e.Mailbox.Code)
		case e.Mailbox.Pause == mailbox.PauseServer:
			v.Printer.Line("note", "mailbox %s paused (%s): tried again", e.Mailbox.Name, e.Mailbox.Code)
		}
		for _, s := range e.Mailbox.Senders {
			v.Printer.Line("note", "mail from %s was held (%s): tried again", printable.Line(s.Address), s.Code)
		}
	case batch.OtherSender:
		v.Printer.Line("note", "another process submits from this outbox, including these rows; when it ends, this one continues")
	default:
		if !v.Quiet {
			v.printProgress(event)
		}
	}
}

func (v Batch) printProgress(event batch.Event) {
	switch e := event.(type) {
	case batch.GoesOn:
		v.Printer.Printf("batch %q continues; begun %s: %s\n", e.Batch.Name, e.Batch.CreatedAt.Local().Format("2006-01-02 15:04"), e.Before)
	case batch.Stuck:
		v.Printer.Warningf("no further rows are taken: %v", e.Err)
	case batch.Progress:
		v.Printer.Progress(progressText(e) + pauseText(e))
	case batch.ProgressEnds:
		v.Printer.Progress("")
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
		return fmt.Sprintf("; %s waits until %s: %s", m.Name, view.Clock(m.WaitsUntil, now), view.AtMost(printable.Line(diagnosis.Short(view.MailboxReason(m.Wait))), view.InTable))
	}
	if !p.Last.IsZero() {
		return "; the last row is due at " + view.Clock(p.Last, now)
	}
	return ""
}
