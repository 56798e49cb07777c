package message

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// sevenBit is a text with CRLF line ends that needs no encoding.
type sevenBit string

func (t sevenBit) Size() int64 { return int64(len(t)) }

func (t sevenBit) Write(w io.Writer) error {
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
	var n counter
	_ = q.Write(&n) // a counter does not fail
	q.n = int64(n)
	return q
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (q quoted) Size() int64 { return q.n }

func (q quoted) Write(w io.Writer) error {
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
func textSegment(text string) (encoding string, s mailobject.Segment) {
	text = mimetext.NormaliseLines(mimetext.ToUTF8(text))
	if mimetext.FitsSevenBit(text) {
		return "7bit", sevenBit(text)
	}
	return "quoted-printable", newQuoted(text)
}
