package markdown_test

import (
	"errors"
	"testing"

	"github.com/smtpsend/smtpsend/internal/markdown"
)

// FuzzToHTML: what stays within bounds comes out as the library alone has it,
// and what does not is refused before it takes more.
func FuzzToHTML(f *testing.F) {
	for _, bomb := range bombs {
		f.Add(bomb.source[:min(len(bomb.source), 600)])
	}
	small := markdown.Bounds{Source: 4 << 10, Nodes: 2000, Nesting: 10, Work: 100_000, HTML: 32 << 10}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := markdown.ToHTML(t.Context(), source, small)
		var tooMuch *markdown.Error
		switch {
		case err == nil && len(got) > small.HTML:
			t.Fatalf("%d octets", len(got))
		case err == nil:
			if want := goldmarks(t, source); got != want {
				t.Fatalf("%q became\n%q, want\n%q", source, got, want)
			}
		case got != "" || !errors.As(err, &tooMuch):
			t.Fatalf("%d octets, %v", len(got), err)
		}
	})
}
