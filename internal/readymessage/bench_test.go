package readymessage_test

import (
	"io"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// BenchmarkRaw takes 20 MB of short lines from a reader.
func BenchmarkRaw(b *testing.B) {
	in := complete + "\r\n" + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWkFCQ0RF\r\n", 20_000_000/78)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		raw, err := readymessage.Read(b.Context(), strings.NewReader(in), readymessage.Options{TempDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := rawMail(b, raw, atNoon).Content.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
		_ = raw.Close()
	}
}
