package view

import (
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/stdio"
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
	printMore(p, v.More, len(v.Sessions))
	refused := false
	for _, r := range v.Sessions {
		at := r.Time.Local().Format("2006-01-02 15:04:05")
		p.Printf("%s  %-7s  %s\n", at, r.Kind, r.Summary())
		if r.Kind == sessions.Refused {
			refused = true
			p.Printf("    %s\n", r.Cause)
		}
	}
	if refused {
		p.Line("note", "smtpsend explain CODE says more")
	}
}
