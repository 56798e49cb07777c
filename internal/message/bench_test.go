package message_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/message"
)

// BenchmarkAttachment writes 100 MB: seconds per operation are to stay far
// under what the network needs, and allocations independent of the size.
func BenchmarkAttachment(b *testing.B) {
	path := filepath.Join(b.TempDir(), "big.bin")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(path, 100_000_000); err != nil {
		b.Fatal(err)
	}
	d := draft(b)
	d.Attachments = []message.Attachment{{Path: path}}
	m := compose(b, d)
	b.SetBytes(m.Content.Size())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Content.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
