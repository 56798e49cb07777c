package main

// This file alone writes to people on standard error, one line at a time, in which
// nothing foreign steers the terminal. Its rules: a line begins with "smtpsend: ", then "error", "warning", "cause", "fix", "more" or "note"; no
// capitalised initial and no full stop unless a whole sentence is quoted from
// the catalogue; commands stand on lines of their own, four blanks in, ready to
// paste.

import (
	"errors"
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/printable"
)

func (g *globals) errorf(format string, args ...any)   { g.line("error", format, args...) }
func (g *globals) warningf(format string, args ...any) { g.line("warning", format, args...) }

func (g *globals) line(kind, format string, args ...any) {
	fmt.Fprintf(g.stderr, "smtpsend: %s: %s\n", kind, visible(fmt.Sprintf(format, args...)))
}

// visible is text on one line, in which nothing steers the terminal. Where what
// prints it makes it so anyhow, it is for its length.
func visible(s string) string { return printable.Line(s) }

// verbosef says what happens, with -v.
func (g *globals) verbosef(format string, args ...any) {
	if g.verbose {
		fmt.Fprintf(g.stderr, "smtpsend: %s\n", visible(fmt.Sprintf(format, args...)))
	}
}

// plainf is a line of a dialogue, or a command.
func (g *globals) plainf(format string, args ...any) {
	fmt.Fprintf(g.stderr, "%s\n", visible(fmt.Sprintf(format, args...)))
}

// watched reports whether somebody looks at standard error, as far as can be
// known.
func (g *globals) watched() bool { return isTerminal(g.stderr) }

// passing shows how far something is. At a terminal it takes the place of what
// it showed before, and "" takes that away; elsewhere it is a line.
func (g *globals) passing(text string) {
	if !g.watched() {
		if text != "" {
			fmt.Fprintf(g.stderr, "smtpsend: %s\n", visible(text))
		}
		return
	}
	fmt.Fprintf(g.stderr, "\r\033[K%s", visible(text))
}

// remarks is standard error for what others write there line by line: the log,
// and cobra.
func (g *globals) remarks() io.Writer { return printable.NewWriter(g.stderr) }

// conversation is the terminal at which somebody is asked: what is typed comes
// from standard input, and the question goes to standard error.
func (g *globals) conversation() io.ReadWriter {
	return struct {
		io.Reader
		io.Writer
	}{g.stdin, g.stderr}
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
		g.plainf("    %s", command)
	}
}
