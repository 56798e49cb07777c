package sevenbit

import (
	"fmt"
	"strings"
	"sync"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// field is a header field with the octets that it has in the message: its name,
// folds and last line end.
type field struct {
	name     string // lower case
	from, to int64
	raw      string
}

// value is what is after the colon, unfolded (RFC 5322 2.2.3).
func (f field) value() string {
	_, value, _ := strings.Cut(f.raw, ":")
	return strings.Trim(strings.ReplaceAll(value, "\r\n", ""), " \t")
}

// spelled is the name as it is written.
func (f field) spelled() string {
	name, _, _ := strings.Cut(f.raw, ":")
	return strings.TrimRight(name, " \t")
}

// partHeader is the header of a part, as far as it has been read.
type partHeader struct {
	fields  []field
	lines   []string // of the last field
	message bool     // of a message, not of a part
	octets  int
}

// add takes one line. A line that is no field is kept as one without a name: it
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
// a line that is no field, since many programs take that for the body. The first
// line may be one of an mbox file, or one that continues nothing.
func (h *partHeader) insertAt(end int64) int64 {
	for i, f := range h.fields {
		isFirst := i == 0 && (f.raw[0] == ' ' || f.raw[0] == '\t' || strings.HasPrefix(f.raw, "From ") || strings.HasPrefix(f.raw, ">From "))
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

// Kinds of fields, by what is in them.
var (
	addressFields = &names{list: "from sender reply-to to cc bcc apparently-to errors-to return-receipt-to disposition-notification-to" +
		" mail-followup-to mail-reply-to list-id x-original-from x-original-to" +
		" resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc"}
	paramFields = &names{list: "content-type content-disposition"}
)

// names are the words of a list, which are taken apart at their first use.
type names struct {
	list string
	once sync.Once
	set  map[string]bool
}

// has reports whether name is one of them.
func (n *names) has(name string) bool {
	n.once.Do(func() {
		n.set = map[string]bool{}
		for name := range strings.FieldsSeq(n.list) {
			n.set[name] = true
		}
	})
	return n.set[name]
}

// fieldEdit puts a field of the header of p into 7 bits and short lines.
func (w *walker) fieldEdit(f field, p part) error {
	high, bad := look(f)
	switch {
	case f.name == MboxLine:
		return nil
	case bad.fault == "" && (high == 0 || !w.o.EightBit):
		if high > 0 {
			w.left()
		}
		return nil
	}
	if p.guarded || f.name == "" {
		if bad.fault != "" {
			return w.refuse(bad.offset, bad.fault, reasonOf(p))
		}
		w.left()
		return nil
	}
	if high == 0 || !w.o.EightBit {
		if folded, ok := foldLong(f.raw, !unstructured(f.name)); ok && !strings.Contains(f.raw, "\x00") {
			if high > 0 {
				w.left()
			}
			return w.editField(f, folded)
		}
	}
	text, utf8 := rewritten(f, p.raw)
	text, ok := foldLong(text, !unstructured(f.name))
	switch {
	case strings.Contains(text, "\x00"):
		return w.refuse(bad.offset, bad.fault, "the field is not free text")
	case !ok && bad.fault != "":
		return w.refuse(bad.offset, bad.fault, "a header field has no blank to fold it at")
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

// rewritten is the field with octets above 127 encoded, and whether an address
// is left in UTF-8.
func rewritten(f field, raw rawCharset) (text string, utf8 bool) {
	switch value := raw.whole(f.value()); {
	case addressFields.has(f.name):
		tokens, utf8 := addressTokens(value, raw)
		return fold(f.spelled(), tokens), utf8
	case paramFields.has(f.name):
		main, params := parseParams(value)
		return paramField(f.spelled(), main, params, raw), false
	case !unstructured(f.name) && (strings.Contains(f.raw, "\x00") || mimetext.IsASCII(f.raw)):
		return f.raw, false // refused: an id or a date cannot be said in another way
	default:
		return fold(f.spelled(), wordTokens(value, raw)), false
	}
}

// unstructured reports whether a field is text for people, or nobody knows.
func unstructured(name string) bool {
	if addressFields.has(name) || paramFields.has(name) {
		return false
	}
	switch name {
	case "date", "message-id", "references", "in-reply-to", "received", "return-path", "content-id", "content-transfer-encoding", "mime-version":
		return false
	}
	return !strings.HasPrefix(name, "resent-")
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
			h.fields = append(h.fields, field{from: at, to: at}) // no field goes on after an empty line
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
	if f.name == "" || bad.fault == "" && (high == 0 || !w.o.EightBit) {
		if bad.fault != "" {
			return w.refuse(bad.offset, bad.fault, "it is in a report")
		}
		if high > 0 {
			w.left()
		}
		return nil
	}
	text, ok := foldLong(fold(f.spelled(), wordTokens(f.value(), w.part.raw)), false)
	switch {
	case !ok && bad.fault != "":
		return w.refuse(bad.offset, bad.fault, "it is in a report")
	case !ok:
		w.left()
		return nil
	}
	if !strings.HasSuffix(f.raw, "\n") {
		text = strings.TrimSuffix(text, "\r\n")
	}
	return w.editField(f, text)
}
