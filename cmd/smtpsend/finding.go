package main

import "github.com/smtpsend/smtpsend/internal/diagnosis"

// shownFixes is how many fixes follow a failure: the likeliest, and the other
// way out where there are two.
const shownFixes = 2

// finding prints title, the server's words, cause, the first fixes and where
// the rest stands.
func (g *globals) finding(f diagnosis.Finding, said string) {
	g.Errorf("%s", f.Title)
	if said != "" {
		g.Line("said", "%s", said)
	}
	if f.Cause != "" {
		g.Line("cause", "%s", f.Cause)
	}
	for _, fix := range f.Fixes[:min(len(f.Fixes), shownFixes)] {
		g.fix(fix)
	}
	if f.Known() {
		g.Line("more", "smtpsend explain %s", f.Code)
	}
}

func (g *globals) fix(fix diagnosis.Fix) {
	text := fix.Text
	if fix.Who != "" {
		text += " (" + fix.Who + ")"
	}
	g.Line("fix", "%s", text)
	for _, command := range fix.Commands {
		g.Plainf("    %s", command)
	}
}
