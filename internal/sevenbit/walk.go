package sevenbit

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/headerfield"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// noGuard means that what is read is neither signed nor encrypted; guardAll that
// the whole message is.
const (
	noGuard  = -1
	guardAll = -2
)

// walker reads the lines of a message and keeps track of its MIME
// structure (RFC 2046 5.1), as far as it is needed to know which part a line
// belongs to.
type walker struct {
	m    Message
	o    Options
	plan Plan

	levels []level        // what is open around the line, outermost first
	names  map[string]int // the innermost level, from 1, at which each boundary is
	guard  int            // the level with which what is signed or encrypted ends
	parts  int
	held   int                 // octets of fields that are written again
	first  headerfield.Charset // that of the first text that says one
	root   part                // the header of the message

	off      int64 // of the line
	inHeader bool
	header   partHeader
	part     part
}

// level is a multipart, or a message within the message (which has no boundary of
// its own and ends with the part that it is in).
type level struct {
	boundary string
	digest   bool  // its parts are messages where nothing else is said (RFC 2046 5.1.5)
	seen     bool  // a part of it began
	label    field // its Content-Transfer-Encoding
	raw      bool  // octets above 127 are left in it
}

// readLine takes one line, in pieces when it is long.
func (w *walker) readLine(br *bufio.Reader) error {
	start := w.off
	piece, err := br.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	whole := err == nil
	w.off += int64(len(piece))
	if w.inHeader {
		return w.headerLine(br, piece, whole, start)
	}
	if whole && len(piece) > 2 && piece[0] == '-' && piece[1] == '-' {
		if i, closing, ok := w.boundary(string(piece)); ok {
			return w.next(i, closing, start)
		}
	}
	w.part.octets.add(piece, start)
	for !whole {
		piece, err = br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		whole = err == nil
		w.part.octets.add(piece, w.off)
		w.off += int64(len(piece))
	}
	w.part.octets.endLine(start, w.off-start-2)
	return nil
}

// headerLine collects the header of a part, and reads it at its empty line.
func (w *walker) headerLine(br *bufio.Reader, piece []byte, whole bool, start int64) error {
	line := string(piece)
	most := limits.PartHeader
	if w.header.message {
		most = limits.HeaderSection
	}
	for !whole && len(line) <= most {
		next, err := br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		whole = err == nil
		w.off += int64(len(next))
		line += string(next)
	}
	if whole && strings.HasPrefix(line, "--") {
		if i, closing, ok := w.boundary(line); ok {
			if err := w.endHeader(start, start); err != nil { // a part without a body
				return err
			}
			return w.next(i, closing, start)
		}
	}
	if line == "\r\n" {
		return w.endHeader(start, w.off)
	}
	if w.header.add(line, start, w.off); w.header.octets > most {
		return w.refuse(-1, "", fmt.Sprintf("the header of a part has more than %d octets", most))
	}
	return nil
}

// boundary reports whether line is a delimiter line, and of which multipart: the
// innermost, where several would fit.
func (w *walker) boundary(line string) (index int, closing, ok bool) {
	text := strings.TrimRight(line, " \t\r\n")[2:]
	at := w.names[text]
	if before, found := strings.CutSuffix(text, "--"); found && w.names[before] > at {
		at, closing = w.names[before], true
	}
	return at - 1, closing, at > 0
}

// next ends a part at a delimiter line that begins at start.
func (w *walker) next(index int, closing bool, start int64) error {
	keep := index + 1
	if closing { // alone, it begins no part
		keep = index
	} else {
		w.levels[index].seen = true
	}
	if err := w.endPart(max(w.part.body, start-2), false); err != nil {
		return err
	}
	w.pop(keep)
	w.inHeader, w.header = !closing, partHeader{}
	w.part = part{kind: kindOutside, body: w.off, guarded: w.guarded(), after: true}
	if w.parts++; w.parts > limits.Parts {
		return w.refuse(-1, "", fmt.Sprintf("it has more than %d parts", limits.Parts))
	}
	return nil
}

// close ends what is open at the end of the message.
func (w *walker) close() error {
	if w.inHeader {
		if err := w.endHeader(w.m.Size, w.m.Size); err != nil {
			return err
		}
	}
	if err := w.endPart(w.m.Size, true); err != nil {
		return err
	}
	w.pop(0)
	w.root.raw = w.root.raw.Or(w.first)
	return w.fieldEdits(w.root)
}

// push opens a level.
func (w *walker) push(l level) error {
	w.levels = append(w.levels, l)
	if l.boundary != "" {
		w.names[l.boundary] = len(w.levels)
	}
	if len(w.levels) > limits.PartNesting {
		return w.refuse(-1, "", fmt.Sprintf("its parts are nested more than %d deep", limits.PartNesting))
	}
	return nil
}

// pop closes all levels but keep. What said that it holds 8 bits says 7 when no
// octet above 127 is left in it.
func (w *walker) pop(keep int) {
	for i := len(w.levels) - 1; i >= keep; i-- {
		l := w.levels[i]
		if w.o.EightBit && !l.raw && l.label.to > l.label.from && !w.guarded() {
			w.edit(l.label.from, l.label.to, literal("Content-Transfer-Encoding: 7bit\r\n"))
		}
		if i == w.guard {
			w.guard = noGuard
		}
	}
	if keep >= len(w.levels) {
		return
	}
	w.levels = w.levels[:keep]
	clear(w.names)
	for i, l := range w.levels {
		if l.boundary != "" {
			w.names[l.boundary] = i + 1
		}
	}
}

func (w *walker) guarded() bool { return w.guard != noGuard }

// protect marks all from here on to the end of a level, counted from 0, as signed
// or encrypted; the outermost one ends with the message.
func (w *walker) protect(level int) {
	if w.guard != noGuard {
		return
	}
	if w.guard = level; level <= 0 {
		w.guard = guardAll
	}
}

// left notes that octets above 127 stay.
func (w *walker) left() {
	w.plan.EightBit = true
	for i := range w.levels {
		w.levels[i].raw = true
	}
}

func (w *walker) edit(from, to int64, put Segment) {
	w.plan.Edits = append(w.plan.Edits, Edit{from, to, put})
}

// editField puts text in the place of a field. It stays in memory.
func (w *walker) editField(f field, text string) error {
	w.edit(f.from, f.to, literal(text))
	if w.held += len(text); w.held > limits.Fields {
		return w.refuse(-1, "", fmt.Sprintf("its header fields would be more than %d octets", limits.Fields))
	}
	return nil
}

func (w *walker) refuse(offset int64, fault, reason string) error {
	return &Refusal{Offset: offset, Fault: fault, Reason: reason}
}
