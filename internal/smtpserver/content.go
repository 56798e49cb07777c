package smtpserver

import (
	"errors"
	"io"
)

var errEndless = errors.New("smtpserver: content exceeds the size limit twice")

// contentReader is what the session reads: framed content within the size
// limit, its lone CRs and LFs treated as the policy says. After its first error
// it gives no more.
type contentReader struct {
	src    io.Reader
	left   int64 // octets until ErrTooLarge
	policy LineEnds
	err    error // of the session's reading, io.EOF included

	cr      bool   // the octet before was a CR
	crs     int    // CRs before the next octet, when converting
	bare    bool   // a lone CR or LF was seen, when refusing
	lone    bool   // a lone LF was seen, when converting
	in, out []byte // buffers of convert
	pending []byte // part of out that is not read yet
}

func (c *contentReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	var n int
	if c.policy == ConvertBare {
		n, c.err = c.convert(p)
	} else {
		n, c.err = c.src.Read(p)
		c.look(p[:n])
	}
	if c.left -= int64(n); c.left < 0 {
		c.err = ErrTooLarge
		return 0, c.err
	}
	if errors.Is(c.err, io.EOF) && c.policy == RefuseBare && (c.bare || c.cr) {
		c.err = ErrBareLines
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// look notes lone CRs and LFs.
func (c *contentReader) look(p []byte) {
	if c.policy != RefuseBare || c.bare {
		return
	}
	for _, b := range p {
		if (b == '\n') != c.cr {
			c.bare = true
			return
		}
		c.cr = b == '\r'
	}
}

// convert reads with each lone LF made a CRLF, CRs before it included. A CR
// elsewhere becomes a blank, as Postfix has it: as a line end it would begin
// another header field for a client that was careful about LF alone.
func (c *contentReader) convert(p []byte) (int, error) {
	for len(c.pending) == 0 {
		if c.in == nil {
			c.in = make([]byte, 2<<10)
		}
		n, err := c.src.Read(c.in)
		c.out = c.crlf(c.out[:0], c.in[:n])
		if errors.Is(err, io.EOF) && c.crs > 0 {
			c.out, c.crs = append(c.out, '\r', '\n'), 0
		}
		c.pending = c.out
		if err != nil && (len(c.pending) == 0 || !errors.Is(err, io.EOF)) {
			return 0, err
		}
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

func (c *contentReader) crlf(out, in []byte) []byte {
	for _, b := range in {
		switch b {
		case '\r':
			c.crs++
			continue
		case '\n':
			c.lone = c.lone || c.crs == 0
			c.crs = 0
			out = append(out, '\r')
		}
		for ; c.crs > 0; c.crs-- {
			out = append(out, ' ')
		}
		out = append(out, b)
	}
	return out
}

// finish reads what the session left, at most limit octets, and returns the
// error that decides in place of the session's reply: nil when the content was
// whole and in order, errEndless when it did not end. A refusal by ErrTooLarge
// or ErrBareLines stands only when the rest could be read.
func (c *contentReader) finish(limit int64) error {
	refusal := c.err
	if refusal == nil || errors.Is(refusal, io.EOF) {
		refusal = nil
	} else if !errors.Is(refusal, ErrTooLarge) && !errors.Is(refusal, ErrBareLines) {
		return refusal
	}
	n, err := io.CopyN(io.Discard, c.src, limit+1)
	switch {
	case n > limit:
		return errEndless
	case !errors.Is(err, io.EOF):
		return err
	}
	return refusal
}
