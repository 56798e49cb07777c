// Package readymessage is for ready messages: RFC 5322 messages that another
// program has composed. One is not parsed and written again. It is read into a
// copy, its header fields are found, and Mail makes a mail object of it whose
// octets are those of the message but for what had to change: Bcc is left out, a
// missing From, Date or Message-ID is added, and what no server takes is re-encoded
// (package sevenbit).
//
// A Message must not be used by two goroutines at once.
package readymessage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sevenbit"
	"github.com/smtpsend/smtpsend/internal/until"
)

// Message is a ready message. Its octets are kept, but for header fields that are
// left out or put on top, and for what Options.Reencode changes. Line ends are
// CRLF, whatever they were before.
type Message struct {
	spool    *spool
	fields   []headerField
	body     int64 // where the body begins; the empty line before it is part of the header
	hasBlank bool  // the empty line between header section and body is there
	how      Reencode
	plan     sevenbit.Plan
}

// Reencode says what of a ready message is put into quoted-printable, base64 and
// encoded words. What is signed or encrypted never is.
type Reencode string

// What is re-encoded. The zero value is ReencodeAlways.
const (
	ReencodeNever  Reencode = "never"  // nothing; lines over 998 octets and NUL are refused
	ReencodeLong   Reencode = "long"   // what no server takes: lines over 998 octets, and text with NUL
	ReencodeAlways Reencode = "always" // that, and octets above 127, which Exchange Online is reported to garble
)

// Options say how a ready message is read.
type Options struct {
	MaxSize  int64  // octets, 0 = limits.Message (150 MiB)
	TempDir  string // for messages of more than 1 MiB; "" = the system's
	Reencode Reencode
}

// Read reads a ready message to its end: from a file, from standard input,
// from a connection. LF becomes CRLF, and so do CRs before an LF. A CR elsewhere
// becomes a blank, as in Postfix: RFC 5322 2.3 has CR only in CRLF, and as a
// line end it would let a text that was cleared of LF begin a header field. Only
// in a message without any LF, as old Macs wrote it, CR is the line end. A leading
// mbox line ("From user date") is never sent, nor is a byte order mark. It refuses
// with *badinput.FieldError, and says the place: lines over 998 octets (RFC 5322
// 2.1.1) and NUL where they cannot or must not be re-encoded, a message or a header
// section that is too large. Other errors are those of r and of the temporary file
// (ErrNoCopy), and the cause of ctx, with which it ends between two reads. The
// caller closes the result, or the Mail made of it.
func Read(ctx context.Context, r io.Reader, o Options) (m *Message, err error) {
	s := &spool{dir: o.TempDir}
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	lines := &lineNormaliser{w: s, max: o.MaxSize}
	if lines.max == 0 {
		lines.max = limits.Message
	}
	in, err := charset.Unmarked(until.Between(ctx, r))
	if errors.Is(err, charset.ErrUTF16) {
		return nil, badinput.Field("message", "", err.Error())
	}
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyBuffer(lines, in, make([]byte, 32<<10)); err != nil {
		return nil, err
	}
	if err := lines.close(); err != nil {
		return nil, err
	}
	m = &Message{spool: s, how: cmp.Or(o.Reencode, ReencodeAlways)}
	if err := m.scanHeader(); err != nil {
		return nil, err
	}
	if err := m.reencode(ctx, lines); err != nil {
		return nil, err
	}
	return m, nil
}

// Open is Read of a file. A missing or unreadable file is a *badinput.FileError.
func Open(ctx context.Context, path string, o Options) (*Message, error) {
	f, err := ownfile.OpenContext(ctx, path)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, badinput.File(path, err)
	}
	defer f.Close()
	raw, err := Read(ctx, f, o)
	var pathErr *os.PathError
	if errors.As(err, &pathErr) && pathErr.Path == path {
		return nil, badinput.File(path, err)
	}
	return raw, err
}

// Close removes the temporary file, if there is one.
func (msg *Message) Close() error { return msg.spool.Close() }

// place is where a line is in a message; lines are counted from 1.
type place struct {
	line   int64
	octets int64 // length of the line
}

// lineNormaliser makes every line end CRLF (RFC 5321 2.3.8), and notes what
// cannot be sent. A message without a last line end gets one.
type lineNormaliser struct {
	w        io.Writer
	max      int64
	n        int64 // octets written
	in       int64 // octets taken
	out      []byte
	held     []byte // all octets, until it is known what a line end is
	known    bool   // what a line end is
	mac      bool   // it is CR
	crs      int    // CRs before the next octet
	at       place  // line so far, and its length
	long     place  // first line over 998
	nul      place  // first NUL, as the last octet of its line
	eightBit bool
}

func (l *lineNormaliser) Write(p []byte) (int, error) {
	if l.in += int64(len(p)); l.in > limits.MessageRead { // of CRs that are left out, n knows nothing
		return 0, badinput.Field("message", "", fmt.Sprintf("more than %d octets, with CRs before line ends", limits.MessageRead))
	}
	if l.known {
		return len(p), l.take(p)
	}
	l.held = append(l.held, p...)
	switch {
	case bytes.IndexByte(p, '\n') >= 0:
		l.known = true
	case len(l.held) > limits.HeaderSection: // with an LF after that the header section is too large
		l.known, l.mac = true, bytes.IndexByte(l.held, '\r') >= 0
	default:
		return len(p), nil
	}
	held := l.held
	l.held = nil
	return len(p), l.take(held)
}

// take writes octets once it is known what a line end is.
func (l *lineNormaliser) take(p []byte) error {
	l.out = l.out[:0]
	for _, c := range p {
		switch {
		case c == '\r' && l.mac, c == '\n' && !l.mac:
			l.crs = 0
			l.endLine()
			continue
		case c == '\n':
			return badinput.Field("message", "", fmt.Sprintf("line %d ends with LF, the lines before it with CR", l.at.line+1))
		case c == '\r':
			if l.crs++; l.crs > limits.CRs {
				return badinput.Field("message", "", fmt.Sprintf("line %d has more than %d CRs in a row", l.at.line+1, limits.CRs))
			}
			continue
		case c == 0 && l.nul.line == 0:
			l.nul = place{l.at.line + 1, l.at.octets + int64(l.crs) + 1}
		}
		for ; l.crs > 0; l.crs-- {
			l.octet(' ')
		}
		l.octet(c)
	}
	return l.flush()
}

// octet writes one that belongs to a line.
func (l *lineNormaliser) octet(c byte) {
	l.out = append(l.out, c)
	l.at.octets++
	l.eightBit = l.eightBit || c >= 0x80
}

func (l *lineNormaliser) endLine() {
	l.out = append(l.out, '\r', '\n')
	l.at.line++
	if l.at.octets > limits.Line && l.long.line == 0 {
		l.long = l.at
	}
	l.at.octets = 0
}

func (l *lineNormaliser) flush() error {
	if l.n += int64(len(l.out)); l.n > l.max {
		return badinput.Field("message", "", fmt.Sprintf("more than %d octets", l.max))
	}
	_, err := l.w.Write(l.out)
	return err
}

func (l *lineNormaliser) close() error {
	if !l.known { // nothing, one line, or old Mac text
		l.known, l.mac = true, true
		if err := l.take(l.held); err != nil {
			return err
		}
	}
	l.out = l.out[:0]
	if l.at.octets > 0 {
		l.endLine()
	}
	return l.flush()
}
