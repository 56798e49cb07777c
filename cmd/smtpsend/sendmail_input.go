package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
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

// originalMemory is how much of a message is kept in memory.
const originalMemory = 1 << 20

// original is a copy of what was on standard input, for the case that it cannot
// be submitted. Long ones are in a temporary file that has no name. It holds all
// that is read of a message, which has an end also where standard input has none.
type original struct {
	memory bytes.Buffer
	file   *os.File
	named  bool  // the file's name could not be removed while it is open
	came   int64 // octets, also those that it does not hold
}

// Write takes what still has room.
func (o *original) Write(p []byte) (int, error) {
	room := max(0, limits.MessageRead-o.came)
	o.came += int64(len(p))
	if _, err := o.take(p[:min(int64(len(p)), room)]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (o *original) take(p []byte) (int, error) {
	if o.file == nil && o.memory.Len()+len(p) <= originalMemory {
		return o.memory.Write(p)
	}
	if o.file == nil {
		f, err := ownfile.CreateTemp("", "smtpsend-*")
		if err != nil {
			return 0, exit.With(exit.CannotCreate, fmt.Errorf("making a temporary copy of the message: %w", err))
		}
		o.named = os.Remove(f.Name()) != nil // Windows refuses while it is open; close tries again
		if _, err := f.Write(o.memory.Bytes()); err != nil {
			_ = f.Close()
			return 0, exit.With(exit.IO, fmt.Errorf("writing the temporary copy of the message: %w", err))
		}
		o.file = f
		o.memory = bytes.Buffer{}
	}
	return o.file.Write(p)
}

// drain reads on, so that the sender does not meet a closed pipe, but not for ever.
func (o *original) drain(in io.Reader) error {
	_, err := io.Copy(io.Discard, io.LimitReader(in, limits.MessageRead-o.came))
	return err
}

// writeTo writes the copy, from its beginning, and returns how much of it. Once ctx
// has ended, it writes no more than a message may have: somebody waits for the end.
func (o *original) writeTo(ctx context.Context, w io.Writer) (n int64, err error) {
	var in io.Reader = bytes.NewReader(o.memory.Bytes())
	if o.file != nil {
		in = io.NewSectionReader(o.file, 0, limits.MessageRead)
	}
	piece := make([]byte, 64<<10)
	for late := 0; ; {
		if ctx.Err() != nil {
			if late += len(piece); late > limits.Message {
				return n, nil
			}
		}
		got, err := in.Read(piece)
		if _, err := w.Write(piece[:got]); err != nil {
			return n, err
		}
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// missing says how much of the message n octets are, "" when they are all of it.
func (o *original) missing(n int64) string {
	if n == o.came && n < limits.MessageRead {
		return ""
	}
	return fmt.Sprintf("only its first %d octets, the rest is missing", n)
}

func (o *original) close() {
	if o.file == nil {
		return
	}
	_ = o.file.Close()
	if o.named {
		_ = os.Remove(o.file.Name())
	}
}
