package main

// This file alone writes to people on standard error. Its rules: a line begins
// with "smtpsend: ", then "error", "warning", "cause", "fix", "more" or "note"; no
// capitalised initial and no full stop unless a whole sentence is quoted from
// the catalogue; commands stand on lines of their own, four blanks in, ready to
// paste.

import (
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

func (g *globals) errorf(format string, args ...any)   { g.line("error", format, args...) }
func (g *globals) warningf(format string, args ...any) { g.line("warning", format, args...) }

func (g *globals) line(kind, format string, args ...any) {
	fmt.Fprintf(g.stderr, "smtpsend: %s: %s\n", kind, visible(fmt.Sprintf(format, args...)))
}

// visible keeps a server's or a file's text from steering the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if steers(r) {
			return '?'
		}
		return r
	}, s)
}

// steers reports what a terminal obeys instead of showing it: controls, and
// changes of direction and line ends of Unicode.
func steers(r rune) bool {
	return r < ' ' || (r >= 0x7f && r < 0xa0) || (r >= 0x2028 && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}

// verbosef says what happens, with -v.
func (g *globals) verbosef(format string, args ...any) {
	if g.verbose {
		fmt.Fprintf(g.stderr, "smtpsend: %s\n", visible(fmt.Sprintf(format, args...)))
	}
}

// conclude tells the reader of the error that ended a verb, if nobody did, and
// returns the exit code.
func (g *globals) conclude(err error) int {
	code := codeOf(err)
	var exit *exitError
	if err == nil || (errors.As(err, &exit) && exit.shown) {
		return code
	}
	var problems *config.Problems
	switch {
	case g.json:
		g.printJSON(map[string]any{"error": err.Error(), "exit_code": code})
	case errors.As(err, &problems):
		g.problems(problems)
	case code == exitInterrupted:
		g.errorf("interrupted")
	case code == exitBug:
		g.errorf("%v (a bug in smtpsend, or an error that it does not know)", err)
	default:
		g.errorf("%v", err)
	}
	return code
}

// problems prints what is wrong with the settings, a line each. An env file that
// cannot be read is a warning, and the cause of the errors behind it.
func (g *globals) problems(p *config.Problems) {
	g.warnings(p.Warnings())
	for _, problem := range p.Errors() {
		g.errorf("%s", problem)
	}
}

func (g *globals) warnings(list []config.Problem) {
	for _, problem := range list {
		g.warningf("%s", problem)
	}
}

// shownFixes is how many fixes follow a failure: the likeliest, and the other
// way out where there are two.
const shownFixes = 2

// finding prints title, the server's words, cause, the first fixes and where
// the rest stands.
func (g *globals) finding(f diagnosis.Finding, said string) {
	g.errorf("%s", f.Title)
	if said != "" {
		g.line("said", "%s", said)
	}
	if f.Cause != "" {
		g.line("cause", "%s", f.Cause)
	}
	for _, fix := range f.Fixes[:min(len(f.Fixes), shownFixes)] {
		g.fix(fix)
	}
	if f.Known() {
		g.line("more", "smtpsend explain %s", f.Code)
	}
}

func (g *globals) fix(fix diagnosis.Fix) {
	text := fix.Text
	if fix.Who != "" {
		text += " (" + fix.Who + ")"
	}
	g.line("fix", "%s", text)
	for _, command := range fix.Commands {
		fmt.Fprintf(g.stderr, "    %s\n", visible(command))
	}
}
