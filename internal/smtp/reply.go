// Package smtp is the vocabulary of a submission, shared by the session, the
// catalogue of failures, the outbox, batches and the command: the Stage at which
// something happened, the Reply that a server gave (RFC 5321 4.2), the Fault when it
// gave none, and the Outcome for each Recipient.
//
// Read reads a reply from a server that is not to be trusted: lines are cut, the
// whole reply is bounded, and a reply whose lines do not carry one code is an error
// at once rather than a wait for more.
package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of one reply. RFC 5321 4.5.3.1.5 allows 512 octets a line; Exchange
// Online sends STOREDRV diagnostics of several kilobytes, so we take more. What
// is too much of a line is dropped and not the reply: its code still says what
// became of a message.
const (
	MaxLine  = 16 << 10  // octets that are kept of one line
	MaxReply = 512 << 10 // octets in all lines together, as they come
)

// ErrTooLong says that the whole reply exceeded its limit.
var ErrTooLong = errors.New("reply exceeds the limit")

// SyntaxError is a line that is not a reply line, or one whose code differs from
// that of the lines before it.
type SyntaxError struct {
	Line string // the line as received, cut to 200 octets
}

// Error quotes the line.
func (e *SyntaxError) Error() string { return fmt.Sprintf("malformed reply line %q", e.Line) }

// Enhanced is an enhanced status code (RFC 3463), class.subject.detail. The
// zero value means that the reply carries none.
type Enhanced struct{ Class, Subject, Detail int }

// IsZero reports whether there is no enhanced status code.
func (e Enhanced) IsZero() bool { return e == Enhanced{} }

// String returns "5.7.3", or "" for the zero value.
func (e Enhanced) String() string {
	if e.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", e.Class, e.Subject, e.Detail)
}

// Reply is one reply of a server. The zero value stands for no reply.
type Reply struct {
	Code     int      // 200 to 599
	Enhanced Enhanced // from the first line, when its class agrees with Code
	Lines    []string // text of each line after the code, verbatim
}

// IsZero reports whether there is no reply.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Text returns the lines joined by a line feed, without the reply code.
func (r Reply) Text() string { return strings.Join(r.Lines, "\n") }

// String returns code and text on one line, as people quote replies.
func (r Reply) String() string {
	if r.IsZero() {
		return ""
	}
	return strings.TrimRight(fmt.Sprintf("%d %s", r.Code, strings.Join(r.Lines, " ")), " ")
}

// Positive reports a 2yz completion reply (RFC 5321 4.2.1).
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Intermediate reports a 3yz reply, which asks for more.
func (r Reply) Intermediate() bool { return r.Code/100 == 3 }

// Transient reports a 4yz reply: the same command may work later.
func (r Reply) Transient() bool { return r.Code/100 == 4 }

// Negative reports a refusal of either kind.
func (r Reply) Negative() bool { return r.Transient() || r.Permanent() }

// Permanent reports a 5yz reply: the same command will not work.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Read reads one reply, single- or multi-line. Its errors are those of br
// (io.ErrUnexpectedEOF inside a reply), ErrTooLong and *SyntaxError; after any
// of them the position in the stream is undefined and the connection unusable.
// A bare LF is taken as a line end, as most clients do.
func Read(br *bufio.Reader) (Reply, error) {
	var r Reply
	total := 0
	for {
		line, err := readLine(br, &total)
		if err != nil {
			return Reply{}, err
		}
		code, text, more, ok := splitLine(line)
		if !ok || (r.Code != 0 && code != r.Code) {
			return Reply{}, &SyntaxError{Line: line[:min(len(line), 200)]}
		}
		r.Code = code
		r.Lines = append(r.Lines, text)
		if !more {
			r.Enhanced = enhanced(r.Code, r.Lines[0])
			return r, nil
		}
	}
}

func readLine(br *bufio.Reader, total *int) (string, error) {
	var inOne [512]byte // enough for most lines
	line := inOne[:0]
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part[:min(len(part), MaxLine-len(line))]...)
		*total += len(part)
		if *total > MaxReply {
			return "", ErrTooLong
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", unexpectedEOF(err, *total)
		}
	}
	return string(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))), nil
}

// splitLine takes "250-text", "250 text" or a bare "250" apart. The first digit
// is 2 to 5 and the second 0 to 5 (RFC 5321 4.2), which keeps a line of another
// protocol, such as one that begins with a year, from being taken for a reply;
// Exchange's own 2yz to 5yz all obey it.
func splitLine(line string) (code int, text string, more, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '5' || line[2] < '0' || line[2] > '9' {
		return 0, "", false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, "", false, true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, "", false, false
	}
	return code, line[4:], line[3] == '-', true
}

// enhanced reads the code at the start of text. A class that contradicts the
// reply code is not believed (RFC 2034 4: they must agree).
func enhanced(code int, text string) Enhanced {
	word, _, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 {
		return Enhanced{}
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || v < 0 || len(p) > 3 || (len(p) > 1 && p[0] == '0') || p[0] == '+' || p[0] == '-' {
			return Enhanced{}
		}
		n[i] = v
	}
	if n[0] != code/100 || (n[0] != 2 && n[0] != 4 && n[0] != 5) {
		return Enhanced{}
	}
	return Enhanced{n[0], n[1], n[2]}
}

// unexpectedEOF tells a connection closed between replies (io.EOF) from one
// closed within a reply.
func unexpectedEOF(err error, read int) error {
	if read > 0 && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
