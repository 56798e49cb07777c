package message

import (
	"bytes"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Content is the header section and body as they go after DATA (RFC 5321
// 2.3.9), with CRLF line ends, before dot-stuffing, and ending with CRLF. It is
// safe for concurrent use.
type Content struct {
	segments []segment
	length   int64
	eightBit bool
}

// segment is a run of octets that can be written any number of times. Its size
// is what write will write; otherwise write fails.
type segment interface {
	size() int64
	write(w io.Writer) error
}

func newContent(segments []segment) *Content {
	c := &Content{segments: segments}
	for _, s := range segments {
		c.length += s.size()
		if b, ok := s.(literal); ok && !mimetext.IsASCII(string(b)) {
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
// of w as it is, or *FileError when a file cannot be read or has changed; then
// the content is incomplete and must not be ended as if it were whole.
func (c *Content) WriteTo(w io.Writer) (int64, error) {
	cw := &countingWriter{w: w}
	for _, s := range c.segments {
		before := cw.n
		if err := s.write(cw); err != nil {
			return cw.n, err
		}
		if cw.n-before != s.size() {
			return cw.n, fmt.Errorf("writing content: a segment of %d octets became %d", s.size(), cw.n-before)
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

// literal is octets in memory.
type literal []byte

func (l literal) size() int64 { return int64(len(l)) }

func (l literal) write(w io.Writer) error {
	_, err := w.Write(l)
	return err
}

// sevenBit is a text with CRLF line ends that needs no encoding.
type sevenBit string

func (t sevenBit) size() int64 { return int64(len(t)) }

func (t sevenBit) write(w io.Writer) error {
	_, err := io.WriteString(w, string(t))
	return err
}

// quoted is a text with CRLF line ends in quoted-printable (RFC 2045 6.7). It
// is encoded again at each writing: a text of many megabytes, such as a log on
// standard input, is in memory once and not a second time in three times its
// size.
type quoted struct {
	text string
	n    int64 // encoded size, counted once
}

func newQuoted(text string) quoted {
	q := quoted{text: text}
	counter := &countingWriter{w: io.Discard}
	_ = q.write(counter) // io.Discard does not fail
	q.n = counter.n
	return q
}

func (q quoted) size() int64 { return q.n }

func (q quoted) write(w io.Writer) error {
	var buf bytes.Buffer // the encoder writes line by line; the wire gets larger pieces
	enc := quotedprintable.NewWriter(&buf)
	for rest := q.text; ; {
		n := min(len(rest), 32<<10)
		if _, err := io.Copy(enc, strings.NewReader(rest[:n])); err != nil {
			return err
		}
		rest = rest[n:]
		if rest == "" {
			break
		}
		if _, err := buf.WriteTo(w); err != nil {
			return err
		}
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := buf.WriteTo(w)
	return err
}

// textSegment encodes a text as little as it allows.
func textSegment(text string) (encoding string, s segment) {
	text = mimetext.NormaliseLines(mimetext.ToUTF8(text))
	if mimetext.FitsSevenBit(text) {
		return "7bit", sevenBit(text)
	}
	return "quoted-printable", newQuoted(text)
}
