package relayview

import (
	"bytes"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Sessions are what a relay kept of its clients, the oldest first.
type Sessions struct {
	stdio.Schema
	ExitCode int               `json:"exit_code"`
	More     bool              `json:"more"` // before these
	Sessions []sessions.Record `json:"sessions"`
}

// NewSessions is the view of records.
func NewSessions(list []sessions.Record, more bool) Sessions {
	return Sessions{ExitCode: exit.OK, More: more, Sessions: append([]sessions.Record{}, list...)}
}

// Print writes a line for each, and the cause of a refusal in one of its own.
func (v Sessions) Print(p *stdio.Printer) {
	if len(v.Sessions) == 0 {
		p.Printf("no sessions\n")
		return
	}
	view.PrintMore(p, v.More, len(v.Sessions))
	refused := false
	for _, r := range v.Sessions {
		p.Printf("%s  %-7s  %s\n", r.Time.Local().Format("2006-01-02 15:04:05"), r.Kind, r.Summary())
		if r.Kind == sessions.Refused {
			refused = true
			p.Printf("    %s\n", r.Cause)
		}
	}
	if refused {
		p.Line("note", "smtpsend explain CODE says more")
	}
}

// Observed are those whom a relay that learns has seen, and the settings file that admits
// them.
type Observed struct {
	stdio.Schema
	ExitCode int                  `json:"exit_code"`
	Clients  []observation.Client `json:"clients"`
	Settings string               `json:"settings"`
	Users    []string             `json:"users"` // that need a password
	Notes    []string             `json:"notes"`
}

// NewObserved is the view of what was seen, and of the proposal that was made of it.
func NewObserved(seen *observation.Seen, p *observation.Proposal) Observed {
	return Observed{
		ExitCode: exit.OK, Clients: append([]observation.Client{}, seen.Clients...), Settings: p.Text,
		Users: append([]string{}, p.Users...), Notes: append([]string{}, p.Notes...),
	}
}

// Print writes the settings file, with all else in comments before it.
func (v Observed) Print(p *stdio.Printer) {
	var text bytes.Buffer
	t := stdio.NewTable(p.To(&text), observation.Columns()...)
	for i := range v.Clients {
		t.Row(v.Clients[i].Row()...)
	}
	t.Flush()
	for line := range strings.Lines(text.String()) {
		p.Printf("# %s\n", strings.TrimSuffix(line, "\n"))
	}
	for _, n := range v.Notes {
		p.Printf("#\n# note: %s\n", n)
	}
	p.Text("\n" + v.Settings)
}
