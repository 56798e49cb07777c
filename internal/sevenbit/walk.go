package sevenbit

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/sevenbit/headerfield"
)

// walker reads the lines of a message and keeps track of its MIME
// structure (RFC 2046 5.1), as far as it is needed to know which part a line
// belongs to.
type walker struct {
	m    Message
	o    Options
	plan Plan

	nesting nesting // what is open around the line
	parts   int
	held    int                 // octets of fields that are written again
	first   headerfield.Charset // that of the first text that says one
	root    part                // the header of the message

	off      int64 // of the line
	inHeader bool
	header   partHeader
	part     part
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
		if i, closing, ok := w.nesting.boundary(string(piece)); ok {
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
		if i, closing, ok := w.nesting.boundary(line); ok {
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
		return refusal(-1, "", fmt.Sprintf("the header of a part has more than %d octets", most))
	}
	return nil
}

// next ends a part at a delimiter line that begins at start.
func (w *walker) next(index int, closing bool, start int64) error {
	keep := index + 1
	if closing { // alone, it begins no part
		keep = index
	} else {
		w.nesting.levels[index].seen = true
	}
	if err := w.endPart(max(w.part.body, start-2), false); err != nil {
		return err
	}
	w.pop(keep)
	w.inHeader, w.header = !closing, partHeader{}
	w.part = part{kind: kindOutside, body: w.off, guarded: w.nesting.guarded(), after: true}
	if w.parts++; w.parts > limits.Parts {
		return refusal(-1, "", fmt.Sprintf("it has more than %d parts", limits.Parts))
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

// pop closes all levels but keep. What said that it holds 8 bits says 7 when no
// octet above 127 is left in it.
func (w *walker) pop(keep int) {
	for _, label := range w.nesting.pop(keep) {
		if w.o.EightBit {
			w.edit(label.from, label.to, literal("Content-Transfer-Encoding: 7bit\r\n"))
		}
	}
}

// left notes that octets above 127 stay.
func (w *walker) left() {
	w.plan.EightBit = true
	w.nesting.markRaw()
}

func (w *walker) edit(from, to int64, put Segment) {
	w.plan.Edits = append(w.plan.Edits, Edit{from, to, put})
}

// editField puts text in the place of a field. It stays in memory.
func (w *walker) editField(f field, text string) error {
	w.edit(f.from, f.to, literal(text))
	if w.held += len(text); w.held > limits.Fields {
		return refusal(-1, "", fmt.Sprintf("its header fields would be more than %d octets", limits.Fields))
	}
	return nil
}

// refusal is the error of a message that cannot be changed.
func refusal(offset int64, fault, reason string) error {
	return &Refusal{Offset: offset, Fault: fault, Reason: reason}
}
