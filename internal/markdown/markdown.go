// Package markdown renders Markdown of anyone as HTML: CommonMark with tables,
// strikethrough, task lists and bare links as on GitHub. HTML in the source is
// left out, and so are links that run scripts.
//
// The library that does it, goldmark, was made for texts of people. Some texts
// make it work for hours or fill the memory: a table of a thousand columns and
// rows is six kilobytes, "> " a hundred thousand times is nested as deep, "*a_ "
// makes it compare each mark with each other. So its parsers run within ours,
// which count what they do: nodes, nesting, comparisons. The counts depend on
// the text alone, not on the machine; and what counts can also be stopped.
package markdown

import (
	"bytes"
	"context"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/extension"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/parser"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/renderer"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/renderer/html"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/text"
	"github.com/smtpsend/smtpsend/internal/thirdparty/goldmark/util"
)

// Bounds are what a source may need.
type Bounds struct {
	Source  int // octets
	Nodes   int // paragraphs and their lines, list items, table cells, links, emphases ...
	Nesting int // quotations and lists within each other
	Work    int // comparisons of marks with each other
	HTML    int // octets that become of it
}

// Error says which bound a source exceeds.
type Error struct{ Reason string }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// ToHTML renders source, which must be UTF-8, as the content of an HTML body. It
// ends with ctx, and then returns its cause. The error is *Error where a bound is
// exceeded.
func ToHTML(ctx context.Context, source string, b Bounds) (body string, err error) {
	if len(source) > b.Source {
		return "", &Error{fmt.Sprintf("has %d octets, at most %d", len(source), b.Source)}
	}
	g := &guard{ctx: ctx, Bounds: b}
	// The parsers of goldmark return no errors, so that guard stops them with a panic.
	// Any other is a fault of goldmark or of ours, and must not become an empty mail.
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stopped:
			body, err = "", r.err
		default:
			body, err = "", fmt.Errorf("rendering Markdown: a fault of the program: %v", r)
		}
	}()
	octets := []byte(source)
	root := g.parser().Parse(text.NewReader(octets))
	out := &writer{guard: g}
	if err := renderers().Render(out, octets, root); err != nil {
		return "", err
	}
	return out.buf.String(), nil
}

// parser is goldmark's for GitHub's Markdown (extension.GFM), under guard.
func (g *guard) parser() parser.Parser {
	inlines := append(parser.DefaultInlineParsers(),
		util.Prioritized(extension.NewLinkifyParser(), 999),
		util.Prioritized(extension.NewStrikethroughParser(), 500),
		util.Prioritized(extension.NewTaskCheckBoxParser(), 0))
	blocks := parser.DefaultBlockParsers()
	paragraphs := append(parser.DefaultParagraphTransformers(),
		util.Prioritized(extension.NewTableParagraphTransformer(), 200))
	for i, p := range inlines {
		inlines[i].Value = g.inline(p.Value.(parser.InlineParser))
	}
	for i, p := range blocks {
		blocks[i].Value = &block{p.Value.(parser.BlockParser), g}
	}
	for i, p := range paragraphs {
		paragraphs[i].Value = &paragraph{p.Value.(parser.ParagraphTransformer), g}
	}
	return parser.NewParser(
		parser.WithInlineParsers(inlines...), parser.WithBlockParsers(blocks...), parser.WithParagraphTransformers(paragraphs...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)))
}

// renderers write HTML without that of the source, and without links to scripts.
func renderers() renderer.Renderer {
	return renderer.NewRenderer(renderer.WithNodeRenderers(
		util.Prioritized(html.NewRenderer(), 1000),
		util.Prioritized(extension.NewTableHTMLRenderer(), 500),
		util.Prioritized(extension.NewStrikethroughHTMLRenderer(), 500),
		util.Prioritized(extension.NewTaskCheckBoxHTMLRenderer(), 500)))
}

// writer takes the HTML, up to its bound.
type writer struct {
	*guard
	buf bytes.Buffer
}

func (w *writer) Write(p []byte) (int, error) {
	w.alive()
	if w.buf.Len()+len(p) > w.HTML {
		w.stop("becomes more than %d octets of HTML", w.HTML)
	}
	return w.buf.Write(p)
}
