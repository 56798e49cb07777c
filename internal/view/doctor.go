package view

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Print explains the one cause, or says that there is none. The checks were shown
// before.
func (v Report) Print(p *stdio.Printer) {
	r := v.report
	p.Printf("\n")
	for _, w := range r.Warnings {
		p.Printf("note: %s  (%s)\n", w.Title, w.Code)
		p.Text(labelled("cause", w.Cause))
		if len(w.Fixes) > 0 {
			printFix(p, "fix", w.Fixes[0])
		}
		p.Printf("\n")
	}
	if r.Healthy {
		p.Printf("healthy: %s\n", healthyText(r))
		return
	}
	f := *r.Finding
	p.Printf("not healthy: %s  (%s, at %s)\n", printable.Line(f.Title), f.Code, r.Broken)
	if r.Broken != "settings" { // what was seen there stands just above, a line each
		p.Text(labelled("proof", AtMost(r.Proof, 600)))
	}
	p.Text(labelled("cause", f.Cause))
	if len(r.Suspects) > 0 {
		printSuspects(p, r.Suspects)
	} else {
		printFixes(p, f.Fixes)
	}
	if f.Known() {
		p.Text(labelled("more", "smtpsend explain "+f.Code))
	}
}

// healthyText says how much was proven.
func healthyText(r *doctor.Report) string {
	if last := r.Checks[len(r.Checks)-1]; last.Status != doctor.Skipped {
		return "the test message was accepted"
	}
	return "the sign-in is accepted; nothing was submitted"
}

// printSuspects lists the causes that the server's answer leaves.
func printSuspects(p *stdio.Printer, list []doctor.Suspect) {
	p.Text("\n" + Wrapped(fmt.Sprintf("Exchange gives this answer for %d different causes, and smtpsend cannot tell them apart from here. "+
		"The first one is the most likely, judged by the token's claims. Begin with it.", len(list)), "  "))
	for i, s := range list {
		p.Printf("\n  %d. ", i+1)
		p.Text(strings.TrimLeft(Wrapped(s.Cause, "     "), " "))
		if len(s.Look) > 0 {
			p.Text(labelled("   check", "Run:"))
			printCommands(p, s.Look)
			p.Text(labelled("", s.Tell))
		} else {
			p.Text(labelled("   check", s.Tell))
		}
		printFix(p, "   fix", s.Fix)
	}
	p.Text("\n" + Wrapped("After a change wait 30 minutes without a sign-in (smtpsend doctor --wait does).", "  "))
}

// Report is the report of doctor for --json, meant for a support case.
type Report struct {
	stdio.Schema
	Healthy  bool                `json:"healthy"`
	InDoubt  bool                `json:"in_doubt,omitempty"`
	ExitCode int                 `json:"exit_code"`
	Version  string              `json:"version"`
	System   string              `json:"system"`
	Started  time.Time           `json:"started"`
	Setup    Setup               `json:"setup"`
	Expiry   []expiry.Found      `json:"expiry"` // what ends by itself; empty when the settings cannot be used
	Checks   []TimedCheck        `json:"checks"`
	Broken   string              `json:"broken,omitempty"`
	Proof    string              `json:"proof,omitempty"`
	Finding  *diagnosis.Finding  `json:"finding,omitempty"`
	Suspects []doctor.Suspect    `json:"suspects,omitempty"`
	Warnings []diagnosis.Finding `json:"warnings,omitempty"`
	Dialogue []string            `json:"dialogue,omitempty"`

	report *doctor.Report
}

// Setup is whom and where was asked; no secret is among it.
type Setup struct {
	Mailbox  string   `json:"mailbox,omitempty"`
	From     string   `json:"from,omitempty"`
	Server   string   `json:"server,omitempty"`
	Token    string   `json:"token_endpoint,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	TenantID string   `json:"tenant_id,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
}

// TimedCheck is a check with its times in milliseconds.
type TimedCheck struct {
	doctor.Check
	Took  float64 `json:"took_ms"`
	Limit float64 `json:"limit_ms,omitempty"`
}

// NewReport makes the report of a program of that version. Its exit code is that of
// send.
func NewReport(r *doctor.Report, o doctor.Options, cfg *config.Config, version string) Report {
	view := Report{
		Healthy: r.Healthy, InDoubt: r.InDoubt, ExitCode: doctorCode(r), Version: version, Started: r.Started,
		System: runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version(),
		Setup: Setup{
			Mailbox: o.Session.Mailbox, From: o.From, Server: cfg.Addr(), Token: cfg.TokenURL(),
			ClientID: cfg.OfficeClientID, TenantID: cfg.OfficeTenantID, Scopes: cfg.OfficeAccessScopes,
		},
		Expiry: append([]expiry.Found{}, o.Ends...),
		Broken: r.Broken, Proof: r.Proof, Finding: r.Finding, Suspects: r.Suspects, Warnings: r.Warnings, Dialogue: r.Dialogue,
		report: r,
	}
	for _, c := range r.Checks {
		view.Checks = append(view.Checks, TimedCheck{c, Milliseconds(c.Took), Milliseconds(c.Limit)})
	}
	return view
}

// doctorCode is the exit code that send would end with.
func doctorCode(r *doctor.Report) int {
	if r.Healthy {
		return exit.OK
	}
	e := ending.Ending{Open: 1, Failures: []int{exit.Config}}
	if r.InDoubt {
		e = ending.Ending{InDoubt: 1}
	} else if cause := r.Cause(); cause != nil {
		e.Failures = []int{ending.FailureCode(cause, *r.Finding)}
	}
	return e.Code()
}
