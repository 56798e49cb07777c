package sevenbit

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// fault is something that no server takes, and the place of its line.
type fault struct {
	offset int64
	fault  string
}

// octets is what is seen of a body while it is read.
type octets struct {
	total     int64
	high      int64 // above 127
	escapes   int64 // that quoted-printable makes three octets of
	seen      [256]bool
	long, nul fault
	nuls      int64
	wide      bool // it looks like UTF-16

	pending [utf8.UTFMax]byte // a character that is cut by the end of a piece
	n       int
	notUTF8 bool
}

// guessable is how many octets it takes at least to tell UTF-16 from text with NULs.
const guessable = 16

// add takes a piece at off.
func (o *octets) add(p []byte, off int64) {
	if o.total == 0 {
		o.wide = bytes.HasPrefix(p, []byte("\xff\xfe")) || bytes.HasPrefix(p, []byte("\xfe\xff"))
	}
	o.total += int64(len(p))
	high := o.high
	for i, c := range p {
		switch {
		case c >= 0x80:
			o.high++
			o.seen[c] = true
		case c == 0:
			o.escapes++
			o.nuls++
			if o.nul.fault == "" {
				o.nul = fault{off + int64(i), "a NUL"}
			}
		case c == '=':
			o.escapes++
		}
	}
	o.escapes += o.high - high
	hasMore := o.high > high || o.n > 0
	if hasMore && !o.notUTF8 {
		o.checkUTF8(p)
	}
}

func (o *octets) checkUTF8(p []byte) {
	for o.n > 0 && len(p) > 0 && !utf8.FullRune(o.pending[:o.n]) {
		o.pending[o.n] = p[0]
		o.n, p = o.n+1, p[1:]
	}
	if o.n > 0 && utf8.FullRune(o.pending[:o.n]) {
		o.notUTF8 = !utf8.Valid(o.pending[:o.n])
		o.n = 0
	}
	cut := len(p)
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if utf8.RuneStart(p[len(p)-i]) {
			if !utf8.FullRune(p[len(p)-i:]) {
				cut = len(p) - i
			}
			break
		}
	}
	o.notUTF8 = o.notUTF8 || !utf8.Valid(p[:cut])
	o.n += copy(o.pending[o.n:], p[cut:])
}

// endLine notes a line that is too long.
func (o *octets) endLine(start, length int64) {
	if length > limits.Line && o.long.fault == "" {
		o.long = fault{start, fmt.Sprintf("%d octets, at most %d (RFC 5322 2.1.1)", length, limits.Line)}
	}
}

// close ends the counting.
func (o *octets) close() {
	o.notUTF8 = o.notUTF8 || o.n > 0
	o.n = 0
	looksWide := o.total >= guessable && o.nuls*3 > o.total
	o.wide = o.wide || looksWide
}

// worst is the first thing that no server takes.
func (o *octets) worst() fault {
	nulIsFirst := o.long.fault == "" || o.nul.offset < o.long.offset
	if o.nul.fault != "" && nulIsFirst {
		return o.nul
	}
	return o.long
}
