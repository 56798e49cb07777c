package smtpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// data is RFC 5321 4.1.1.4.
func (c *conn) data(ctx context.Context, arg string) bool {
	switch {
	case arg != "":
		return c.wire.send(c.refuse(invalidArguments))
	case c.tx == nil:
		return c.wire.send(c.refuse(needMail))
	case c.tx.recipients == 0:
		return c.wire.send(c.refuse(needRcpt))
	case c.tx.mail.Body == "BINARYMIME": // RFC 3030 3: only with BDAT
		return c.wire.send(c.refuse(badSequence))
	}
	r := c.session.Data(ctx)
	if !c.wire.send(r) || r.Code != 354 {
		return !r.ends()
	}
	return c.content(ctx, &dotReader{r: c.wire.r, lineStart: true})
}

// content lets the session read framed and sends its reply. The only way on
// from here is a stream that is exactly after the content.
func (c *conn) content(ctx context.Context, framed io.Reader) bool {
	in := &contentReader{src: framed, left: c.opts.MaxMessageBytes, policy: c.opts.LineEnds}
	if c.tx.mail.Body == "BINARYMIME" {
		in.policy = KeepBare
	}
	r := c.session.Content(ctx, in)
	c.reset()
	if in.lone {
		c.wire.grammar.quirks |= QuirkBareLF
	}
	if r.ends() && in.err == nil {
		return c.wire.send(r)
	}
	switch err := in.finish(c.opts.MaxMessageBytes); {
	case err == nil:
		c.accepted(r)
		return c.wire.send(r)
	case errors.Is(err, errEndless):
		return c.wire.send(fixed(tooLarge).ThenClose().breaking(CauseContentSize))
	case errors.Is(err, ErrTooLarge):
		return c.wire.send(fixed(tooLarge))
	case errors.Is(err, ErrBareLines):
		return c.wire.send(fixed(bareInContent))
	default:
		c.wire.endRead(err, true)
		return c.wire.lost(err)
	}
}

// accepted counts a content that was.
func (c *conn) accepted(r Reply) {
	if r.positive() {
		c.wire.broken.Accepted++
		c.unaccepted = 0
	}
}

// dotReader reads content up to CRLF "." CRLF and removes the stuffed dots (RFC
// 5321 4.5.2). A line ends at CRLF only, and not at one that follows another
// CR: some servers take CR CR LF for a line end and some do not, so that what
// follows it may be content to one and command to the other.
type dotReader struct {
	r         *bufio.Reader
	lineStart bool
	last      [2]byte // octets before the next, within the content
	rest      []byte  // part of r's buffer, read but not handed on
	err       error
}

// Read hands on as many lines as are here, so that whoever writes them to a file
// does not write line by line.
func (d *dotReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(d.rest) == 0 {
			if d.err != nil || (n > 0 && d.r.Buffered() == 0) {
				break
			}
			d.fill()
			continue
		}
		k := copy(p[n:], d.rest)
		d.rest = d.rest[k:]
		n += k
	}
	if n == 0 {
		return 0, d.err
	}
	return n, nil
}

func (d *dotReader) fill() {
	part, err := d.r.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		d.err = noEOF(err, 1)
		return
	}
	if d.lineStart && part[0] == '.' {
		if string(part) == ".\r\n" {
			d.err = io.EOF
			return
		}
		part = part[1:]
	}
	if len(part) == 0 {
		d.lineStart = false
		return
	}
	tail := append(d.last[:], part[max(0, len(part)-3):]...)
	d.lineStart = bytes.HasSuffix(tail, []byte("\r\n")) && !bytes.HasSuffix(tail, []byte("\r\r\n"))
	d.last = [2]byte(tail[len(tail)-2:])
	d.rest = part
}
