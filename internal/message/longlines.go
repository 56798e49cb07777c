package message

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/until"
)

// leaf is a text part with a line that is too long, which is written in
// quoted-printable.
type leaf struct {
	encoding rawField // its Content-Transfer-Encoding; empty when there is none
	fields   int64    // the end of its header fields
	body     int64    // the begin of its body
	end      int64    // the line end before a boundary is not part of the body
}

// edits returns the changes that put the part into quoted-printable.
func (l leaf) edits(s *spool) []edit {
	body := quotedStretch{stretch: stretch{s, l.body, l.end - l.body}}
	counter := &countingWriter{w: io.Discard}
	_ = body.write(counter) // an error of reading comes again when it matters
	body.encoded = counter.n
	return []edit{
		{from: l.encoding.from, to: l.encoding.to},
		{from: l.fields, to: l.fields, put: literal("Content-Transfer-Encoding: quoted-printable\r\n")},
		{from: l.body, to: l.end, put: body},
	}
}

// quotedStretch is a run of a spool in quoted-printable.
type quotedStretch struct {
	stretch
	encoded int64
}

func (q quotedStretch) size() int64 { return q.encoded }

func (q quotedStretch) write(w io.Writer) error {
	buffered := bufio.NewWriterSize(w, 32<<10)
	enc := quotedprintable.NewWriter(buffered)
	if err := q.stretch.write(enc); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// partWalker goes through the lines of a message and keeps track of its MIME
// structure (RFC 2046 5.1), as far as it is needed to know which part a line
// belongs to.
type partWalker struct {
	boundaries []string       // of the multiparts around the line, outermost first
	levels     map[string]int // the innermost level, from 1, at which each of these is
	inHeader   bool
	outside    bool // in a preamble or epilogue
	signed     bool // in a part that must not change
	header     partHeader
	part       leaf
	parts      int
	media      string
	cte        string
	long       bool // the part has a line that is too long
	found      []leaf
}

// partHeader is the header of a part. The texts of its fields, without line ends,
// are one after another, since a field may go on in any number of lines.
type partHeader struct {
	fields []rawField
	ends   []int // of each field in text
	text   []byte
}

// add takes one line at off.
func (h *partHeader) add(line string, off, end int64) {
	h.text = append(h.text, line...)
	last := len(h.fields) - 1
	if last >= 0 && (line[0] == ' ' || line[0] == '\t') {
		h.fields[last].to, h.ends[last] = end, len(h.text)
		return
	}
	name, _, _ := strings.Cut(line, ":")
	h.fields = append(h.fields, rawField{name: strings.ToLower(strings.TrimSpace(name)), from: off, to: end})
	h.ends = append(h.ends, len(h.text))
}

// whole returns the fields with their values.
func (h *partHeader) whole() []rawField {
	start := 0
	for i, end := range h.ends {
		_, h.fields[i].value, _ = strings.Cut(string(h.text[start:end]), ":")
		start = end
	}
	return h.fields
}

// longParts finds the parts of a message with lines over 998 octets. It returns
// an error where re-encoding would not be safe: first is the place of the first
// long line.
func longParts(ctx context.Context, r *Raw, first place) ([]leaf, error) {
	if err := r.foldHeader(first); err != nil {
		return nil, err
	}
	w := &partWalker{levels: map[string]int{}}
	if reason := w.endHeader(r.fields, r.body, r.body); reason != "" {
		return nil, longLineError(first, "it cannot be re-encoded: "+reason)
	}
	if r.hasBlank {
		w.part.fields -= 2
	}
	br := bufio.NewReaderSize(until.Between(ctx, io.NewSectionReader(r.spool, r.body, r.spool.n-r.body)), 32<<10)
	for off := r.body; ; {
		start, length, err := readLine(br, w.inHeader)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if reason := w.line(start, off, off+length); reason != "" {
			return nil, longLineError(first, "it cannot be re-encoded: "+reason)
		}
		off += length
	}
	w.end(r.spool.n)
	return w.found, nil
}

// readLine reads one line with CRLF and returns its beginning, as far as a
// boundary or a header field of interest can reach, and its length. Outside of a
// header only what may be a boundary is of interest.
func readLine(br *bufio.Reader, inHeader bool) (start string, length int64, err error) {
	for {
		part, err := br.ReadSlice('\n')
		if length < 2000 && (inHeader || start != "" || length == 0 && bytes.HasPrefix(part, []byte("--"))) {
			start += string(part[:min(len(part), 2000)])
		}
		length += int64(len(part))
		if err == nil {
			return start, length, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return start, length, err
		}
	}
}

// line takes one line; off and end are its place. It returns why the message
// cannot be re-encoded, or "".
func (w *partWalker) line(text string, off, end int64) string {
	text = strings.TrimRight(text, "\r\n")
	tooLong := end-off-2 > maxLine
	if i, closing, ok := w.boundary(text); ok {
		return w.next(i, closing, off)
	}
	if w.inHeader {
		if tooLong {
			return "it is in a header"
		}
		return w.headerLine(text, off, end)
	}
	if !tooLong || w.long {
		return ""
	}
	w.long = true
	switch {
	case w.outside:
		return "it is outside of every part"
	case w.signed:
		return "the message is signed or encrypted"
	case !strings.HasPrefix(w.media, "text/"):
		return "it is in a part of type " + w.media
	case w.cte != "" && w.cte != "7bit" && w.cte != "8bit" && w.cte != "binary":
		return "it is in a part that is encoded already"
	}
	return ""
}

// boundary reports whether text is a delimiter line, and of which multipart: the
// innermost, where several would fit.
func (w *partWalker) boundary(text string) (level int, closing, ok bool) {
	text, ok = strings.CutPrefix(text, "--")
	if !ok {
		return 0, false, false
	}
	text = strings.TrimRight(text, " \t")
	level = w.levels[text]
	if before, found := strings.CutSuffix(text, "--"); found && w.levels[before] > level {
		level, closing = w.levels[before], true
	}
	return level - 1, closing, level > 0
}

// next ends a part at a delimiter line that begins at off.
func (w *partWalker) next(level int, closing bool, off int64) string {
	w.end(off - 2)
	keep := level + 1
	if closing {
		keep = level
	}
	w.boundaries = w.boundaries[:keep]
	clear(w.levels)
	for i, b := range w.boundaries {
		w.levels[b] = i + 1
	}
	w.inHeader, w.outside = !closing, closing
	w.header, w.part, w.media, w.cte = partHeader{}, leaf{}, "", ""
	if w.parts++; w.parts > limits.Parts {
		return fmt.Sprintf("it has more than %d parts", limits.Parts)
	}
	return ""
}

// end closes the part that is being read.
func (w *partWalker) end(off int64) {
	if w.long {
		w.part.end = off
		w.found = append(w.found, w.part)
		w.long = false
	}
}

// headerLine collects the header of a part, and reads it at its empty line.
func (w *partWalker) headerLine(text string, off, end int64) string {
	if text == "" {
		return w.endHeader(w.header.whole(), off, end)
	}
	if w.header.add(text, off, end); len(w.header.text) > limits.PartHeader {
		return fmt.Sprintf("the header of a part has more than %d octets", limits.PartHeader)
	}
	return ""
}

// endHeader reads the header of a part whose fields end at fields and whose
// body begins at body.
func (w *partWalker) endHeader(header []rawField, fields, body int64) (reason string) {
	w.inHeader, w.media = false, "text/plain"
	w.part.fields, w.part.body = fields, body
	for _, f := range header {
		switch f.name {
		case "content-type":
			reason = w.contentType(f.value)
		case "content-transfer-encoding":
			w.part.encoding, w.cte = f, strings.ToLower(strings.TrimSpace(f.value))
		case "dkim-signature", "arc-message-signature":
			w.signed = true
		}
	}
	return reason
}

// contentType opens a multipart. What cannot be parsed is no text.
func (w *partWalker) contentType(value string) string {
	media, params, err := mime.ParseMediaType(value)
	w.media = media
	if err != nil {
		w.media = "unknown"
	}
	if !strings.HasPrefix(media, "multipart/") {
		return ""
	}
	w.outside = true
	w.signed = w.signed || media == "multipart/signed" || media == "multipart/encrypted"
	if b := params["boundary"]; b != "" {
		w.boundaries = append(w.boundaries, b)
		w.levels[b] = len(w.boundaries)
	}
	if len(w.boundaries) > limits.PartNesting {
		return fmt.Sprintf("its parts are nested more than %d deep", limits.PartNesting)
	}
	return ""
}
