// Package mailtest has what the tests of several packages look at a mail with.
package mailtest

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject"
)

// Octets writes the content, and checks what holds for every content.
func Octets(t testing.TB, m *mailobject.Mail) string {
	t.Helper()
	var b bytes.Buffer
	n, err := m.Content.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	s := b.String()
	if n != int64(len(s)) || m.Content.Size() != n {
		t.Errorf("WriteTo = %d, Size = %d, written %d octets", n, m.Content.Size(), len(s))
	}
	if !strings.HasSuffix(s, "\r\n") {
		t.Errorf("content does not end with CRLF: %q", s[max(0, len(s)-40):])
	}
	if rest := strings.ReplaceAll(s, "\r\n", ""); strings.ContainsAny(rest, "\r\n\x00") {
		t.Errorf("content holds a bare CR, a bare LF or NUL")
	}
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > 998 {
			t.Errorf("line of %d octets: %.80q", len(line), line)
		}
	}
	return s
}

// Taken is how many octets f takes from the heap, given back or not.
func Taken(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
