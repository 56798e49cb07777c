package sevenbit

import (
	"bufio"
	"bytes"
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
		isLine := err == nil && len(piece) <= limits.Line+len("\r\n")
		isLastLine := errors.Is(err, io.EOF) && len(piece) <= limits.Line && read == s.n
		if isLine || isLastLine {
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
		isEnd := errors.Is(err, io.EOF) && read >= s.n
		if err != nil && !isEnd {
			return fmt.Errorf("reading the message: %w", err)
		}
		if err := long(piece, true); err != nil {
			return err
		}
	}
	return nil
}

// newWrapped is base64 with its long lines cut at 76 octets, and a question mark in
// the place of each octet that cannot go through: readers take neither for base64
// (RFC 2045 6.8).
func newWrapped(s stretch) Segment {
	return newFiltered(s, func(s stretch, w *bufio.Writer) error {
		column := 0
		put := func(p []byte, wrap bool) error {
			for _, c := range p {
				if c >= 0x80 || c == 0 {
					c = '?'
				}
				if c == '\r' || c == '\n' {
					column = -1
				} else if wrap && column == lineRoom {
					_, _ = w.WriteString("\r\n")
					if column = 0; c == '-' { // it could begin a delimiter
						_ = w.WriteByte(' ')
					}
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

// quoter writes quoted-printable in lines of at most 76 octets.
type quoter struct {
	w      *bufio.Writer
	column int
	blank  byte // that may come before a line end; 0 = none
}

// newQuoted is text in quoted-printable.
func newQuoted(s stretch) Segment {
	return newFiltered(s, func(s stretch, w *bufio.Writer) error {
		q := &quoter{w: w}
		if err := s.pieces(32<<10, q.text); err != nil || q.blank == 0 {
			return err
		}
		return q.octet(q.blank, true)
	})
}

// text takes a piece of text with CRLF line ends. A blank at the end of a line is
// encoded (RFC 2045 6.7 rule 3).
func (q *quoter) text(p []byte) (err error) {
	for _, c := range p {
		if q.blank != 0 {
			_ = q.octet(q.blank, c == '\r')
			q.blank = 0
		}
		switch {
		case c == '\r' || c == '\n':
			err = q.lineEnd(c)
		case c == ' ' || c == '\t':
			q.blank = c
		default:
			err = q.octet(c, c < ' ' || c > '~' || c == '=')
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// octet writes one, encoded or as it is. A hyphen that would come first after a
// soft line end is encoded, so that a delimiter does not begin there.
func (q *quoter) octet(c byte, encode bool) error {
	isFull := q.column == lineRoom-1
	isFullForEncoded := encode && q.column >= lineRoom-3
	if isFull || isFullForEncoded {
		_, _ = q.w.WriteString("=\r\n")
		q.column = 0
		encode = encode || c == '-'
	}
	if !encode {
		q.column++
		return q.w.WriteByte(c)
	}
	const hex = "0123456789ABCDEF"
	q.column += 3
	_, err := q.w.Write([]byte{'=', hex[c>>4], hex[c&15]})
	return err
}

// lineEnd writes one of the two octets of a line end.
func (q *quoter) lineEnd(c byte) error {
	q.column = 0
	return q.w.WriteByte(c)
}

// newRepaired is quoted-printable with its long lines cut and its octets encoded
// that should have been.
func newRepaired(s stretch) Segment {
	return newFiltered(s, func(s stretch, w *bufio.Writer) error {
		r := &repairer{quoter: quoter{w: w}}
		return s.lines(r.short, r.long)
	})
}

type repairer struct {
	quoter
	pending []byte // from an equals sign at the end of a piece on, until it is known what it is
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

func (r *repairer) long(piece []byte, last bool) (err error) {
	p := append(r.pending, piece...)
	r.pending = nil
	for len(p) > 0 && err == nil {
		n := 1
		switch c := p[0]; {
		case c == '\r' || c == '\n':
			err = r.lineEnd(c)
		case c != '=':
			err = r.octet(c, c >= 0x80 || c == 0)
		case len(p) > 2 && isHex(p[1]) && isHex(p[2]):
			n, err = 3, r.octet(unhex(p[1])<<4|unhex(p[2]), true)
		default:
			blanks, ends := softEnd(p[1:], last)
			isCut := len(p) < 3 || blanks == len(p)-1
			if isCut && !last && blanks < limits.Line {
				r.pending = bytes.Clone(p)
				return nil
			}
			if ends {
				n, err = 1+blanks, r.w.WriteByte(c)
				break
			}
			err = r.octet(c, true)
		}
		p = p[n:]
	}
	if last {
		r.column = 0
	}
	return err
}

// softEnd counts the blanks that p begins with, which are not text at the end of a
// line (RFC 2045 6.7 rule 3), and reports whether the line ends after them.
func softEnd(p []byte, last bool) (blanks int, ends bool) {
	for blanks < min(len(p), limits.Line) && (p[blanks] == ' ' || p[blanks] == '\t') {
		blanks++
	}
	if blanks == len(p) {
		return blanks, last
	}
	return blanks, p[blanks] == '\r'
}

func isHex(c byte) bool {
	isDigit := c >= '0' && c <= '9'
	isUpper := c >= 'A' && c <= 'F'
	isLower := c >= 'a' && c <= 'f'
	return isDigit || isUpper || isLower
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c >= 'A' {
		return c&^0x20 - 'A' + 10
	}
	return c - '0'
}
