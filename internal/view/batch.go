package view

import (
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Forecast is a forecast as JSON.
func Forecast(f batch.Forecast) map[string]any {
	return map[string]any{
		"messages": f.Messages, "recipients": f.Recipients, "mailboxes": f.Mailboxes, "days": f.Days, "done": f.Done,
		"recipients_used": f.Used, "ahead": f.Ahead, "last_at": OrNil(f.Last), "takes_s": f.Takes.Seconds(), "exit_code": exit.OK,
	}
}

// Rows warns of what is odd about rows that were checked, in the file of that name.
func Rows(p *stdio.Printer, name string, c batch.Checked) {
	if c.Legacy > 0 {
		p.Warningf("%s: line %d is not UTF-8: read as Windows-1252; --charset says what it is in, such as cp850", name, c.Legacy)
	}
	if c.Twice > 0 {
		p.Warningf("%s: %d %s earlier in the file: one message for both", name, c.Twice, Plural(c.Twice, "row occurs", "rows occur"))
	}
	if c.Bad == 0 && c.Rows > 0 {
		Unsent(p, c.Unsent, "batch includes no images: use one on the web, with https:")
	}
}

// BadRows are rows that cannot be used.
type BadRows struct {
	Name    string // of the file
	Checked batch.Checked
	Worded  func(error) error // adds what helps to the reason of a row
}

// shownProblems is how many wrong rows people are shown; --json has more.
const shownProblems = 20

// Text says how many there are.
func (v BadRows) Text() string {
	c := v.Checked
	if c.Unread {
		return fmt.Sprintf("%s: %d rows cannot be used, and later ones were not checked; nothing was submitted", v.Name, c.Bad)
	}
	return fmt.Sprintf("%s: %d of %d rows cannot be used; nothing was submitted", v.Name, c.Bad, c.Bad+c.Rows)
}

// JSON lists them for --json.
func (v BadRows) JSON() map[string]any {
	problems := []map[string]any{}
	for _, p := range v.Checked.Problems {
		problems = append(problems, map[string]any{"row": p.N, "line": p.Line, "problem": v.Worded(p.Err).Error()})
	}
	return map[string]any{"error": v.Text(), "bad_rows": v.Checked.Bad, "unread": v.Checked.Unread, "problems": problems, "exit_code": exit.Data}
}

// Print lists them on standard error, but for Text.
func (v BadRows) Print(p *stdio.Printer) {
	c := v.Checked
	for _, problem := range c.Problems[:min(len(c.Problems), shownProblems)] {
		p.Errorf("%v", v.Worded(&problem))
	}
	if more := max(c.Bad, len(c.Problems)) - shownProblems; more > 0 {
		p.Errorf("and %d more", more)
	}
}

// BatchEvents says what happens to a batch.
type BatchEvents struct {
	Printer *stdio.Printer
	Quiet   bool   // with --json: notes alone
	File    string // the name of the file of rows
}

// Print says what an event tells. It is for batch.RunOptions.Tell.
func (v BatchEvents) Print(event batch.Event) {
	switch e := event.(type) {
	case batch.SourceChanged:
		v.Printer.Line("note", "%s is not what it was at the last start; %s whose key is known %s as taken then",
			v.File, Counted(e.Known, "row"), Plural(e.Known, "stays", "stay"))
	case batch.TriedAgain:
		word := "paused"
		if e.Mailbox.Held() {
			word = "was held"
		}
		v.Printer.Line("note", "mailbox %s %s (%s): tried again", e.Mailbox.Name, word, e.Mailbox.Code)
	case batch.OtherSender:
		v.Printer.Line("note", "another process submits from this outbox, including these rows; when it ends, this one continues")
	default:
		if !v.Quiet {
			v.printProgress(event)
		}
	}
}

func (v BatchEvents) printProgress(event batch.Event) {
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
	text := fmt.Sprintf("%d of %s done, %d refused, %d in doubt", p.Done, Counted(p.Rows, "row"), p.Account.Refused, p.Account.InDoubt)
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
		return fmt.Sprintf("; %s waits until %s: %s", m.Name, Clock(m.WaitsUntil, now), AtMost(printable.Line(diagnosis.Short(MailboxReason(m.Wait))), InTable))
	}
	if !p.Last.IsZero() {
		return "; the last row is due at " + Clock(p.Last, now)
	}
	return ""
}

// BatchEnd is how a run of a batch ended.
type BatchEnd struct {
	Name        string
	Rows        int // of the file, that can be used
	End         batch.End
	Failed      any // the text of an error, nil for none
	AddOnly     bool
	Interrupted bool
}

// JSON is the account for --json.
func (v BatchEnd) JSON() map[string]any {
	a := v.End.Account
	return map[string]any{
		"error": v.Failed, "batch": v.Name, "rows": v.Rows, "added": v.End.Added.New, "known": v.End.Added.Known,
		"accepted": a.Accepted, "refused": a.Refused, "in_doubt": a.InDoubt, "waiting": a.Waiting,
		"cancelled": a.Other, "not_taken": v.End.NotTaken, "doubts": a.Doubts, "exit_code": v.End.Ending.Code(),
	}
}

// Print shows the account, and how what is left gets done.
func (v BatchEnd) Print(p *stdio.Printer) {
	a := v.End.Account
	text := a.String()
	if v.End.NotTaken > 0 {
		text += fmt.Sprintf("; %s not taken yet", Counted(v.End.NotTaken, "row"))
	}
	p.Printf("%s\n", text)
	if again := a.Doubts - a.InDoubt; again > 0 {
		p.Line("note", "%d accepted %s in doubt once and sent again: a duplicate is possible; see smtpsend queue ls --all --batch %q",
			again, Plural(again, "row was", "rows were"), v.Name)
	}
	switch {
	case v.Interrupted && v.End.NotTaken > 0:
		p.Line("note", "interrupted; the same command continues where it stopped")
	case v.End.NotTaken > 0:
		p.Line("note", "when the cause is fixed, the same command continues where it stopped")
	case v.Interrupted && a.Waiting > 0:
		p.Line("note", "interrupted; the same command, or smtpsend queue run --drain, continues where it stopped")
	case a.Waiting > 0 && v.AddOnly:
		p.Line("note", "smtpsend queue run submits what is due")
	case a.Waiting > 0:
		p.Line("note", "%d %s; smtpsend queue why says why. When the cause is fixed, the same command continues",
			a.Waiting, Plural(a.Waiting, "row waits", "rows wait"))
	}
}
