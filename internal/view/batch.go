package view

import (
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Forecast is how long a batch will take.
type Forecast struct {
	stdio.Schema
	Ahead          int        `json:"ahead"`
	Days           int        `json:"days"`
	Done           int        `json:"done"`
	ExitCode       int        `json:"exit_code"`
	LastAt         *time.Time `json:"last_at"` // null when no row asks for a time
	Mailboxes      int        `json:"mailboxes"`
	Messages       int        `json:"messages"`
	Recipients     int        `json:"recipients"`
	RecipientsUsed int        `json:"recipients_used"`
	Takes          float64    `json:"takes_s"`

	text string
}

// NewForecast is the view of a forecast.
func NewForecast(f batch.Forecast) Forecast {
	return Forecast{
		Messages: f.Messages, Recipients: f.Recipients, Mailboxes: f.Mailboxes, Days: f.Days, Done: f.Done,
		RecipientsUsed: f.Used, Ahead: f.Ahead, LastAt: OrNil(f.Last), Takes: f.Takes.Seconds(), ExitCode: exit.OK, text: f.String(),
	}
}

// Print writes the forecast in a line.
func (v Forecast) Print(p *stdio.Printer) { p.Printf("%s\n", v.text) }

// BatchPreview is what batch --dry-run has written.
type BatchPreview struct {
	stdio.Schema
	ExitCode  int    `json:"exit_code"`
	Index     string `json:"index"` // the page to look through the messages
	Messages  int    `json:"messages"`
	Submitted bool   `json:"submitted"`
}

// Print writes where the page is.
func (v BatchPreview) Print(p *stdio.Printer) {
	p.Printf("not submitted: --dry-run; %d %s written; open %s to see them\n", v.Messages, Plural(v.Messages, "message", "messages"), v.Index)
}

// Rows warns of what is odd about rows that were checked, in the file of that name.
func Rows(p *stdio.Printer, name string, c batch.Checked) {
	if c.Legacy > 0 {
		p.Warningf("%s: line %d is not UTF-8: read as Windows-1252; if that is wrong, name its charset with --charset, such as cp850", name, c.Legacy)
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
	stdio.Schema
	Bad      int       `json:"bad_rows"`
	Error    string    `json:"error"`
	ExitCode int       `json:"exit_code"`
	Problems []Problem `json:"problems"` // of the first batch.MaxProblems
	Unread   bool      `json:"unread"`   // there were so many that the rest was not looked at

	lines []error
}

// Problem is what is wrong with a row.
type Problem struct {
	Line    int    `json:"line"`
	Problem string `json:"problem"`
	Row     int    `json:"row"`
}

// NewBadRows is the view of the wrong rows of the file of that name. worded adds what
// helps to the reason of a row.
func NewBadRows(name string, c batch.Checked, worded func(error) error) BadRows {
	v := BadRows{Bad: c.Bad, Problems: []Problem{}, Unread: c.Unread, ExitCode: exit.Data}
	v.Error = fmt.Sprintf("%s: %d of %d rows cannot be used; nothing was submitted", name, c.Bad, c.Bad+c.Rows)
	if c.Unread {
		v.Error = fmt.Sprintf("%s: %d rows cannot be used, and later ones were not checked; nothing was submitted", name, c.Bad)
	}
	for _, p := range c.Problems {
		v.Problems = append(v.Problems, Problem{Row: p.N, Line: p.Line, Problem: worded(p.Err).Error()})
		v.lines = append(v.lines, worded(&p))
	}
	return v
}

// shownProblems is how many wrong rows people are shown; --json has more.
const shownProblems = 20

// Print lists them on standard error, but for Error.
func (v BadRows) Print(p *stdio.Printer) {
	for _, line := range v.lines[:min(len(v.lines), shownProblems)] {
		p.Errorf("%v", line)
	}
	if more := max(v.Bad, len(v.lines)) - shownProblems; more > 0 {
		p.Errorf("and %d more", more)
	}
}

// BatchEnd is how a run of a batch ended.
type BatchEnd struct {
	stdio.Schema
	Accepted  int     `json:"accepted"`
	Added     int     `json:"added"`
	Batch     string  `json:"batch"`
	Cancelled int     `json:"cancelled"`
	Doubts    int     `json:"doubts"`
	Error     *string `json:"error"` // null for none
	ExitCode  int     `json:"exit_code"`
	InDoubt   int     `json:"in_doubt"`
	Known     int     `json:"known"`
	NotTaken  int     `json:"not_taken"`
	Refused   int     `json:"refused"`
	Rows      int     `json:"rows"` // of the file, that can be used
	Waiting   int     `json:"waiting"`

	account     batch.Account
	addOnly     bool
	interrupted bool
}

// BatchRun is a run of a batch, as far as its end is told by it.
type BatchRun struct {
	Name        string
	Rows        int   // of the file, that can be used
	Failed      error // in words for people, nil for none
	AddOnly     bool
	Interrupted bool
}

// NewBatchEnd is the view of the end of a run.
func NewBatchEnd(run BatchRun, end batch.End) BatchEnd {
	a := end.Account
	v := BatchEnd{
		Batch: run.Name, Rows: run.Rows, Added: end.Added.New, Known: end.Added.Known,
		Accepted: a.Accepted, Refused: a.Refused, InDoubt: a.InDoubt, Waiting: a.Waiting,
		Cancelled: a.Other, NotTaken: end.NotTaken, Doubts: a.Doubts, ExitCode: end.Ending.Code(),
		account: a, addOnly: run.AddOnly, interrupted: run.Interrupted,
	}
	if run.Failed != nil {
		v.Error = new(run.Failed.Error())
	}
	return v
}

// Print shows the account, and how what is left gets done.
func (v BatchEnd) Print(p *stdio.Printer) {
	a := v.account
	text := a.String()
	if v.NotTaken > 0 {
		text += fmt.Sprintf("; %s not taken yet", Counted(v.NotTaken, "row"))
	}
	p.Printf("%s\n", text)
	if again := a.Doubts - a.InDoubt; again > 0 {
		p.Line("note", "%d accepted %s in doubt once and sent again: a duplicate is possible; see smtpsend queue ls --all --batch %q",
			again, Plural(again, "row was", "rows were"), v.Batch)
	}
	switch {
	case v.interrupted && v.NotTaken > 0:
		p.Line("note", "interrupted; the same command continues where it stopped")
	case v.NotTaken > 0:
		p.Line("note", "when the cause is fixed, the same command continues where it stopped")
	case v.interrupted && a.Waiting > 0:
		p.Line("note", "interrupted; the same command, or smtpsend queue run --drain, continues where it stopped")
	case a.Waiting > 0 && v.addOnly:
		p.Line("note", "smtpsend queue run submits what is due")
	case a.Waiting > 0:
		p.Line("note", "%d %s; smtpsend queue why says why. When the cause is fixed, the same command continues",
			a.Waiting, Plural(a.Waiting, "row waits", "rows wait"))
	}
}
