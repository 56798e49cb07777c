package textfile_test

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/textfile"
)

const half = limits.Paste / 2

func TestOfALongPasteBeginningAndEndAreKept(t *testing.T) {
	for _, n := range []int{0, 1, half - 1, half, half + 1, 2*half - 1, 2 * half, 2*half + 1, 3*half - 1, 3 * half, 5*half + 7} {
		text := strings.Repeat("0123456789\n", n/11+1)[:n]
		want := text
		if n > limits.Paste {
			want = text[:half] + "\n" + text[n-half:]
		}
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(text), "in pieces": iotest.HalfReader(strings.NewReader(text))} {
			if got, err := textfile.ReadEdges(r, limits.Paste); err != nil || got != want {
				t.Errorf("%d octets %s became %d, %v, want %d", n, name, len(got), err, len(want))
			}
		}
	}
}

// TestALongPasteTakesLittle: it was once read whole.
func TestALongPasteTakesLittle(t *testing.T) {
	r := io.LimitReader(letters{}, 200<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text, err := textfile.ReadEdges(r, limits.Paste)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err != nil || len(text) != limits.Paste+1 || taken > 20<<20 {
		t.Errorf("%d octets, %v, %d MB were taken", len(text), err, taken>>20)
	}
}

// letters are without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
