package stdio

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/smtpsend/smtpsend/internal/printable"
)

// Table lines up columns and cuts lines at the terminal's width, so that the last
// column, the longest, is what is cut.
type Table struct {
	p    *Printer
	text *strings.Builder
	tw   *tabwriter.Writer
}

// NewTable begins a table with the names of its columns.
func NewTable(p *Printer, head ...string) *Table {
	t := &Table{p: p, text: &strings.Builder{}}
	t.tw = tabwriter.NewWriter(t.text, 0, 1, 2, ' ', 0)
	t.Row(head...)
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	shown := make([]string, len(cells))
	for i, c := range cells {
		shown[i] = printable.Line(c)
	}
	fmt.Fprintln(t.tw, strings.Join(shown, "\t"))
}

// Flush writes the table as a result.
func (t *Table) Flush() {
	t.tw.Flush()
	width := t.p.Width()
	for line := range strings.Lines(t.text.String()) {
		line = strings.TrimRight(line, " \n")
		if runes := []rune(line); width > 3 && len(runes) > width {
			line = string(runes[:width-3]) + "..."
		}
		t.p.Printf("%s\n", line)
	}
}
