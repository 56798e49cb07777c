package sevenbit

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// Lines of what is encoded already, where they have to be made new (RFC 2045 6.7
// rule 5 and 6.8).
const lineRoom = 76

// lines gives each line of at most 998 octets to short, and each longer one to
// long, in pieces; last is the end of the line. Line ends are CRLF, but for the
// last line, which may have none.
func (s stretch) lines(short func(line []byte) error, long func(piece []byte, last bool) error) error {
	br := bufio.NewReaderSize(s.reader(), 32<<10)
	for read := int64(0); read < s.n; {
		piece, err := br.ReadSlice('\n')
		read += int64(len(piece))
		if err == nil && len(piece) <= limits.Line+2 || errors.Is(err, io.EOF) && len(piece) <= limits.Line && read == s.n {
			if err := short(piece); err != nil {
				return err
			}
			continue
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			if err := long(piece, false); err != nil {
				return err
			}
			piece, err = br.ReadSlice('\n')
			read += int64(len(piece))
		}
		if err != nil && (!errors.Is(err, io.EOF) || read < s.n) {
			return fmt.Errorf("reading the message: %w", err)
		}
		if err := long(piece, true); err != nil {
			return err
		}
	}
	return nil
}

// newWrapped is base64 with its long lines cut at 76 octets, and without octets
// that no reader takes for base64.
func newWrapped(s stretch) Segment {
	return newFiltered(s, func(s stretch, w *bufio.Writer) error {
		column := 0
		put := func(p []byte, wrap bool) error {
			for _, c := range p {
				switch {
				case c >= 0x80 || c == 0:
					continue
				case c == '\r' || c == '\n':
					column = -1
				case wrap && column == lineRoom:
					_, _ = w.WriteString("\r\n")
					column = 0
				}
				column++
				if err := w.WriteByte(c); err != nil {
					return err
				}
			}
			return nil
		}
		return s.lines(func(line []byte) error { column = 0; return put(line, false) },
			func(piece []byte, last bool) error {
				err := put(piece, true)
				if last {
					column = 0
				}
				return err
			})
	})
}

// newRepaired is quoted-printable with its long lines cut and its octets encoded
// that should have been.
func newRepaired(s stretch) Segment {
	return newFiltered(s, func(s stretch, w *bufio.Writer) error {
		r := &repairer{w: w}
		return s.lines(r.short, r.long)
	})
}

type repairer struct {
	w       *bufio.Writer
	column  int
	pending []byte // the beginning of an encoded octet, at the end of a piece
}

func (r *repairer) short(line []byte) error {
	for _, c := range line {
		if c >= 0x80 || c == 0 {
			return r.long(line, true)
		}
	}
	_, err := r.w.Write(line)
	return err
}

func (r *repairer) long(piece []byte, last bool) error {
	p := append(r.pending, piece...)
	r.pending = nil
	for len(p) > 0 {
		c := p[0]
		n := 1
		switch {
		case c == '\r' || c == '\n':
			r.column = 0
			_ = r.w.WriteByte(c)
			p = p[1:]
			continue
		case c == '=' && len(p) < 3 && !last:
			r.pending = append([]byte(nil), p...)
			return nil
		case c == '=' && len(p) > 1 && p[1] == '\r', c == '=' && len(p) == 1 && last: // a soft line end
			_ = r.w.WriteByte(c)
			p = p[1:]
			continue
		case c == '=' && len(p) > 2 && isHex(p[1]) && isHex(p[2]):
			n = 3
		}
		if err := r.unit(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	if last {
		r.column = 0
	}
	return nil
}

// unit writes what may not be taken apart.
func (r *repairer) unit(p []byte) error {
	text := string(p)
	if c := p[0]; len(p) == 1 && (c >= 0x80 || c == 0 || c == '=') {
		text = fmt.Sprintf("=%02X", c)
	}
	if r.column+len(text) >= lineRoom {
		_, _ = r.w.WriteString("=\r\n")
		r.column = 0
	}
	r.column += len(text)
	_, err := r.w.WriteString(text)
	return err
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}
