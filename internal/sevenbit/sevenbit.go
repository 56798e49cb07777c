// Package sevenbit finds the changes that put a ready message (RFC 5322, MIME)
// into 7 bits and lines of at most 998 octets, without a change to what it says:
// text in quoted-printable or base64 (RFC 2045 6), header fields as package
// headerfield writes them. Exchange Online is reported to garble text
// in 8 bits and raw header fields.
//
// It never touches what is signed or encrypted, and changes nothing that would
// go through as it is. The message is read as a stream; what it takes in memory
// does not grow with its bodies.
package sevenbit

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/until"
)

// Message is a ready message with CRLF line ends and CR nowhere else.
type Message struct {
	Octets io.ReaderAt
	Size   int64
	Fields []Field // of the header section, in their order
	Body   int64   // where the body begins
	Blank  bool    // an empty line before the body ends the header section
}

// MboxLine is the Name of the line that mbox files put first. It is not sent.
const MboxLine = "\x00mbox"

// Field is where a header field lies in the message, folds and line end included.
type Field struct {
	Name     string // lower case
	From, To int64
}

// Options say what is changed.
type Options struct {
	EightBit bool // octets above 127, besides lines over 998 octets and NUL, which no server takes
}

// Edit puts something in the place of a run of the message.
type Edit struct {
	From, To int64
	Put      Segment // nil = nothing
}

// Segment is octets that can be written any number of times, also at once. Write
// writes Size octets, or returns the error of reading the message.
type Segment interface {
	Size() int64
	Write(w io.Writer) error
}

// Plan is what is changed, and what the message is afterwards.
type Plan struct {
	Edits      []Edit // in the order of their places; none overlaps another
	EightBit   bool   // an octet above 127 is left: in what is signed, or in an encoding that is not known
	UTF8Header bool   // a header field is left in UTF-8, since a local part in it is not ASCII (RFC 6532)
}

// Refusal is the reason why a message cannot be changed so that a server takes
// it. It is the error type of Make.
type Refusal struct {
	Offset int64  // of the line that no server takes; -1 = it is about the whole message
	Fault  string // what is wrong with that line
	Reason string // why it cannot be re-encoded
}

// Error says what is wrong, and why it stays so.
func (r *Refusal) Error() string {
	if r.Fault == "" {
		return "it cannot be re-encoded: " + r.Reason
	}
	return fmt.Sprintf("%s; it cannot be re-encoded: %s", r.Fault, r.Reason)
}

// Make reads the message to its end. It returns *Refusal, the error of reading,
// or the cause of ctx. The limits are Parts, PartNesting, PartHeader, Fields
// and HeaderSection of package limits; a message over them is refused.
func Make(ctx context.Context, m Message, o Options) (Plan, error) {
	w := &walker{m: m, o: o, nesting: newNesting()}
	if err := w.rootHeader(); err != nil {
		return Plan{}, err
	}
	br := bufio.NewReaderSize(until.Between(ctx, io.NewSectionReader(m.Octets, m.Body, m.Size-m.Body)), 32<<10)
	for w.off = m.Body; ; {
		err := w.readLine(br)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Plan{}, err
		}
	}
	if err := w.close(); err != nil {
		return Plan{}, err
	}
	slices.SortStableFunc(w.plan.Edits, func(a, b Edit) int { // insertions before what is replaced
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return w.plan, nil
}

// rootHeader reads the header section of the message.
func (w *walker) rootHeader() error {
	head := make([]byte, min(w.m.Body, limits.HeaderSection))
	if _, err := w.m.Octets.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the header section: %w", err)
	}
	w.header = partHeader{message: true}
	for _, f := range w.m.Fields {
		if f.To <= int64(len(head)) {
			w.header.fields = append(w.header.fields, field{name: f.Name, from: f.From, to: f.To, raw: string(head[f.From:f.To])})
		}
	}
	fields := w.m.Body
	if w.m.Blank {
		fields -= 2
	}
	return w.endHeader(fields, w.m.Body)
}
