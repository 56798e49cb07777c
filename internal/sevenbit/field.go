package sevenbit

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/sevenbit/headerfield"
)

// field is a header field with the octets that it has in the message: its name,
// folds and last line end.
type field struct {
	name     string // lower case
	from, to int64
	raw      string
}

// value is what is after the colon, unfolded.
func (f field) value() string { return headerfield.Value(f.raw) }

// partHeader is the header of a part, as far as it has been read.
type partHeader struct {
	fields  []field
	lines   []string // of the last field
	message bool     // of a message, not of a part
	octets  int
}

// add takes one line. A line that is not a field is kept as one without a name: it
// is neither read nor changed.
func (h *partHeader) add(line string, from, to int64) {
	h.octets += len(line) - len("\r\n")
	last := len(h.fields) - 1
	if last >= 0 && (line[0] == ' ' || line[0] == '\t') {
		h.lines = append(h.lines, line)
		h.fields[last].to = to
		return
	}
	h.end()
	name, _, found := strings.Cut(line, ":")
	name = strings.TrimRight(name, " \t")
	if !found || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		name = ""
	}
	h.fields = append(h.fields, field{name: strings.ToLower(name), from: from, to: to})
	h.lines = append(h.lines[:0], line)
}

// end puts the lines of the last field together.
func (h *partHeader) end() {
	if last := len(h.fields) - 1; last >= 0 && len(h.lines) > 0 {
		h.fields[last].raw = strings.Join(h.lines, "")
		h.lines = h.lines[:0]
	}
}

// all is the fields of that name.
func (h *partHeader) all(name string) (list []field) {
	for _, f := range h.fields {
		if f.name == name {
			list = append(list, f)
		}
	}
	return list
}

// insertAt is where fields can be put into a header whose fields end at end: before
// a line that is not a field, since many programs take that for the body. The first
// line may be one of an mbox file, or one that continues nothing.
func (h *partHeader) insertAt(end int64) int64 {
	for i, f := range h.fields {
		continues := f.raw[0] == ' ' || f.raw[0] == '\t'
		isMbox := strings.HasPrefix(f.raw, "From ") || strings.HasPrefix(f.raw, ">From ")
		mayBeFirst := continues || isMbox
		isFirst := i == 0 && mayBeFirst
		if f.name == "" && !isFirst {
			return f.from
		}
	}
	return end
}

// signed reports whether a signature covers fields and body (RFC 6376, RFC 8617).
func (h *partHeader) signed() bool {
	for _, f := range h.fields {
		if f.name == "dkim-signature" || f.name == "arc-message-signature" {
			return true
		}
	}
	return false
}

// fieldEdit puts a field of the header of p into 7 bits and short lines.
func (w *walker) fieldEdit(f field, p part) error {
	high, bad := look(f)
	mayStay := high == 0 || !w.o.EightBit
	switch {
	case f.name == MboxLine:
		return nil
	case bad.fault == "" && mayStay:
		if high > 0 {
			w.left()
		}
		return nil
	}
	if p.guarded || f.name == "" {
		if bad.fault != "" {
			return refusal(bad.offset, bad.fault, reasonOf(p))
		}
		w.left()
		return nil
	}
	if mayStay {
		if folded, ok := headerfield.Fold(f.raw, headerfield.IsStructured(f.name)); ok && !strings.Contains(f.raw, "\x00") {
			if high > 0 {
				w.left()
			}
			return w.editField(f, folded)
		}
	}
	text, utf8 := headerfield.Rewrite(f.raw, p.raw)
	text, ok := headerfield.Fold(text, headerfield.IsStructured(f.name))
	switch {
	case strings.Contains(text, "\x00"):
		return refusal(bad.offset, bad.fault, "the field is not free text")
	case !ok && bad.fault != "":
		return refusal(bad.offset, bad.fault, "a header field has no blank to fold it at")
	case !ok:
		w.left()
		return nil
	}
	if utf8 {
		w.plan.UTF8Header = true
		w.left()
	}
	return w.editField(f, text)
}

// reasonOf says why a line of the header of p stays as it is.
func reasonOf(p part) string {
	if p.guarded {
		return reasonSigned
	}
	return "it is in a header, and is not a field"
}

// look counts the octets above 127 of a field and finds what no server takes.
func look(f field) (high int, bad fault) {
	offset := f.from
	for line := range strings.SplitAfterSeq(f.raw, "\n") {
		for i := range len(line) {
			if line[i] >= 0x80 {
				high++
			}
		}
		switch n := len(strings.TrimRight(line, "\r\n")); {
		case bad.fault != "":
		case strings.Contains(line, "\x00"):
			bad = fault{offset, "a NUL in a header field"}
		case n > limits.Line:
			bad = fault{offset, fmt.Sprintf("%d octets, at most %d (RFC 5322 2.1.1)", n, limits.Line)}
		}
		offset += int64(len(line))
	}
	return high, bad
}

// encodeFields puts header fields that are a body, such as those of a report
// (RFC 3464 2), into 7 bits: a transfer encoding is not allowed there.
func (w *walker) encodeFields(end int64) error {
	p := &w.part
	if end-p.body > limits.HeaderSection {
		return w.keep(fmt.Sprintf("it has more than %d octets", limits.HeaderSection))
	}
	text, err := stretch{w.m.Octets, p.body, end - p.body}.all()
	if err != nil {
		return err
	}
	var h partHeader
	at := p.body
	for line := range strings.SplitAfterSeq(text, "\n") {
		if strings.TrimRight(line, "\r\n") == "" {
			h.end()
			h.fields = append(h.fields, field{from: at, to: at}) // no field continues after an empty line
		} else {
			h.add(line, at, at+int64(len(line)))
		}
		at += int64(len(line))
	}
	h.end()
	for _, f := range h.fields {
		if err := w.bodyField(f); err != nil {
			return err
		}
	}
	return nil
}

// bodyField changes one field of a body. The last one may have no line end: that
// before a delimiter is the delimiter's.
func (w *walker) bodyField(f field) error {
	high, bad := look(f)
	mayStay := high == 0 || !w.o.EightBit
	isFit := bad.fault == "" && mayStay
	if f.name == "" || isFit {
		if bad.fault != "" {
			return refusal(bad.offset, bad.fault, "it is in a report")
		}
		if high > 0 {
			w.left()
		}
		return nil
	}
	text, ok := headerfield.Fold(headerfield.Text(f.raw, w.part.raw), false)
	switch {
	case !ok && bad.fault != "":
		return refusal(bad.offset, bad.fault, "it is in a report")
	case !ok:
		w.left()
		return nil
	}
	if !strings.HasSuffix(f.raw, "\n") {
		text = strings.TrimSuffix(text, "\r\n")
	}
	return w.editField(f, text)
}
