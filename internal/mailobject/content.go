package mailobject

import (
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Content is the header section and body as they go after DATA (RFC 5321
// 2.3.9), with CRLF line ends, before dot-stuffing, and ending with CRLF. It is
// safe for concurrent use.
type Content struct {
	segments []Segment
	length   int64
	eightBit bool
}

// Segment is a run of octets that can be written any number of times. Write
// writes Size octets, or fails; that is checked.
type Segment interface {
	Size() int64
	Write(w io.Writer) error
}

// NewContent joins segments to a content. eightBit says that a segment other than
// a Literal holds an octet above 127.
func NewContent(eightBit bool, segments ...Segment) *Content {
	c := &Content{segments: segments, eightBit: eightBit}
	for _, s := range segments {
		c.length += s.Size()
		if b, ok := s.(Literal); ok && !mimetext.IsASCII(string(b)) {
			c.eightBit = true
		}
	}
	return c
}

// Size returns the exact number of octets that WriteTo writes: the value for
// SIZE= (RFC 1870).
func (c *Content) Size() int64 { return c.length }

// EightBit reports whether an octet above 127 occurs, so that BODY=8BITMIME is
// due (RFC 6152).
func (c *Content) EightBit() bool { return c.eightBit }

// WriteTo writes the content, the same octets every time. It returns the error
// of w or of a segment as it is, such as *badinput.FileError when a file cannot be
// read or has changed; then the content is incomplete and must not be ended as if
// it were whole.
func (c *Content) WriteTo(w io.Writer) (int64, error) {
	cw := &countingWriter{w: w}
	for _, s := range c.segments {
		before := cw.n
		if err := s.Write(cw); err != nil {
			return cw.n, err
		}
		if cw.n-before != s.Size() {
			return cw.n, fmt.Errorf("writing content: a segment of %d octets became %d", s.Size(), cw.n-before)
		}
	}
	return cw.n, nil
}

// countingWriter counts what w took.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Literal is octets in memory.
type Literal []byte

// Size returns their number.
func (l Literal) Size() int64 { return int64(len(l)) }

// Write writes them.
func (l Literal) Write(w io.Writer) error {
	_, err := w.Write(l)
	return err
}
