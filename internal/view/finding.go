package view

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// lineWidth is where sentences are wrapped.
const lineWidth = 100

// Finding shows all that the catalogue says, on standard output, for the verbs
// whose result it is. Sentences are wrapped; commands are not, so that they can be
// copied.
func Finding(p *stdio.Printer, f diagnosis.Finding) {
	p.Printf("%s  (%s, %s)\n", printable.Line(f.Title), f.Code, f.Class)
	if len(f.Matched) > 0 {
		p.Text(labelled("recognised by", strings.Join(f.Matched, " | ")))
	}
	if f.Cause != "" {
		p.Text(labelled("cause", f.Cause))
	}
	printFixes(p, f.Fixes)
	if f.ClientDoes != "" {
		p.Text(labelled("smtpsend", f.ClientDoes))
	}
	for _, url := range f.ReadOn {
		p.Printf("  %-*s%s\n", labelWidth, "more", printable.Line(url))
	}
}

// printFixes numbers several fixes: some are steps and others alternatives, and their
// texts say which.
func printFixes(p *stdio.Printer, fixes []diagnosis.Fix) {
	for i, fix := range fixes {
		label := "fix"
		if len(fixes) > 1 {
			label = fmt.Sprintf("fix %d", i+1)
		}
		printFix(p, label, fix)
	}
}

func printFix(p *stdio.Printer, label string, fix diagnosis.Fix) {
	text := fix.Text
	if fix.Who != "" {
		text += " (" + fix.Who + ")"
	}
	p.Text(labelled(label, text))
	printCommands(p, fix.Commands)
}

func printCommands(p *stdio.Printer, commands []string) {
	for _, c := range commands {
		p.Printf("  %-*s    %s\n", labelWidth, "", printable.Line(c))
	}
}

// labelWidth is the column in which sentences begin.
const labelWidth = 15

// labelled is a sentence after its label, wrapped.
func labelled(label, text string) string {
	body := Wrapped(text, strings.Repeat(" ", labelWidth+2))
	return "  " + label + strings.Repeat(" ", labelWidth-len(label)) + strings.TrimLeft(body, " ")
}

// Wrapped breaks a text at blanks into lines that begin with indent.
func Wrapped(text, indent string) string {
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

// shownFixes is how many fixes follow a failure: the likeliest, and the other
// way out where there are two.
const shownFixes = 2

// Failure says on standard error what went wrong: title, the server's words, cause,
// the first fixes and where the rest is.
func Failure(p *stdio.Printer, f diagnosis.Finding, said string) {
	p.Errorf("%s", f.Title)
	if said != "" {
		p.Line("said", "%s", said)
	}
	if f.Cause != "" {
		p.Line("cause", "%s", f.Cause)
	}
	for _, fix := range f.Fixes[:min(len(f.Fixes), shownFixes)] {
		failureFix(p, fix)
	}
	if f.Known() {
		p.Line("more", "smtpsend explain %s", f.Code)
	}
}

func failureFix(p *stdio.Printer, fix diagnosis.Fix) {
	text := fix.Text
	if fix.Who != "" {
		text += " (" + fix.Who + ")"
	}
	p.Line("fix", "%s", text)
	for _, command := range fix.Commands {
		p.Plainf("    %s", command)
	}
}
