package htmltext_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/htmltext"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
)

// fromHTML is FromHTML with a limit that few texts reach.
func fromHTML(t testing.TB, source string) string {
	t.Helper()
	text, err := htmltext.FromHTML(context.Background(), source, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFromHTMLReadsAsAPersonWould(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"empty":             {"", ""},
		"text":              {"  a \n b&amp;c  ", "a b&c"},
		"inline":            {"a<b>b</b> <i>c</i>d", "ab cd"},
		"paragraphs":        {"<p>one</p>\n<p>two</p><p></p>three", "one\n\ntwo\n\nthree"},
		"breaks, divs":      {"a<br>b<div>c</div><div>d</div>e", "a\nb\nc\nd\ne"},
		"head":              {"<html><head><title>T</title><style>p{}</style></head><body><script>x()</script><!-- c -->b</body></html>", "b"},
		"hidden":            {`<div style="display: none">preview</div><span hidden>x</span>seen`, "seen"},
		"link":              {`see <a href="https://contoso.example/a?b=1&amp;c=2">the report</a>.`, "see the report <https://contoso.example/a?b=1&c=2>."},
		"link is its text":  {`<a href="https://contoso.example/">contoso.example</a> <a href="mailto:a@b.example">a@b.example</a> <a href="#top">up</a> <a href="javascript:x()">js</a>`, "contoso.example a@b.example up js"},
		"link of a picture": {`<a href="https://x.example"><img src="l.png" alt="Logo"></a>`, "Logo <https://x.example>"},
		"headings":          {"<h1>Über uns</h1>a<h2>Two</h2><p>b</p><h3>Three</h3>c", "Über uns\n========\n\na\n\nTwo\n---\n\nb\n\nThree\n\nc"},
		"lists":             {"x<ul><li>a<li><p>b</p><ol start=9><li>c<li>d</ol></ul>y", "x\n\n* a\n* b\n  9. c\n  10. d\n\ny"},
		"quotation":         {"a<blockquote><p>b</p><p>c</p></blockquote>d", "a\n\n> b\n>\n> c\n\nd"},
		"pre":               {"<p>a</p><pre>\n  x\n\n    y  \n</pre>b", "a\n\n  x\n\n    y\n\nb"},
		"rule":              {"a<hr>b", "a\n\n" + strings.Repeat("-", 40) + "\n\nb"},
		"definition":        {"<dl><dt>a<dd>b</dl>", "a\n  b"},
		"table": {`<table><tr><th>Name<th>Größe</tr><tr><td>a</td><td align=right>12</td></tr><tr><td>a longer one<td align=right>3</table>`,
			"Name          Größe\n------------  -----\na                12\na longer one      3"},
		"layout table":  {"<table><tr><td><table><tr><td><p>Hello</p><p>World</p></td></tr></table></td></tr></table>", "Hello\n\nWorld"},
		"uneven table":  {"<table><tr><td>a</td></tr><tr><td>b</td><td>c</td></tr></table>", "a\nb  c"},
		"wrapping":      {strings.Repeat("word ", 20), strings.TrimSpace(strings.Repeat("word ", 15)) + "\n" + strings.TrimSpace(strings.Repeat("word ", 5))},
		"right to left": {"<p dir=rtl>שלום <b>עולם</b></p>", "שלום עולם"},
		"no-break":      {"a&nbsp;b", "a b"},
		"long words":    {strings.Repeat("l", 100) + " a " + strings.Repeat("ö", 76) + " b", strings.Repeat("l", 100) + "\na\n" + strings.Repeat("ö", 76) + "\nb"},
		"wide gap":      {strings.Repeat("w", 75) + "&nbsp;&nbsp;&nbsp;x&nbsp;&nbsp;y", strings.Repeat("w", 75) + "\nx  y"},
	} {
		if got := fromHTML(t, tt.in); got != tt.want {
			t.Errorf("%s:\n%q\nwant:\n%q", name, got, tt.want)
		}
	}
}

func TestFromHTMLEndsOnAnyInput(t *testing.T) {
	for name, in := range map[string]string{
		"nested":        strings.Repeat("<div>", 5000) + "x",
		"nested tables": strings.Repeat("<table><tr><td>a<td>", 100) + "x",
		"nested lists":  strings.Repeat("<ul><li>", 1000) + "x",
		"broken":        "<<<a <b href='\"><p/<!--",
	} {
		if got := fromHTML(t, in); len(got) > 1<<20 || (name != "broken" && name != "nested lists" && !strings.HasSuffix(got, "x")) {
			t.Errorf("%s: %d octets", name, len(got))
		}
	}
}

// numbered repeats a text with a %d in it.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestHostileHTMLCostsNoMoreThanItIsLong: each of these once took a gigabyte, or
// minutes.
func TestHostileHTMLCostsNoMoreThanItIsLong(t *testing.T) {
	for name, in := range map[string]string{
		"formatting not closed":  "<p>" + numbered("<b id=%d>", 400) + "</p>" + strings.Repeat("<p>x</p>", 30_000),
		"formatting in capitals": "<p>" + numbered("<FONT/id=%d>", 400) + "</p>" + strings.Repeat("<p>x</p>", 30_000),
		"quotations":             strings.Repeat("<blockquote>", 400) + "<pre>" + strings.Repeat("x\n", 100_000),
		"numbers":                strings.Repeat("<ol start=999999999><li>", 200) + strings.Repeat("x<br>", 100_000),
		"roots":                  numbered("<body a%d>", 20_000),
		"tags":                   strings.Repeat("<table><td>x", 100_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := fromHTML(t, in)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 100<<20 || len(got) > 2*len(in)+64<<10 {
			t.Errorf("%s: %d octets became %d, and %d MB were taken", name, len(in), len(got), taken>>20)
		}
		if n, want := strings.Count(got, "x"), strings.Count(in, "x")-strings.Count(in, "<bx"); n != want {
			t.Errorf("%s: %d of %d words are left", name, n, want)
		}
	}
}

func TestTextWithTooManyTagsIsRunningText(t *testing.T) {
	in := "<style>p{}</style><ul><li>a<li>b &amp; <script>x()</script><i>c</i></ul>"
	for tags, want := range map[int]string{6: "* a\n* b & c", 5: "ab & c"} {
		if got, err := htmltext.FromHTML(t.Context(), in, tags); err != nil || got != want {
			t.Errorf("%d tags: %q, %v, want %q", tags, got, err, want)
		}
	}
}

func TestFromHTMLEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	for _, tags := range []int{0, 100} {
		if got, err := htmltext.FromHTML(ctx, "<p>a", tags); got != "" || !errors.Is(err, why) {
			t.Errorf("%q, %v", got, err)
		}
	}
	for n := range 200 {
		ctx := untiltest.EndsAfter(t.Context(), n)
		if _, err := htmltext.FromHTML(ctx, strings.Repeat("<p>a<table><tr><td>b<td>c</table>", 100), 100_000); ctx.Err() != nil && err == nil {
			t.Fatalf("it went on after %d", n)
		}
	}
}

// asked counts how often whoever works looks whether it is to end.
type asked struct {
	context.Context
	n int
}

func (a *asked) Err() error { a.n++; return nil }

// TestLongTextsLookAtTheContext: one text of 8 MiB was taken apart and wrapped
// without a look at it.
func TestLongTextsLookAtTheContext(t *testing.T) {
	looks := func(in string) int {
		ctx := &asked{Context: t.Context()}
		if _, err := htmltext.FromHTML(ctx, in, 100_000); err != nil {
			t.Fatal(err)
		}
		return ctx.n
	}
	const size = 2 << 20
	base := looks(strings.Repeat("x", size))
	for name, in := range map[string]string{
		"blanks": "x" + strings.Repeat(" ", size), "alt": `<img alt="x` + strings.Repeat(" ", size) + `">`, "no-break spaces": "x" + strings.Repeat("\u00a0", size/2) + "y",
	} {
		if n := looks(in); n < base+10 {
			t.Errorf("%s: it looked %d times, for a word of that length %d times", name, n, base)
		}
	}
}

// TestCommentsAreCounted as tags are: a node takes a hundred times its octets.
func TestCommentsAreCounted(t *testing.T) {
	for _, comment := range []string{"<!---->", "<!x>", "<?x>", "</1>"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := fromHTML(t, "<ul><li>"+strings.Repeat(comment+"y", 150_000))
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 25<<20 || got != strings.Repeat("y", 150_000) {
			t.Errorf("%s: %d octets, %d MB were taken", comment, len(got), taken>>20)
		}
	}
}

func FuzzFromHTML(f *testing.F) {
	for _, s := range []string{"<p>a", "<table><tr><td>a<td>b", "<ul><li>a<ol><li>b", "<pre> a\n b", "<a href='x'>y</a>", "<blockquote><p>a<p>b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := fromHTML(t, s)
		if strings.HasPrefix(got, "\n") || strings.HasSuffix(got, "\n") || strings.Contains(got, " \n") {
			t.Errorf("%q became %q", s, got)
		}
	})
}
