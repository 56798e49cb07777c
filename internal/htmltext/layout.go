package htmltext

import (
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/thirdparty/html"
	"github.com/smtpsend/smtpsend/internal/thirdparty/html/atom"
)

// endLine writes the words collected so far, wrapped.
func (w *writer) endLine() {
	text := strings.TrimSpace(w.line.String())
	w.line.Reset()
	w.space = false
	if text == "" {
		return
	}
	if w.narrow {
		w.put(text)
		return
	}
	room := max(width-utf8.RuneCountInString(w.indent), 20)
	w.wrap(text, room)
}

// put writes one line after the indentation, and the empty line that is due.
func (w *writer) put(line string) {
	tooLong := w.most > 0 && w.out.Len()+len(line) > w.most
	if tooLong || w.ctx.Err() != nil {
		w.full = true
	}
	if w.full {
		return
	}
	if w.gap && w.written {
		w.out.WriteString(strings.TrimRight(w.quoteMarks(), " ") + "\n")
	}
	w.gap, w.written = false, true
	prefix := w.indent
	if w.mark != "" {
		prefix, w.mark = w.mark, ""
	}
	w.out.WriteString(strings.TrimRight(prefix+line, " ") + "\n")
}

// quoteMarks keeps an empty line within a quotation part of it.
func (w *writer) quoteMarks() string {
	if strings.HasPrefix(w.indent, ">") && strings.HasSuffix(w.out.String(), "\n") && w.mark == "" {
		lines := strings.TrimSuffix(w.out.String(), "\n")
		if i := strings.LastIndexByte(lines, '\n'); strings.HasPrefix(lines[i+1:], ">") {
			return w.indent
		}
	}
	return ""
}

// wrap writes text in lines that end at blanks. A word that is longer than room,
// such as a link, stays whole.
func (w *writer) wrap(text string, room int) {
	start, end, used := 0, 0, 0 // of the line, in octets; its length in characters
	for end < len(text) && w.goesOn() {
		next := len(text)
		if i := strings.IndexByte(text[end+1:], ' '); i >= 0 {
			next = end + 1 + i
		}
		n := utf8.RuneCountInString(text[end:next]) // with the blank before it
		if end > 0 && (used == 0 || used+n > room) {
			if used > 0 {
				w.put(text[start:end])
			}
			start, n, used = end+1, n-1, 0
		}
		end, used = next, used+n
	}
	w.put(text[start:end])
}

// preformatted writes text line by line as it is.
func (w *writer) preformatted(text string) {
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		w.put(strings.TrimRight(line, " \r"))
	}
}

// textOf is all text below n, white space kept.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		switch {
		case c.Type == html.TextNode:
			b.WriteString(c.Data)
		case c.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// table writes a table of data in columns. A table that only lays the page out,
// as most mails have them - one cell a row, or cells with blocks in them - is
// read as running text.
func (w *writer) table(n *html.Node) {
	rows := cellsOf(n)
	grid, ok := w.flatten(rows)
	if !ok {
		for _, row := range rows {
			for _, cell := range row {
				w.endLine()
				w.children(cell)
				w.endLine()
			}
		}
		return
	}
	widths := columnWidths(grid)
	for i, row := range grid {
		var line strings.Builder
		for col, cell := range row {
			pad := widths[col] - utf8.RuneCountInString(cell)
			if alignsRight(rows[i][col]) {
				line.WriteString(strings.Repeat(" ", pad) + cell + "  ")
				continue
			}
			line.WriteString(cell + strings.Repeat(" ", pad) + "  ")
		}
		w.put(strings.TrimRight(line.String(), " "))
		if i == 0 && isHeading(rows[0]) && len(grid) > 1 {
			w.put(rule(widths))
		}
	}
}

func rule(widths []int) string {
	parts := make([]string, len(widths))
	for i, n := range widths {
		parts[i] = strings.Repeat("-", n)
	}
	return strings.Join(parts, "  ")
}

func columnWidths(grid [][]string) []int {
	var widths []int
	for _, row := range grid {
		for col, cell := range row {
			if col == len(widths) {
				widths = append(widths, 0)
			}
			widths[col] = max(widths[col], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func isHeading(row []*html.Node) bool {
	for _, cell := range row {
		if cell.DataAtom != atom.Th {
			return false
		}
	}
	return len(row) > 0
}

func alignsRight(cell *html.Node) bool {
	style := strings.ReplaceAll(strings.ToLower(attr(cell, "style")), " ", "")
	return strings.EqualFold(attr(cell, "align"), "right") || strings.Contains(style, "text-align:right")
}

// cellsOf lists the cells of each row of a table, not those of tables within.
func cellsOf(n *html.Node) [][]*html.Node {
	var rows [][]*html.Node
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.DataAtom {
		case atom.Thead, atom.Tbody, atom.Tfoot:
			rows = append(rows, cellsOf(c)...)
		case atom.Caption:
			rows = append(rows, []*html.Node{c})
		case atom.Tr:
			var row []*html.Node
			for cell := c.FirstChild; cell != nil; cell = cell.NextSibling {
				if (cell.DataAtom == atom.Td || cell.DataAtom == atom.Th) && !isHidden(cell) {
					row = append(row, cell)
				}
			}
			if len(row) > 0 && !isHidden(c) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// flatten turns cells into single lines. It reports false when the table is no
// data: fewer than two columns throughout, a cell of several lines, or lines
// too wide for a mail.
func (w *writer) flatten(rows [][]*html.Node) ([][]string, bool) {
	grid := make([][]string, len(rows))
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
		for _, cell := range row {
			if hasTable(cell) { // first: laying cells out twice at each level would double the work every time
				return nil, false
			}
		}
	}
	if columns < 2 {
		return nil, false
	}
	for i, row := range rows {
		for _, cell := range row {
			if w.ctx.Err() != nil {
				return nil, false
			}
			inner := &writer{ctx: w.ctx, narrow: true}
			inner.children(cell)
			inner.endParagraph()
			text := strings.Trim(inner.out.String(), "\n")
			if strings.Contains(text, "\n") {
				return nil, false
			}
			grid[i] = append(grid[i], text)
		}
	}
	total := 0
	for _, n := range columnWidths(grid) {
		total += n + 2
	}
	return grid, total <= 2*width
}

func hasTable(n *html.Node) bool {
	for c := range n.Descendants() {
		if c.DataAtom == atom.Table {
			return true
		}
	}
	return false
}
