package sendmail

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestDotReaderEndsAtADot, however its input is cut.
func TestDotReaderEndsAtADot(t *testing.T) {
	for in, want := range map[string]string{
		"a\n.\nb\n":                              "a\n",
		"a\r\n.\r\nb\n":                          "a\r\n",
		"a\n..\n.b\n":                            "a\n..\n.b\n",
		".":                                      "",
		"a.\n\n":                                 "a.\n\n",
		"a\n.x":                                  "a\n.x",
		strings.Repeat("x", 200_000) + ".\n.\nb": strings.Repeat("x", 200_000) + ".\n",
	} {
		for name, cut := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "the error with the end": iotest.DataErrReader,
		} {
			if got, err := io.ReadAll(newDotReader(cut(strings.NewReader(in)))); err != nil || string(got) != want {
				t.Errorf("%.20q, %s: %.20q, %v", in, name, got, err)
			}
		}
	}
}

// TestDotReaderHandsOnManyLines: each reading goes to another goroutine and to a
// file, which took minutes for a million of empty lines.
func TestDotReaderHandsOnManyLines(t *testing.T) {
	const lines = 1_000_000
	d := newDotReader(strings.NewReader(strings.Repeat("\n", lines)))
	buffer := make([]byte, 32<<10)
	n, reads := 0, 0
	for {
		got, err := d.Read(buffer)
		n += got
		if reads++; err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != lines || reads > lines/1000 {
		t.Errorf("%d of %d lines in %d readings", n, lines, reads)
	}
}

// TestDotReaderDoesNotWaitForMore than has come: a person sees an answer to a line.
func TestDotReaderDoesNotWaitForMore(t *testing.T) {
	r, w := io.Pipe()
	go func() { _, _ = w.Write([]byte("a\nb\n")) }()
	d := newDotReader(r)
	if n, err := d.Read(make([]byte, 100)); n != 4 || err != nil {
		t.Errorf("%d octets, %v", n, err)
	}
}
