// Package htmltext makes the plain text alternative of an HTML mail: what a
// reader sees, in reading order, with the links kept as "text <url>", tables
// in columns, lists with their marks, and preformatted text as it is. Nothing is
// fetched.
//
// The HTML may be anyone's. The parser lets elements nest 512 deep, which bounds
// the recursion; indentation ends at half of a line; and what has too many tags,
// or becomes much longer than it was, is not laid out but read as running text.
package htmltext

import (
	"context"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/thirdparty/html"
	"github.com/smtpsend/smtpsend/internal/thirdparty/html/atom"
)

// width is where paragraphs are wrapped, as mail programs do (RFC 3676 4.2).
const width = 76

// FromHTML returns the text of an HTML document or fragment, with LF line ends,
// wrapped at 76 characters, and no empty line at its beginning or end. Markup
// that cannot be parsed is read as a browser would read it. A text with more than
// the given number of tags is not laid out. The error is the cause of ctx, when
// that ends.
func FromHTML(ctx context.Context, source string, tags int) (string, error) {
	w := &writer{ctx: ctx, most: 2*len(source) + 64<<10}
	if laidOut(source, tags) {
		root, err := html.Parse(&reader{ctx, strings.NewReader(plainTags(source))})
		if err == nil { // else nested over the parser's limit, or the end of ctx
			w.children(root)
			w.endParagraph()
		}
		if ctx.Err() == nil && err == nil && !w.full {
			return strings.Trim(w.out.String(), "\n"), nil
		}
	}
	return withoutTags(ctx, source)
}

// withoutTags is all text, for what cannot be laid out.
func withoutTags(ctx context.Context, source string) (string, error) {
	w := &writer{ctx: ctx}
	z := html.NewTokenizer(&reader{ctx, strings.NewReader(source)})
	shown := true
	for z.Next() != html.ErrorToken {
		t := z.Token()
		if t.Type == html.TextToken && shown {
			w.text(t.Data)
		}
		hides := t.DataAtom == atom.Script || t.DataAtom == atom.Style || t.DataAtom == atom.Title
		shown = t.Type != html.StartTagToken || !hides
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	w.endParagraph()
	return strings.Trim(w.out.String(), "\n"), nil
}

// reader ends with its context, and with it the parser that reads from it.
type reader struct {
	ctx context.Context
	in  io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.in.Read(p)
}

// writer collects the words of a paragraph and writes it when a block ends.
type writer struct {
	ctx  context.Context
	most int  // octets of out; 0 = any number
	full bool // there were more, or ctx has ended: nothing is written any more

	words   int
	out     strings.Builder
	line    strings.Builder // words of the paragraph so far, one blank between
	space   bool            // a blank is due before the next word
	indent  string          // in front of every line
	mark    string          // list mark for the next line, in place of the end of indent
	gap     bool            // an empty line is due before the next text
	lists   []int           // per open list: the next number, or -1 for bullets
	narrow  bool            // in a table cell: no wrapping
	written bool
}

func (w *writer) children(n *html.Node) {
	for c := n.FirstChild; c != nil && !w.full; c = c.NextSibling {
		w.node(c)
	}
}

func (w *writer) node(n *html.Node) {
	if n.Type == html.TextNode {
		w.text(n.Data)
		return
	}
	if n.Type != html.ElementNode || isHidden(n) {
		if n.Type == html.DocumentNode {
			w.children(n)
		}
		return
	}
	switch n.DataAtom {
	case atom.Head, atom.Script, atom.Style, atom.Template, atom.Title, atom.Noscript:
	case atom.Br:
		w.endLine()
	case atom.Hr:
		w.block(func() { w.word(strings.Repeat("-", 40)) })
	case atom.Img:
		w.text(" " + attr(n, "alt") + " ")
	case atom.A:
		w.link(n)
	case atom.Pre:
		w.block(func() { w.preformatted(textOf(n)) })
	case atom.Table:
		w.block(func() { w.table(n) })
	case atom.Ul, atom.Ol:
		w.list(n)
	case atom.Li:
		w.item(n)
	case atom.Blockquote:
		w.block(func() { w.indented("> ", n) })
	case atom.Dd:
		w.endLine()
		w.indented("  ", n)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.heading(n)
	case atom.P:
		w.block(func() { w.children(n) })
	case atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Tr, atom.Dt, atom.Dl,
		atom.Figure, atom.Figcaption, atom.Address, atom.Center, atom.Form, atom.Fieldset:
		w.endLine()
		w.children(n)
		w.endLine()
	default:
		w.children(n)
	}
}

// isHidden recognises what mails hide from the reader, such as the preview line
// of newsletters.
func isHidden(n *html.Node) bool {
	style := strings.ReplaceAll(strings.ToLower(attr(n, "style")), " ", "")
	for _, a := range n.Attr {
		if a.Key == "hidden" {
			return true
		}
	}
	return strings.Contains(style, "display:none") || strings.Contains(style, "mso-hide:all")
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text adds running text: white space is one blank, a no-break space stays one.
func (w *writer) text(s string) {
	for s != "" && w.goesOn() {
		i := strings.IndexAny(s, " \t\r\n\f")
		if i < 0 {
			w.word(s)
			return
		}
		if i > 0 {
			w.word(s[:i])
		}
		w.space = true
		s = s[i+1:]
	}
}

// goesOn counts a word, and looks from time to time whether ctx has ended: one text
// may be all of a body.
func (w *writer) goesOn() bool {
	if w.words++; w.words&0xffff == 0 && w.ctx.Err() != nil {
		w.full = true
	}
	return !w.full
}

func (w *writer) word(s string) {
	if w.space && w.line.Len() > 0 {
		w.line.WriteByte(' ')
	}
	w.space = false
	w.line.WriteString(strings.ReplaceAll(s, "\u00a0", " "))
}

// link keeps the target after the text, unless the text is the target.
func (w *writer) link(n *html.Node) {
	before := w.line.Len()
	w.children(n)
	href := strings.TrimSpace(attr(n, "href"))
	shown := ""
	if w.line.Len() >= before {
		shown = strings.TrimSpace(w.line.String()[before:])
	}
	if href == "" || href[0] == '#' || strings.HasPrefix(strings.ToLower(href), "javascript:") {
		return
	}
	if bare(href) == bare(shown) {
		return
	}
	w.space = w.space || shown != ""
	w.word("<" + strings.NewReplacer(" ", "%20", "\n", "", "\r", "", "\t", "").Replace(href) + ">")
}

// bare is a link as people write it in running text.
func bare(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	return strings.TrimSuffix(strings.TrimPrefix(s, "mailto:"), "/")
}

func (w *writer) heading(n *html.Node) {
	w.block(func() {
		w.children(n)
		length := min(utf8.RuneCountInString(w.line.String()), width)
		w.endLine()
		if rule := map[atom.Atom]string{atom.H1: "=", atom.H2: "-"}[n.DataAtom]; rule != "" && length > 0 {
			w.word(strings.Repeat(rule, length))
		}
	})
}

// list sets a list off only from what is around the outermost one.
func (w *writer) list(n *html.Node) {
	start := -1
	if n.DataAtom == atom.Ol {
		start = 1
		if v, err := strconv.Atoi(attr(n, "start")); err == nil && v >= 0 {
			start = v
		}
	}
	w.endLine()
	w.gap = w.gap || len(w.lists) == 0
	w.lists = append(w.lists, start)
	w.children(n)
	w.endLine()
	w.lists = w.lists[:len(w.lists)-1]
	w.gap = w.gap || len(w.lists) == 0
}

func (w *writer) item(n *html.Node) {
	mark := "* "
	if last := len(w.lists) - 1; last >= 0 && w.lists[last] >= 0 {
		mark = strconv.Itoa(w.lists[last]) + ". "
		w.lists[last]++
	}
	w.endLine()
	w.mark = w.indent + mark
	w.indented(strings.Repeat(" ", len(mark)), n)
	w.mark = ""
}

// indented writes n after by, unless half of the line is taken already: each
// line that is nested deeper would only become longer.
func (w *writer) indented(by string, n *html.Node) {
	before := w.indent
	if utf8.RuneCountInString(before) < width/2 {
		w.indent += by
	}
	w.children(n)
	w.endLine()
	w.indent = before
}

// block sets what f writes off by empty lines.
func (w *writer) block(f func()) {
	w.endParagraph()
	f()
	w.endParagraph()
}

// endParagraph asks for an empty line before what follows, but not within a
// list, which it would tear apart.
func (w *writer) endParagraph() {
	w.endLine()
	w.gap = w.gap || len(w.lists) == 0
}
