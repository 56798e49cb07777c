package markdown

import (
	"bytes"
	"context"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/ast"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/parser"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/text"
)

// guard counts what the parsers of one source do.
type guard struct {
	Bounds
	ctx     context.Context // kept, because goldmark hands none through
	nodes   int
	work    int
	steps   int // lines times the blocks that are open
	label   ast.NodeKind
	passed  int               // closers that stay in the way of others
	last    *parser.Delimiter // of these
	escapes int               // of pipes within code in tables
}

// stopped is what guard panics with.
type stopped struct{ err error }

// Bounds of what no text needs, so that they are not worth a setting of their
// own. A step costs goldmark 24 octets.
const (
	maxSteps   = 400_000
	maxPassed  = 1000
	maxEscapes = 1000
)

// quickly is how many lines goldmark goes past in the time of a comparison.
const quickly = 4

func (g *guard) stop(format string, args ...any) {
	panic(stopped{&Error{fmt.Sprintf(format, args...)}})
}

// alive ends the work when the context has ended.
func (g *guard) alive() {
	if g.ctx.Err() != nil {
		panic(stopped{context.Cause(g.ctx)})
	}
}

// grow counts nodes.
func (g *guard) grow(n int) {
	if g.nodes += n; g.nodes > g.Nodes {
		g.stop("has more than %d lines, list items, table cells, links and other elements", g.Nodes)
	}
	if g.nodes&0xff == 0 {
		g.alive()
	}
}

// spend counts comparisons.
func (g *guard) spend(n int) {
	before := g.work >> 16
	if g.work += n; g.work > g.Work {
		g.stop("has too many brackets and marks such as * and _ in one paragraph that nothing closes")
	}
	if g.work>>16 != before {
		g.alive()
	}
}

// block is a parser of blocks, under guard.
type block struct {
	parser.BlockParser
	*guard
}

// Open counts the block, and how deep it stands when it can hold others.
func (b *block) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	node, state := b.BlockParser.Open(parent, reader, pc)
	if node == nil {
		return nil, state
	}
	b.grow(1)
	if state&parser.HasChildren != 0 {
		depth := 0
		for p := parent; p.Kind() != ast.KindDocument; p = p.Parent() {
			if p.Kind() != ast.KindList { // its items are counted
				depth++
			}
		}
		if depth >= b.Nesting {
			b.stop("has quotations or lists more than %d deep", b.Nesting)
		}
	}
	return node, state
}

// Continue counts the line. Those of a paragraph become nodes.
func (b *block) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	if b.steps++; b.steps > maxSteps {
		b.stop("has more than %d lines in quotations and lists", maxSteps)
	}
	if ast.IsParagraph(node) {
		b.grow(1)
	} else if b.steps&0xfff == 0 {
		b.alive()
	}
	return b.BlockParser.Continue(node, reader, pc)
}

// paragraph is what makes something else of a paragraph: a table, or link
// definitions. Both are asked for what they will do before they do it.
type paragraph struct {
	parser.ParagraphTransformer
	*guard
}

// Transform counts the definitions, each of which moves all lines after it, and
// the cells, of which goldmark adds those that a row lacks.
func (p *paragraph) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	p.alive()
	lines, source := node.Lines(), reader.Source()
	first := lines.At(0)
	if head := bytes.TrimLeft(first.Value(source), " "); p.ParagraphTransformer == parser.LinkReferenceParagraphTransformer {
		if len(head) > 0 && head[0] == '[' {
			p.spend(definitions(lines, source) * lines.Len() / 8) // moving is quicker than comparing
			p.label(lines, source)
		}
	} else {
		p.table(lines, source)
	}
	p.ParagraphTransformer.Transform(node, reader, pc)
}

// label counts what a label over several lines costs: goldmark looks for each of
// its lines from the last one of the paragraph, whether a colon makes it a
// definition or not. Behind a colon all lines may be those of titles and labels.
func (p *paragraph) label(lines *text.Segments, source []byte) {
	block := text.NewBlockReader(source, lines)
	block.SkipSpaces()
	block.Advance(1)
	label, closed := block.FindClosure('[', ']', text.FindClosureOptions{Newline: true, Advance: true})
	switch {
	case !closed:
		return
	case block.Peek() == ':':
		p.spend(lines.Len() * lines.Len() / quickly)
	case label.Len() > 1:
		p.spend(label.Len() * lines.Len() / quickly)
	}
}

// definitions is how many link definitions the lines have at most.
func definitions(lines *text.Segments, source []byte) (n int) {
	for i := range lines.Len() {
		segment := lines.At(i)
		if line := segment.Value(source); bytes.Contains(line, []byte("]:")) {
			n++
		}
	}
	return n
}

// table counts the cells of the table that the lines are, if they are one. Which
// line makes them one is goldmark's to say, so the most that any could make counts.
func (g *guard) table(lines *text.Segments, source []byte) {
	most := 0
	for i := 1; i < lines.Len(); i++ {
		delimiter := lines.At(i)
		columns := delimiterColumns(delimiter.Value(source))
		if columns == 0 {
			continue
		}
		header := lines.At(i - 1)
		if bytes.Count(header.Value(source), []byte("|"))+2 >= columns {
			most = max(most, (columns+2)*(lines.Len()-i+1)) // with the row itself; the header counts twice
		}
	}
	if most > 0 {
		g.grow(most)
		g.pipes(lines, source)
	}
}

// delimiterColumns is the number of columns of a line such as "|---|:-:|", 0 for
// another line.
func delimiterColumns(line []byte) int {
	if bytes.IndexByte(line, '-') < 0 || len(bytes.Trim(line, "-|: \t\v\f\r\n")) > 0 {
		return 0
	}
	line = bytes.TrimSpace(line)
	line = bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("|")), []byte("|"))
	return bytes.Count(line, []byte("|")) + 1
}

// pipes counts the escaped pipes in code, each of which goldmark compares with
// each other of the document.
func (g *guard) pipes(lines *text.Segments, source []byte) {
	for i := range lines.Len() {
		segment := lines.At(i)
		if line := segment.Value(source); bytes.IndexByte(line, '`') >= 0 {
			g.escapes += bytes.Count(line, []byte(`\|`))
		}
	}
	if g.escapes > maxEscapes {
		g.stop(`has more than %d times \| within code in tables`, maxEscapes)
	}
}
