package message_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/message"
)

// FuzzFromMarkdown: whatever the source, its HTML is UTF-8, bounded, and without any
// element that the source brought itself; or the source is refused.
func FuzzFromMarkdown(f *testing.F) {
	for _, piece := range []string{"a|b\n-|-\n", "> ", "* a\n", "[a](", "*a_ ", "\\```\n", "<script>x</script>\n", "[x](javascript:y)", "\xff\xe4", "[a]: b\n", "&#0;"} {
		f.Add(piece, uint16(300))
	}
	f.Fuzz(func(t *testing.T, piece string, n uint16) {
		if len(piece)*int(n) > 64<<10 {
			return
		}
		var html string
		var err error
		octets := mailtest.Taken(func() { html, err = message.FromMarkdown(t.Context(), strings.Repeat(piece, int(n))) })
		if octets > 150<<20 {
			t.Fatalf("%d times %q took %d octets", n, piece, octets)
		}
		if err != nil && !errors.As(err, new(*badinput.FieldError)) {
			t.Fatalf("%T: %v", err, err)
		}
		if !utf8.ValidString(html) || len(html) > 9<<20 || strings.Contains(html, "<script") || strings.Contains(strings.ToLower(html), `href="javascript:`) {
			t.Fatalf("%d times %q became %.300q", n, piece, html)
		}
	})
}
