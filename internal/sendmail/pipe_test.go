package sendmail

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestPipeConnReadsLineEnds of a person, who types LF, and of a program, however
// they are cut.
func TestPipeConnReadsLineEnds(t *testing.T) {
	for in, want := range map[string]string{
		"EHLO x\nMAIL\r\nRCPT\n":     "EHLO x\r\nMAIL\r\nRCPT\r\n",
		"EHLO x\r\nDATA\r\na\nb\r\n": "EHLO x\r\nDATA\r\na\nb\r\n",
		"\n\r\n\r\r\n":               "\r\n\r\n\r\n",
		"A\r\nb\r\r\n.\r\n":          "A\r\nb\r\n.\r\n",
		"A\r\r\nb\r\r\r\n.\r\r\n":    "A\r\nb\r\n.\r\n",
		"A\r\nb\rc\r\rd\n.\r\r":      "A\r\nb\rc\r\rd\n.\r\r",
	} {
		for name, cut := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "octets": iotest.OneByteReader, "halves": iotest.HalfReader} {
			c := &pipeConn{in: cut(strings.NewReader(in)), closed: make(chan struct{})}
			if got, err := io.ReadAll(c); err != nil || string(got) != want {
				t.Errorf("%q, %s: %q, %v, want %q", in, name, got, err, want)
			}
		}
	}
}
