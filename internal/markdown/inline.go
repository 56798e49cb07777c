package markdown

import (
	"bytes"
	"sort"

	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/ast"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/extension"
	extast "github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/extension/ast"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/parser"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/text"
)

// inline puts a parser of what stands within a paragraph under guard.
func (g *guard) inline(p parser.InlineParser) parser.InlineParser {
	switch p {
	case parser.NewLinkParser():
		return &link{p, g}
	case parser.NewEmphasisParser():
		return &marks{g, "*_", 0, func(n int) ast.Node { return ast.NewEmphasis(n) }}
	case extension.NewStrikethroughParser():
		return &marks{g, "~", 2, func(int) ast.Node { return extast.NewStrikethrough() }}
	}
	return &counted{p, g}
}

// counted is a parser whose work grows with the text alone, but for a code span
// that does not end: then all behind its backticks was read, each line as a node.
type counted struct {
	parser.InlineParser
	*guard
}

// Parse counts the node.
func (c *counted) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	node := c.InlineParser.Parse(parent, block, pc)
	if node == nil {
		if line[0] == '<' { // what is not HTML takes memory nevertheless
			c.grow(1)
		}
		return nil
	}
	c.grow(2) // and the text after it
	if node.Kind() == ast.KindAutoLink {
		c.grow(1) // its address is copied, and stands twice in the HTML
	}
	if lines := parent.Lines(); line[0] == '`' && node.Kind() != ast.KindCodeSpan {
		c.spend((lines.At(lines.Len()-1).Stop-segment.Start)/8 + 32*lines.Len())
	}
	return node
}

// link is the parser of links and images.
type link struct {
	parser.InlineParser
	*guard
}

// Parse counts brackets, and at a closing one what is looked at because of it:
// all between the brackets for a link, the text between them (see meteredReader),
// the address for its end, and for a link that was found all of the paragraph for
// marks.
func (l *link) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if line[0] != ']' {
		node := l.InlineParser.Parse(parent, block, pc)
		if node != nil {
			l.label = node.Kind()
			l.grow(2)
		}
		return node
	}
	if !pc.IsInLinkLabel() {
		return l.InlineParser.Parse(parent, block, pc)
	}
	l.between(parent.LastChild())
	l.spend(address(line[1:]) / 2) // half the time of a comparison
	node := l.InlineParser.Parse(parent, &meteredReader{block, l.guard, parent.Lines()}, pc)
	if node != nil {
		l.grow(2)
		l.spend(parent.ChildCount())
	}
	return node
}

// meteredReader counts what the parser of links takes from a paragraph: goldmark
// looks for where it is from the last line, for each line of a title or a label.
type meteredReader struct {
	text.Reader
	*guard
	lines *text.Segments
}

// Value returns the octets of a segment.
func (r *meteredReader) Value(s text.Segment) []byte {
	behind := sort.Search(r.lines.Len(), func(i int) bool { return r.lines.At(i).Start > s.Start })
	r.spend((r.lines.Len()-behind)/quickly + (s.Stop-s.Start)/2) // what is copied is memory, too
	return r.Reader.Value(s)
}

// CloseBlock is called at the end of the paragraph.
func (l *link) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	l.InlineParser.(parser.CloseBlocker).CloseBlock(parent, block, pc)
}

// between counts the nodes back to the last opening bracket, with all in them.
func (l *link) between(node ast.Node) {
	for ; node != nil && node.Kind() != l.label; node = node.PreviousSibling() {
		l.spend(2)
		l.within(node)
	}
}

func (l *link) within(node ast.Node) {
	for c := node.FirstChild(); c != nil; c = c.NextSibling() {
		l.spend(2)
		l.within(c)
	}
}

// address is how far the address of a link is looked for in what stands behind
// its closing bracket.
func address(rest []byte) int {
	if !bytes.HasPrefix(rest, []byte("(")) {
		return 0
	}
	rest = bytes.TrimLeft(rest[1:], " \t\n\r\f\v")
	end := bytes.IndexAny(rest, " \t\n\r\f\v")
	if bytes.HasPrefix(rest, []byte("<")) {
		end = bytes.IndexByte(rest, '>')
	}
	if end < 0 {
		end = len(rest)
	}
	return end
}

// marks are the parser of emphasis, or of strikethrough. It is goldmark's but for
// the counting, and for marks that can neither begin nor end anything, such as
// those in snake_case: goldmark keeps them until the end of the paragraph, and
// looks at each for each mark behind them; here they are text at once.
type marks struct {
	*guard
	chars string
	most  int // of one mark, 0 for any number
	node  func(n int) ast.Node
}

// Trigger returns the characters of the marks.
func (m *marks) Trigger() []byte { return []byte(m.chars) }

// Parse reads one mark, which may be several characters.
func (m *marks) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	if m.most > 0 && before == rune(line[0]) { // within a run that is too long
		return nil
	}
	d := parser.ScanDelimiter(line, before, 1, m)
	if d == nil {
		return nil
	}
	if m.most > 0 && d.OriginalLength > m.most {
		return nil
	}
	m.grow(2)
	d.Segment = segment.WithStop(segment.Start + d.OriginalLength)
	block.Advance(d.OriginalLength)
	if !d.CanOpen && !d.CanClose {
		return ast.NewTextSegment(d.Segment)
	}
	pc.PushDelimiter(d)
	return d
}

// IsDelimiter reports whether c is one of the marks.
func (m *marks) IsDelimiter(c byte) bool { return bytes.IndexByte([]byte(m.chars), c) >= 0 }

// CanOpenCloser is asked for each mark before a closing one. One that fits and
// is not taken (the rule of three, CommonMark 6.2) leaves the closing one in the
// way of all others.
func (m *marks) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	m.spend(1)
	if opener.Char != closer.Char {
		return false
	}
	if !closer.CanOpen && closer != m.last && opener.CalcComsumption(closer) == 0 {
		m.last = closer
		if m.passed++; m.passed > maxPassed {
			m.stop("has too many marks such as * and _ in one paragraph that nothing closes")
		}
	}
	return true
}

// OnMatch makes the node.
func (m *marks) OnMatch(n int) ast.Node {
	m.grow(1)
	return m.node(n)
}
