package main

// A finding in full, on standard output, for the verbs whose result it is.
// Sentences are wrapped; commands are not, so that they can be copied.

import (
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// lineWidth is where sentences are wrapped.
const lineWidth = 100

// printFinding shows all that the catalogue says.
func (g *globals) printFinding(f diagnosis.Finding) {
	g.Printf("%s  (%s, %s)\n", printable.Line(f.Title), f.Code, f.Class)
	if len(f.Matched) > 0 {
		g.Text(labelled("recognised by", strings.Join(f.Matched, " | ")))
	}
	if f.Cause != "" {
		g.Text(labelled("cause", f.Cause))
	}
	for i, fix := range f.Fixes {
		label := "fix"
		if i > 0 {
			label = "or"
		}
		g.printFix(label, fix)
	}
	if f.ClientDoes != "" {
		g.Text(labelled("smtpsend", f.ClientDoes))
	}
	for _, url := range f.ReadOn {
		g.Printf("  %-*s%s\n", labelWidth, "read on", printable.Line(url))
	}
}

func (g *globals) printFix(label string, fix diagnosis.Fix) {
	text := fix.Text
	if fix.Who != "" {
		text += " (" + fix.Who + ")"
	}
	g.Text(labelled(label, text))
	g.printCommands(fix.Commands)
}

func (g *globals) printCommands(commands []string) {
	for _, c := range commands {
		g.Printf("  %-*s    %s\n", labelWidth, "", printable.Line(c))
	}
}

// labelWidth is the column in which sentences begin.
const labelWidth = 15

// labelled is a sentence behind its label, wrapped.
func labelled(label, text string) string {
	body := wrapped(text, strings.Repeat(" ", labelWidth+2))
	return "  " + label + strings.Repeat(" ", labelWidth-len(label)) + strings.TrimLeft(body, " ")
}

// wrapped breaks a text at blanks into lines that begin with indent.
func wrapped(text, indent string) string {
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(printable.Line(text)) {
		if line != "" && utf8.RuneCountInString(indent)+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > lineWidth {
			b.WriteString(indent + line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	b.WriteString(indent + line + "\n")
	return b.String()
}
