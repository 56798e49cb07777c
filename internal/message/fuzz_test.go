package message_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/message"
)

// FuzzReencoding: what is looked at, and what memory is taken, grows with the
// message alone, however often a piece of it is repeated.
func FuzzReencoding(f *testing.F) {
	for _, piece := range []string{" y\r\n", "X: y\r\n", "--b\r\n", "--b--\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", "\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("z ", 500) + "\r\n", "Content-Type: text/plain; a=b;\r\n c*0=d; c*1=e\r\n", "Bcc: a,\r\n", "(", "=?utf-8?q?"} {
		f.Add(piece, uint16(2000), "\r\n")
	}
	f.Fuzz(func(t *testing.T, piece string, n uint16, end string) {
		if len(piece)*int(n) > 1<<20 {
			return
		}
		in := complete + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + strings.Repeat(piece, int(n)) + end + strings.Repeat("y", 1200)
		octets := taken(func() {
			raw, err := message.ReadRaw(t.Context(), strings.NewReader(in), message.RawOptions{Reencode: message.ReencodeLong})
			if err != nil {
				if !errors.As(err, new(*message.FieldError)) {
					t.Fatalf("%T: %v", err, err)
				}
				return
			}
			defer raw.Close()
			_, _ = raw.Recipients()
			checkRaw(t, raw, message.RawOptions{Reencode: message.ReencodeLong})
		})
		if most := uint64(200*len(in) + 8<<20); octets > most {
			t.Fatalf("%d octets of %d times %q took %d", len(in), n, piece, octets)
		}
	})
}

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
		octets := taken(func() { html, err = message.FromMarkdown(t.Context(), strings.Repeat(piece, int(n))) })
		if octets > 150<<20 {
			t.Fatalf("%d times %q took %d octets", n, piece, octets)
		}
		if err != nil && !errors.As(err, new(*message.FieldError)) {
			t.Fatalf("%T: %v", err, err)
		}
		if !utf8.ValidString(html) || len(html) > 9<<20 || strings.Contains(html, "<script") || strings.Contains(strings.ToLower(html), `href="javascript:`) {
			t.Fatalf("%d times %q became %.300q", n, piece, html)
		}
	})
}
