package sevenbit

import (
	"bufio"
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// literal is octets in memory.
type literal string

func (l literal) Size() int64 { return int64(len(l)) }

func (l literal) Write(w io.Writer) error {
	_, err := io.WriteString(w, string(l))
	return err
}

// stretch is a run of the message.
type stretch struct {
	from   io.ReaderAt
	off, n int64
}

func (s stretch) reader() io.Reader { return io.NewSectionReader(s.from, s.off, s.n) }

func (s stretch) all() (string, error) {
	b := make([]byte, s.n)
	if _, err := s.from.ReadAt(b, s.off); err != nil && err != io.EOF {
		return "", fmt.Errorf("reading the message: %w", err)
	}
	return string(b), nil
}

// pieces gives the octets in pieces to f. A message that has become shorter is an
// error.
func (s stretch) pieces(size int, f func([]byte) error) error {
	buf := make([]byte, size)
	r := s.reader()
	for left := s.n; left > 0; {
		n, err := io.ReadFull(r, buf[:min(int64(size), left)])
		if err != nil {
			return fmt.Errorf("reading the message: %w", err)
		}
		left -= int64(n)
		if err := f(buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// filtered is a run of the message that is changed on its way.
type filtered struct {
	stretch
	size   int64
	filter func(s stretch, w *bufio.Writer) error
}

// newFiltered counts once what the filter writes. An error of reading comes again
// when the octets are written.
func newFiltered(s stretch, filter func(s stretch, w *bufio.Writer) error) filtered {
	f := filtered{stretch: s, filter: filter}
	counter := &countingWriter{}
	_ = f.Write(counter)
	f.size = counter.n
	return f
}

func (f filtered) Size() int64 { return f.size }

func (f filtered) Write(w io.Writer) error {
	buffered := bufio.NewWriterSize(w, 32<<10)
	if err := f.filter(f.stretch, buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

type countingWriter struct{ n int64 }

func (c *countingWriter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// encoded is octets in base64. The line end before a delimiter is the delimiter's,
// at the end of a message it is the last line's.
type encoded struct {
	stretch
	last bool
}

func newBase64(s stretch, last bool) Segment { return encoded{s, last} }

func (e encoded) Size() int64 {
	n := mimetext.Base64Size(e.n)
	if !e.last {
		n -= 2
	}
	return n
}

func (e encoded) Write(w io.Writer) error {
	left := e.Size()
	out := make([]byte, mimetext.Base64Size(base64Piece))
	return e.pieces(base64Piece, func(p []byte) error {
		lines := mimetext.Base64Lines(out, p)
		lines = lines[:min(int64(len(lines)), left)]
		left -= int64(len(lines))
		_, err := w.Write(lines)
		return err
	})
}

// base64Piece is whole lines.
const base64Piece = 512 * mimetext.Base64Row

// newPlain is what is outside of all parts, which no program shows: long
// lines are cut, and what cannot go through becomes a question mark.
func newPlain(s stretch, eightBit bool) Segment {
	return newFiltered(s, func(s stretch, w *bufio.Writer) error {
		column := 0
		return s.pieces(32<<10, func(p []byte) error {
			for _, c := range p {
				if column++; c == '\n' || c == '\r' {
					column = 0
				}
				if column > limits.Line {
					_, _ = w.WriteString("\r\n ") // a blank, so that a delimiter does not begin there
					column = 2
				}
				isHigh := eightBit && c >= 0x80
				if c == 0 || isHigh {
					c = '?'
				}
				if err := w.WriteByte(c); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
