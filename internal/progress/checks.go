package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// The columns of a check: status, name, what was seen, time.
const (
	statusWidth = 9
	nameWidth   = 11
	seenWidth   = 76
	maxSeen     = 240 // of what was seen where something is wrong; --json has the whole
)

// Checks shows each check of doctor as soon as it ends. Those that a failure keeps
// from being made are gathered into one line.
type Checks struct {
	p       *stdio.Printer
	skipped []string
	failed  bool
}

// NewChecks shows checks on standard output.
func NewChecks(p *stdio.Printer) *Checks { return &Checks{p: p} }

// Print shows a check.
func (s *Checks) Print(c doctor.Check) {
	if c.Needs != "" {
		s.skipped = append(s.skipped, c.Name)
		return
	}
	s.Flush()
	width := maxSeen
	if c.Status == doctor.OK {
		width = seenWidth
	}
	seen := view.AtMost(printable.Line(c.Seen), width)
	line := fmt.Sprintf("%-*s%-*s%s", statusWidth, c.Status, nameWidth, c.Name, seen)
	if c.Took >= time.Millisecond/2 {
		pad := max(0, seenWidth-utf8.RuneCountInString(seen))
		line += fmt.Sprintf("%s %6d ms", strings.Repeat(" ", pad), c.Took.Round(time.Millisecond).Milliseconds())
	}
	s.p.Printf("%s\n", line)
	if s.failed && c.Status != doctor.Failed {
		return // the cause is elsewhere: nothing is explained below it
	}
	s.failed = s.failed || c.Status == doctor.Failed
	for _, note := range c.Notes {
		s.p.Text(view.Wrapped(note, strings.Repeat(" ", statusWidth+nameWidth+2)))
	}
}

// Flush shows what was gathered.
func (s *Checks) Flush() {
	if len(s.skipped) > 0 {
		text := view.Wrapped(strings.Join(s.skipped, ", "), strings.Repeat(" ", statusWidth))
		s.p.Printf("%-*s", statusWidth, doctor.Skipped)
		s.p.Text(strings.TrimLeft(text, " "))
		s.skipped = nil
	}
}
