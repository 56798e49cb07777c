package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/ownfile"
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
	return &dotReader{in: bufio.NewReader(in), lineStart: true}
}

func (d *dotReader) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		d.fill()
	}
	if len(d.rest) == 0 {
		return 0, d.err
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
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

// originalMemory is how much of a message is kept in memory.
const originalMemory = 1 << 20

// original is a copy of what was on standard input, for the case that it cannot
// be submitted. Long ones are in a temporary file that has no name.
type original struct {
	memory bytes.Buffer
	file   *os.File
}

func (o *original) Write(p []byte) (int, error) {
	if o.file == nil && o.memory.Len()+len(p) <= originalMemory {
		return o.memory.Write(p)
	}
	if o.file == nil {
		f, err := ownfile.CreateTemp("", "smtpsend-*")
		if err != nil {
			return 0, withCode(exitCannotCreate, fmt.Errorf("making a temporary copy of the message: %w", err))
		}
		_ = os.Remove(f.Name()) // Windows refuses while it is open; close tries again
		if _, err := f.Write(o.memory.Bytes()); err != nil {
			_ = f.Close()
			return 0, withCode(exitIO, fmt.Errorf("writing the temporary copy of the message: %w", err))
		}
		o.file = f
		o.memory = bytes.Buffer{}
	}
	return o.file.Write(p)
}

// WriteTo writes the copy, from its beginning.
func (o *original) WriteTo(w io.Writer) (int64, error) {
	if o.file == nil {
		n, err := w.Write(o.memory.Bytes())
		return int64(n), err
	}
	return io.Copy(w, io.NewSectionReader(o.file, 0, 1<<62))
}

func (o *original) close() {
	if o.file != nil {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
	}
}
