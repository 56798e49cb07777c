package markdown_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/markdown"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
)

// bounds are those of messages.
var bounds = markdown.Bounds{
	Source: limits.MarkdownSource, Nodes: limits.MarkdownNodes, Nesting: limits.MarkdownNesting,
	Work: limits.MarkdownWork, HTML: limits.MarkdownHTML,
}

// goldmarks is what the library makes of source by itself.
func goldmarks(t interface{ Fatal(...any) }, source string) string {
	var b bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(source), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pieces are what Markdown is made of.
var pieces = []string{
	"[", "]", "(", ")", "![", "](u)", "][", "]:", "*", "**", "***", "_", "__", "~", "~~", "`", "``", "```\n", "<", ">", "&amp;", "\\", "|", "|-|-|\n",
	"a|b\n", "\n", "\n\n", " ", "    ", "a", "b c", "é", "> ", "* ", "- ", "1. ", "# ", "===\n", "---\n", "http://a.example", "www.a.example", "a@b.example",
	"<b>", "<!-- -->", "<div>\n", "[ ] ", "[x]: y\n", "[x]", "\\|", "\r\n", "\t", "\x00", `"t"`, "snake_case", "a**b", "c* ",
}

func TestHTMLIsThatOfTheLibrary(t *testing.T) {
	for _, source := range []string{
		"# a\n\n*b* **c** ~~d~~ snake_case_name __e__ `f|g`\n\n> q\n> * [ ] x\n> * [x] y\n\n| a | b |\n|---|:-:|\n| `\\|` | [c](http://d.example \"t\") |\n\nhttp://e.example a@b.example <script>x</script> [j](javascript:x)\n",
		"[a]: /u 't'\n[b]: /v\n\n[a] ![b] [c][a] [[a]] *[a*](u)\n", "", "a\n=\nb\n-\n", "~~~~a~~~~ ~b~ ~~~c~~~\n",
	} {
		got, err := markdown.ToHTML(t.Context(), source, bounds)
		if want := goldmarks(t, source); err != nil || got != want {
			t.Errorf("%q became\n%q, %v, want\n%q", source, got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		source := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 60).Draw(t, "pieces"), "")
		got, err := markdown.ToHTML(context.Background(), source, bounds)
		if want := goldmarks(t, source); err != nil || got != want {
			t.Errorf("%q became\n%q, %v, want\n%q", source, got, err, want)
		}
	})
}

// bombs are sources that the library alone works on for minutes, or takes
// gigabytes for.
var bombs = map[string]struct{ source, reason string }{
	"table":           {strings.Repeat("a|", 1000) + "\n" + strings.Repeat("-|", 1000) + "\n" + strings.Repeat("|\n", 1000), "lines, list items"},
	"late table":      {"a|b\n||-|\n" + strings.Repeat("a|", 1000) + "\n" + strings.Repeat("-|", 1000) + "\n" + strings.Repeat("|\n", 1000), "lines, list items"},
	"quoted table":    {"> " + strings.Repeat("a|", 1000) + "\n> " + strings.Repeat("-|", 1000) + "\n" + strings.Repeat("> |\n", 1000), "lines, list items"},
	"many tables":     {strings.Repeat(strings.Repeat("a|", 99)+"\n"+strings.Repeat("-|", 99)+"\n"+strings.Repeat("|\n", 99)+"\n", 40), "lines, list items"},
	"no-break space":  {"\u00a0" + strings.Repeat("|a", 1000) + "\n" + strings.Repeat("-|", 1001) + "\n" + strings.Repeat("|\n", 1000), "lines, list items"},
	"escaped pipes":   {"a|b\n-|-\n" + strings.Repeat("`\\|`|x\n", 20_000), `\|`},
	"quotations":      {strings.Repeat("> ", 200_000) + "a", "deep"},
	"lists":           {strings.Repeat("* ", 200_000) + "a", "deep"},
	"both":            {strings.Repeat("> 1. ", 100_000) + "a", "deep"},
	"lists by indent": {indented(500), "deep"},
	"lists in rows":   {strings.Repeat("* a\n", 300_000), "lines, list items"},
	"blank lines":     {strings.Repeat("* ", 90) + "a" + strings.Repeat("\n", 1<<20), "lines in quotations"},
	"emphasis":        {strings.Repeat("*a_ ", 40_000), "in one paragraph"},
	"emphasis 2":      {strings.Repeat("_a*", 40_000), "in one paragraph"},
	"in the way":      {"a**b " + strings.Repeat("c* ", 40_000), "in one paragraph"},
	"brackets":        {strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000), "lines, list items"},
	"brackets 2":      {strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000), "in one paragraph"},
	"lines":           {strings.Repeat("][\n", 45_000), "in one paragraph"},
	"addresses":       {strings.Repeat("[a](", 100_000), "in one paragraph"},
	"addresses 2":     {strings.Repeat("[a](<b", 100_000), "in one paragraph"},
	"links":           {strings.Repeat("[*a](b)", 30_000), "in one paragraph"},
	"images":          {strings.Repeat("[", 20_000) + strings.Repeat("![a](b)", 10_000) + strings.Repeat("]", 20_000), "in one paragraph"},
	"code":            {strings.Repeat("\\```a\n", 60_000), "in one paragraph"},
	"code in a line":  {strings.Repeat("\\```a", 100_000), "in one paragraph"},
	"definitions":     {strings.Repeat("[a]: b\n", 250_000), "lines, list items"},
	"definitions 2":   {"x\n\n" + strings.Repeat("[a]: b\n", 99_000), "in one paragraph"},
	"comments":        {strings.Repeat("x <!--\n", 180_000), "lines, list items"},
	"tags":            {strings.Repeat("x <a\n", 180_000), "lines, list items"},
	"long table":      {"a|b\n-|-\n" + strings.Repeat("c|d\n", 60_000), "lines, list items"},
	"label":           {"[" + strings.Repeat("a\n", 190_000) + "]: b", "in one paragraph"},
	"label 2":         {"[" + strings.Repeat("a\n", 190_000) + "] b", "in one paragraph"}, // no colon, no definition
	"second label":    {"[a]: b\n[" + strings.Repeat("a\n", 190_000) + "] b", "in one paragraph"},
	"quoted label":    {"> [" + strings.Repeat("a\n> ", 90_000) + "]: b", "in one paragraph"},
	"title":           {`[a]: b "` + strings.Repeat("c\n", 190_000) + `"`, "in one paragraph"},
	"title of a link": {`x [a](b "` + strings.Repeat("c\n", 190_000) + `")`, "in one paragraph"},
	"titles":          {strings.Repeat("x [a](b\n'c\nd')", 60_000), "in one paragraph"},
	"label of a link": {"x [a][" + strings.Repeat("c\n", 190_000) + "]", "in one paragraph"},
	"text of a link":  {strings.Repeat("[", 900) + strings.Repeat("a", 2_000_000) + strings.Repeat("]", 900), "in one paragraph"},
	"long address":    {"[x]: " + strings.Repeat("u", 100_000) + "\n\n" + strings.Repeat("[x] ", 3_000), "octets of HTML"},
	"entities":        {strings.Repeat("\"", limits.MarkdownSource), "octets of HTML"},
	"source":          {strings.Repeat("a", limits.MarkdownSource+1), "at most 2097152"},
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + "* a\n")
	}
	return b.String()
}

// TestBombsAreRefused counts the octets that are taken, too. What collects them is
// not counted: 1 GB may be taken and given back for code, 200 MB for the text of a link.
func TestBombsAreRefused(t *testing.T) {
	for name, bomb := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		html, err := markdown.ToHTML(t.Context(), bomb.source, bounds)
		runtime.ReadMemStats(&after)
		var tooMuch *markdown.Error
		if html != "" || !errors.As(err, &tooMuch) || !strings.Contains(err.Error(), bomb.reason) {
			t.Errorf("%s: %d octets of HTML, %v, want %q", name, len(html), err, bomb.reason)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 100<<20 && !strings.HasPrefix(name, "code") && name != "text of a link" {
			t.Errorf("%s: %d MB were taken", name, taken>>20)
		}
	}
}

// TestTextsOfPeopleAndProgramsAreRendered: a megabyte of a log is no bomb.
func TestTextsOfPeopleAndProgramsAreRendered(t *testing.T) {
	for name, source := range map[string]string{
		"log":       strings.Repeat("[INFO] 2026-11-30T07:00:00Z my_package: *** step 12 of build_and_test (ok) ***\n", 13_000),
		"fenced":    "```\n" + strings.Repeat("| a_b | [c] | <d> | *e* |\n", 70_000) + "```\n",
		"prose":     strings.Repeat("Some *words* that [link](http://a.example/b_c) to `code`, and **more** of them.\n\n", 10_000),
		"table":     "|a|b|c|d|\n|-|-|-|-|\n" + strings.Repeat("|1|2|3|4|\n", 20_000),
		"list":      strings.Repeat("* item\n  * sub-item with [ ] and snake_case\n", 10_000),
		"one line":  strings.Repeat("word ", 400_000),
		"titles":    strings.Repeat("[text](http://a.example/b\n\"a title\") and\nmore of it [to\nfollow][x] here\n", 1_500) + "\n[x]: y 'a\ntitle'\n",
		"backticks": strings.Repeat("it`s ", 1_001),
	} {
		got, err := markdown.ToHTML(t.Context(), source, bounds)
		if err != nil || got == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRenderingEndsWithTheContext(t *testing.T) {
	for name, source := range map[string]string{
		"blocks":  strings.Repeat("# a\n", 50_000),
		"inlines": strings.Repeat("*a* ", 30_000),
		"marks":   strings.Repeat("*a_ ", 20_000),
		"code":    "```\n" + strings.Repeat("a\n", 100_000),
		"output":  strings.Repeat("a\n\n", 30_000),
	} {
		for _, n := range []int{0, 1, 3} {
			html, err := markdown.ToHTML(untiltest.EndsAfter(t.Context(), n), source, bounds)
			if html != "" || err == nil {
				t.Errorf("%s, after %d: %d octets, %v", name, n, len(html), err)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	if _, err := markdown.ToHTML(ctx, "a\n\n", bounds); !errors.Is(err, why) {
		t.Error(err)
	}
}

// TestFaultsAreErrors: a panic that is not ours once became an empty text and no
// error. A context that panics stands for a fault of the library.
func TestFaultsAreErrors(t *testing.T) {
	html, err := markdown.ToHTML(faulty{t.Context()}, "hello", bounds)
	var tooMuch *markdown.Error
	if html != "" || err == nil || errors.As(err, &tooMuch) || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("%q, %v", html, err)
	}
}

type faulty struct{ context.Context }

func (faulty) Err() error { return []error{}[len(pieces)] }
