package deadletter

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestMboxQuotesInAnyPieces, and looks at each octet once: a line of 100 MB of ">"
// was looked at from its beginning for each of them.
func TestMboxQuotesInAnyPieces(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "\n",
		"a":                     "a\n\n",
		"a\n":                   "a\n\n",
		"a\n\n":                 "a\n\n\n",
		"From a\nFrom":          ">From a\nFrom\n\n",
		">From a\n>>From b\n>":  ">>From a\n>>>From b\n>\n\n",
		"Fr\nFFrom \nF>From \n": "Fr\nFFrom \nF>From \n\n",
		"x From \n From \nFrom": "x From \n From \nFrom\n\n",
		">\nFrom \n\nFrom \n":   ">\n>From \n\n>From \n\n",
	} {
		for _, piece := range []int{1, 2, 3, 100} {
			var out strings.Builder
			m := newMboxWriter(&out)
			for rest := text; rest != ""; {
				n := min(piece, len(rest))
				if _, err := m.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := m.end(""); err != nil || out.String() != want {
				t.Errorf("%q in pieces of %d: %q, %v, want %q", text, piece, out.String(), err, want)
			}
		}
	}
	m := newMboxWriter(io.Discard)
	piece := bytes.Repeat([]byte(">"), 10_000)
	for range 100 << 20 / len(piece) {
		if _, err := m.Write(piece); err != nil || m.out.Cap() > 1<<20 {
			t.Fatalf("%v, %d octets are held", err, m.out.Cap())
		}
	}
}
