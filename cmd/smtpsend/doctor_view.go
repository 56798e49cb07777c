package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// The columns of a check: status, name, what was seen, time.
const (
	statusWidth = 9
	nameWidth   = 11
	seenWidth   = 76
	maxSeen     = 240 // of what was seen where something is wrong; --json has the whole
)

// checkPrinter shows each check as soon as it ends. Those that a failure keeps
// from being made are gathered into one line.
type checkPrinter struct {
	g       *globals
	skipped []string
	failed  bool
}

func (p *checkPrinter) print(c doctor.Check) {
	if c.Needs != "" {
		p.skipped = append(p.skipped, c.Name)
		return
	}
	p.flush()
	width := maxSeen
	if c.Status == doctor.OK {
		width = seenWidth
	}
	seen := atMost(printable.Line(c.Seen), width)
	line := fmt.Sprintf("%-*s%-*s%s", statusWidth, c.Status, nameWidth, c.Name, seen)
	if c.Took >= time.Millisecond/2 {
		pad := max(0, seenWidth-utf8.RuneCountInString(seen))
		line += fmt.Sprintf("%s %6d ms", strings.Repeat(" ", pad), c.Took.Round(time.Millisecond).Milliseconds())
	}
	p.g.Printf("%s\n", line)
	if p.failed && c.Status != doctor.Failed {
		return // the cause is elsewhere: nothing is explained below it
	}
	p.failed = p.failed || c.Status == doctor.Failed
	for _, note := range c.Notes {
		p.g.Text(wrapped(note, strings.Repeat(" ", statusWidth+nameWidth+2)))
	}
}

// flush shows what was gathered.
func (p *checkPrinter) flush() {
	if len(p.skipped) > 0 {
		text := wrapped(strings.Join(p.skipped, ", "), strings.Repeat(" ", statusWidth))
		p.g.Printf("%-*s", statusWidth, doctor.Skipped)
		p.g.Text(strings.TrimLeft(text, " "))
		p.skipped = nil
	}
}

// printVerdict explains the one cause, or says that there is none.
func (g *globals) printVerdict(r *doctor.Report) {
	g.Printf("\n")
	for _, w := range r.Warnings {
		g.Printf("note: %s  (%s)\n", w.Title, w.Code)
		g.Text(labelled("cause", w.Cause))
		if len(w.Fixes) > 0 {
			g.printFix("fix", w.Fixes[0])
		}
		g.Printf("\n")
	}
	if r.Healthy {
		g.Printf("healthy: %s\n", healthyText(r))
		return
	}
	f := *r.Finding
	g.Printf("not healthy: %s  (%s, at %s)\n", printable.Line(f.Title), f.Code, r.Broken)
	if r.Broken != "settings" { // what was seen there stands just above, a line each
		g.Text(labelled("proof", atMost(r.Proof, 600)))
	}
	g.Text(labelled("cause", f.Cause))
	if len(r.Suspects) > 0 {
		g.printSuspects(r.Suspects)
	} else {
		for i, fix := range f.Fixes {
			label := "fix"
			if i > 0 {
				label = "or"
			}
			g.printFix(label, fix)
		}
	}
	if f.Known() {
		g.Text(labelled("more", "smtpsend explain "+f.Code))
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
func (g *globals) printSuspects(list []doctor.Suspect) {
	g.Text("\n" + wrapped(fmt.Sprintf("Exchange gives this answer for each of %d causes, and nothing else tells them apart from here. "+
		"They stand in the order of likelihood, as far as the token's claims tell it; begin at the top.", len(list)), "  "))
	for i, s := range list {
		g.Printf("\n  %d. ", i+1)
		g.Text(strings.TrimLeft(wrapped(s.Cause, "     "), " "))
		if len(s.Look) > 0 {
			g.Text(labelled("   to tell", "Run:"))
			g.printCommands(s.Look)
			g.Text(labelled("", s.Tell))
		} else {
			g.Text(labelled("   to tell", s.Tell))
		}
		g.printFix("   fix", s.Fix)
	}
	g.Text("\n" + wrapped("After a change wait 30 minutes without a sign-in (smtpsend doctor --wait does).", "  "))
}

// reportView is the report for --json, meant for a support case.
type reportView struct {
	Healthy  bool                `json:"healthy"`
	InDoubt  bool                `json:"in_doubt,omitempty"`
	ExitCode int                 `json:"exit_code"`
	Version  string              `json:"version"`
	System   string              `json:"system"`
	Started  time.Time           `json:"started"`
	Setup    setupView           `json:"setup"`
	Checks   []checkView         `json:"checks"`
	Broken   string              `json:"broken,omitempty"`
	Proof    string              `json:"proof,omitempty"`
	Finding  *diagnosis.Finding  `json:"finding,omitempty"`
	Suspects []doctor.Suspect    `json:"suspects,omitempty"`
	Warnings []diagnosis.Finding `json:"warnings,omitempty"`
	Dialogue []string            `json:"dialogue,omitempty"`
}

// setupView is whom and where was asked; no secret is among it.
type setupView struct {
	Mailbox  string   `json:"mailbox,omitempty"`
	From     string   `json:"from,omitempty"`
	Server   string   `json:"server,omitempty"`
	Token    string   `json:"token_endpoint,omitempty"`
	ClientID string   `json:"client_id,omitempty"`
	TenantID string   `json:"tenant_id,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
}

type checkView struct {
	doctor.Check
	Took  float64 `json:"took_ms"`
	Limit float64 `json:"limit_ms,omitempty"`
}

func newReportView(r *doctor.Report, o doctor.Options, cfg *config.Config, code int) reportView {
	v, _ := buildVersion()
	view := reportView{
		Healthy: r.Healthy, InDoubt: r.InDoubt, ExitCode: code, Version: v, Started: r.Started,
		System: runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version(),
		Setup: setupView{
			Mailbox: o.Session.Mailbox, From: o.From, Server: cfg.Addr(), Token: cfg.TokenURL(),
			ClientID: cfg.OfficeClientID, TenantID: cfg.OfficeTenantID, Scopes: cfg.OfficeAccessScopes,
		},
		Broken: r.Broken, Proof: r.Proof, Finding: r.Finding, Suspects: r.Suspects, Warnings: r.Warnings, Dialogue: r.Dialogue,
	}
	for _, c := range r.Checks {
		view.Checks = append(view.Checks, checkView{c, milliseconds(c.Took), milliseconds(c.Limit)})
	}
	return view
}
