package docgen

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// themes are the chapters of the manual: a heading and the stages that belong
// to it by their entry's first stage.
var themes = []struct {
	heading string
	stages  []smtp.Stage
}{
	{"Before the network", []smtp.Stage{smtp.StageConfig}},
	{"Names, connections and TLS", []smtp.Stage{smtp.StageDial, smtp.StageGreeting, smtp.StageEHLO, smtp.StageStartTLS}},
	{"The token", []smtp.Stage{smtp.StageToken}},
	{"The sign-in", []smtp.Stage{smtp.StageAuth}},
	{"The mail", []smtp.Stage{smtp.StageMail, smtp.StageRcpt, smtp.StageData, smtp.StageContent, smtp.StageQuit}},
}

// WriteErrors writes the manual's chapter "Errors" as Markdown: for each entry a
// section whose anchor is its code, with the exact strings that people search
// for. Its errors are those of w.
func WriteErrors(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, manualHead)
	for _, t := range themes {
		fmt.Fprintf(b, "- %s:", t.heading)
		for i, e := range entriesOf(t.stages) {
			fmt.Fprintf(b, "%s [%s](#%s)", strings.Repeat(",", min(i, 1)), e.Code, e.Code)
		}
		fmt.Fprintln(b)
	}
	for _, t := range themes {
		fmt.Fprintf(b, "\n## %s\n", t.heading)
		for _, e := range entriesOf(t.stages) {
			writeEntry(b, e)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing the chapter: %w", err)
	}
	return nil
}

const manualHead = `# Errors

smtpsend writes this page from its catalogue of failures (` + "`smtpsend explain --list`" + `). The anchor of each section is its
code. ` + "`smtpsend explain CODE`" + ` shows a section in a terminal, and ` + "`smtpsend explain \"TEXT\"`" + ` finds the section for an
error that you paste. Replace what is in <angle brackets>; ` + "`smtpsend explain`" + ` fills in what the settings say.

What the classes mean:

| Class | Meaning |
|---|---|
| transient | passes by itself: try again after a pause |
| throttled | a limit was reached: send more slowly; nothing is lost |
| permanent | this message will not be accepted as it is |
| configuration | a setting or a permission has to be changed first |
| blocked | Microsoft has stopped the mailbox, the tenant or the address |

`

func entriesOf(stages []smtp.Stage) []diagnosis.Entry {
	var out []diagnosis.Entry
	for _, e := range diagnosis.Entries() {
		for _, s := range stages {
			if e.Stages[0] == s {
				out = append(out, e)
			}
		}
	}
	return out
}

// writeEntry writes one section. A bufio.Writer keeps its first error for Flush.
func writeEntry(b *bufio.Writer, e diagnosis.Entry) {
	fmt.Fprintf(b, "\n<a id=\"%s\"></a>\n### %s\n\n", e.Code, markdown(e.Title))
	for _, s := range e.Search {
		fmt.Fprintf(b, "`%s`  \n", diagnosis.Facts{}.Fill(s))
	}
	if len(e.Search) > 0 {
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "Code `%s`, class %s. %s\n", e.Code, e.Class, markdown(diagnosis.Facts{}.Fill(e.Cause)))
	for i, f := range e.Fixes {
		fmt.Fprintf(b, "\n%d. %s%s\n", i+1, markdown(diagnosis.Facts{}.Fill(f.Text)), by(f.Who))
		if len(f.Commands) > 0 {
			fmt.Fprint(b, "\n   ```\n")
			for _, c := range f.Commands {
				fmt.Fprintf(b, "   %s\n", diagnosis.Facts{}.FillCommand(c))
			}
			fmt.Fprint(b, "   ```\n")
		}
	}
	fmt.Fprintf(b, "\nWhat smtpsend does: %s\n", markdown(e.ClientDoes))
	writeSample(b, e)
	fmt.Fprint(b, "\nMore:")
	for i, u := range e.ReadOn {
		fmt.Fprintf(b, "%s <%s>", strings.Repeat(",", min(i, 1)), u)
	}
	fmt.Fprintln(b)
}

func writeSample(b *bufio.Writer, e diagnosis.Entry) {
	if e.Sample == "" {
		return
	}
	note := ""
	switch e.Sure {
	case diagnosis.SureSecondHand:
		note = " (the wording is known at second hand)"
	case diagnosis.SureUnproven:
		note = " (the wording is not proven)"
	}
	fmt.Fprintf(b, "\nExample%s:\n\n```\n", note)
	for _, s := range append([]string{e.Sample}, e.Variants...) {
		fmt.Fprintln(b, diagnosis.Facts{}.Fill(s))
	}
	fmt.Fprint(b, "```\n")
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " *(" + who + ")*"
}

// markdown keeps what looks like a tag or emphasis as it is written.
func markdown(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`).Replace(text)
}
