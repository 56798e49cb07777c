package sendmail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// dotReader ends at a line that has only a dot, as a person at a terminal ends
// a message. Nothing is unstuffed: sendmail never did.
type dotReader struct {
	in        *bufio.Reader
	lineStart bool
	rest      []byte // of in's buffer, read but not handed on
	err       error
}

func newDotReader(in io.Reader) *dotReader {
	return &dotReader{in: bufio.NewReaderSize(in, 64<<10), lineStart: true}
}

// Read hands on as many lines as have come: what reads from here takes as long for
// a line as for a thousand.
func (d *dotReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(d.rest) == 0 && d.err == nil && (n == 0 || d.in.Buffered() > 0) {
			d.fill()
		}
		if len(d.rest) == 0 {
			break
		}
		got := copy(p[n:], d.rest)
		d.rest = d.rest[got:]
		n += got
	}
	if n == 0 {
		return 0, d.err
	}
	return n, nil
}

func (d *dotReader) fill() {
	part, err := d.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		d.err = err
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r"))
	if d.lineStart && string(text) == "." && (err == nil || errors.Is(err, io.EOF)) {
		d.err = io.EOF
		return
	}
	d.lineStart = bytes.HasSuffix(part, []byte("\n"))
	d.rest = part
}
