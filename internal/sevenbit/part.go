package sevenbit

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/sevenbit/headerfield"
)

// kind is what may be done with a part.
type kind int

const (
	kindText    kind = iota // text in any encoding
	kindOpaque              // octets: pictures, programs, messages in an encoding
	kindFields              // header fields in a body, such as message/delivery-status
	kindOutside             // before the first or after the last part of a multipart: no program shows it
)

// part is what is known of the part that is being read.
type part struct {
	kind     kind
	message  bool  // its header is that of a message
	after    bool  // if outside: a delimiter came before it
	guarded  bool  // signed or encrypted, with its header
	sealed   bool  // its body is
	fields   int64 // where fields can be put in
	body     int64
	header   []field
	media    string
	charset  string
	encoding string // lower case; "" = none that changes octets
	octets   octets

	raw headerfield.Charset // of its header fields, as far as the message says

	newEncoding, newCharset string // "" = as it is
}

// isSealed reports a type that is signed or encrypted.
func isSealed(media string) bool {
	switch media {
	case "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted":
		return true
	}
	return false
}

const reasonSigned = "it is signed or encrypted"

// Encodings that make octets of other octets. An unknown one counts as none, as
// programs read it.
const (
	encodingQuoted = "quoted-printable"
	encodingBase64 = "base64"
)

func encodingOf(label string) string {
	label, _, _ = strings.Cut(strings.ToLower(label), ";")
	label, _, _ = strings.Cut(label, "(")
	switch label = strings.Trim(label, " \t\""); label {
	case encodingQuoted, encodingBase64, "x-uuencode", "uuencode", "x-uue", "x-binhex", "binhex", "mac-binhex40", "x-yencode", "yenc", "x-gzip64":
		return label
	}
	return ""
}

// endHeader reads the header of a part whose fields end at fields and whose body
// begins at body.
func (w *walker) endHeader(fields, body int64) error {
	h := &w.header
	h.end()
	w.inHeader = false
	at := h.insertAt(fields)
	if at == w.m.Body && !w.m.Blank && len(w.nesting.levels) > 0 {
		at = fields // no empty line parts it from the header of the message
	}
	p := part{fields: at, body: body, header: h.fields, message: h.message, media: "text/plain"}
	if h.message && h.signed() {
		w.nesting.protect(len(w.nesting.levels) - 1) // a message has a level of its own, but for the outermost
	}
	p.guarded = w.nesting.guarded()
	var params []headerfield.Parameter
	if len(w.nesting.levels) > 0 && w.nesting.levels[len(w.nesting.levels)-1].digest && !h.message {
		p.media = "message/rfc822"
	}
	for i, f := range h.all("content-type") {
		main, list := headerfield.ParseParameters(f.value())
		media := headerfield.MediaType(main)
		if p.sealed = p.sealed || isSealed(media); i == 0 { // any of several may be read
			p.media, params = media, list
		}
	}
	p.charset, _ = headerfield.Find(params, "charset")
	var label field
	if labels := h.all("content-transfer-encoding"); len(labels) > 0 {
		label = labels[0]
	}
	p.encoding = encodingOf(label.value())
	w.first = w.first.Or(headerfield.NewCharset(p.charset))
	p.raw = headerfield.NewCharset(p.charset).Or(w.first)
	if h.message && len(w.nesting.levels) == 0 {
		w.root = p // until it is known what charset its texts are in
	} else if err := w.fieldEdits(p); err != nil {
		return err
	}
	return w.open(p, params, label)
}

// fieldEdits changes the fields of a header, but for those about the body, which
// wait until it is known what they have to say.
func (w *walker) fieldEdits(p part) error {
	for _, f := range p.header {
		if f.name == "content-type" || f.name == "content-transfer-encoding" {
			continue
		}
		if err := w.fieldEdit(f, p); err != nil {
			return err
		}
	}
	return nil
}

// open begins the body of a part by its media type.
func (w *walker) open(p part, params []headerfield.Parameter, label field) error {
	switch media := p.media; {
	case strings.HasPrefix(media, "multipart/"):
		if err := w.typeEdit(p); err != nil {
			return err
		}
		boundary, _ := headerfield.Find(params, "boundary")
		if p.guarded || p.encoding != "" {
			label = field{}
		}
		if p.sealed {
			w.nesting.protect(len(w.nesting.levels)) // which is opened here
		}
		w.part = part{kind: kindOutside, body: p.body, guarded: w.nesting.guarded()}
		return w.nesting.push(level{boundary: strings.TrimRight(boundary, " \t"), digest: media == "multipart/digest", label: identityLabel(label)})
	case media == "message/rfc822" && p.encoding == "":
		if p.guarded {
			label = field{}
		}
		if err := w.typeEdit(p); err != nil {
			return err
		}
		if p.sealed {
			w.nesting.protect(len(w.nesting.levels))
		}
		w.inHeader, w.header = true, partHeader{message: true}
		return w.nesting.push(level{label: identityLabel(label)})
	case strings.HasPrefix(media, "text/") || media == "text" || media == "":
		p.kind = kindText
	case media == "message/delivery-status" || media == "message/disposition-notification" || media == "message/feedback-report":
		p.kind = kindFields
	default:
		p.kind = kindOpaque
	}
	w.part = p
	return nil
}

// identityLabel is a Content-Transfer-Encoding that says 8 bits or more, else none.
func identityLabel(label field) field {
	switch strings.ToLower(strings.TrimSpace(label.value())) {
	case "8bit", "binary":
		return label
	}
	return field{}
}

// endPart decides about the part that ends at end: before the line end of a
// delimiter, or, if last, at the end of the message.
func (w *walker) endPart(end int64, last bool) error {
	if err := w.body(end, last); err != nil {
		return err
	}
	if w.part.kind == kindOutside {
		return nil
	}
	return w.label()
}

// body decides about the body of a part.
func (w *walker) body(end int64, last bool) error {
	p := &w.part
	o := &p.octets
	o.close()
	garbled := w.o.EightBit && o.high > 0
	wanted := garbled || o.long.fault != "" || o.nul.fault != ""
	if !wanted || p.body >= end {
		if o.high > 0 {
			w.left()
		}
		return nil
	}
	switch {
	case p.guarded || p.sealed:
		return w.keep(reasonSigned)
	case p.kind == kindOutside:
		if in := len(w.nesting.levels) - 1; in >= 0 && !w.nesting.levels[in].seen && !p.after {
			return w.keep("the boundary of its multipart does not occur")
		}
		w.edit(p.body, end, newPlain(stretch{w.m.Octets, p.body, end - p.body}, w.o.EightBit))
		if o.high > 0 && !w.o.EightBit {
			w.left()
		}
		return nil
	}
	return w.encode(end, last)
}

// keep leaves the part as it is, unless no server would take it so.
func (w *walker) keep(reason string) error {
	o := &w.part.octets
	if bad := o.worst(); bad.fault != "" {
		return refusal(bad.offset, bad.fault, reason)
	}
	if o.high > 0 {
		w.left()
	}
	return nil
}

// encode puts the body of a part that ends at end into 7 bits.
func (w *walker) encode(end int64, last bool) error {
	p := &w.part
	o := &p.octets
	run := stretch{w.m.Octets, p.body, end - p.body}
	isNotASCII := o.notUTF8 || o.nuls > 0
	isWideAsSaid := isNotASCII && isWide(p.charset)
	switch {
	case p.encoding == encodingBase64:
		w.edit(p.body, end, newWrapped(run))
		return nil
	case p.encoding == encodingQuoted:
		w.edit(p.body, end, newRepaired(run))
		return nil
	case p.encoding != "":
		return w.keep("it is in a part that is encoded as " + p.encoding)
	case p.kind == kindFields:
		return w.encodeFields(end)
	case o.wide || isWideAsSaid:
		return w.keep("text in UTF-16 or UTF-32 has to be in base64")
	case p.kind == kindOpaque && o.nul.fault != "":
		return w.keep("data that is not text has to be in base64")
	}
	if p.kind == kindOpaque || o.escapes > o.total/2 { // the latter in most scripts other than Latin
		p.newEncoding = encodingBase64
		w.edit(p.body, end, newBase64(run, last))
	} else {
		p.newEncoding = encodingQuoted
		w.edit(p.body, end, newQuoted(run))
	}
	if p.kind == kindText && w.o.EightBit && o.high > 0 {
		p.newCharset = charsetOf(p.charset, p.media, o, run)
	}
	return nil
}

// label makes the header of a part say what its body is now.
func (w *walker) label() error {
	p := &w.part
	if err := w.typeEdit(*p); err != nil {
		return err
	}
	insert := ""
	if p.newCharset != "" && !slices.ContainsFunc(p.header, func(f field) bool { return f.name == "content-type" }) {
		insert = "Content-Type: text/plain; charset=" + p.newCharset + "\r\n"
	}
	if p.newEncoding == "" {
		return nil
	}
	insert += "Content-Transfer-Encoding: " + p.newEncoding + "\r\n"
	mime := !p.message
	for _, f := range p.header {
		mime = mime || f.name == "mime-version"
		if f.name == "content-transfer-encoding" {
			w.edit(f.from, f.to, nil)
		}
	}
	if !mime {
		insert = "MIME-Version: 1.0\r\n" + insert
	}
	w.edit(p.fields, p.fields, literal(insert))
	return nil
}

// typeEdit changes the fields about the body that stay, if need be.
func (w *walker) typeEdit(p part) error {
	for _, f := range p.header {
		isType := f.name == "content-type"
		isEncoding := f.name == "content-transfer-encoding" && p.newEncoding == ""
		if !isType && !isEncoding {
			continue
		}
		if isType && p.newCharset != "" && p.newCharset != p.charset {
			if err := w.editField(f, headerfield.WithCharset(f.raw, p.newCharset, p.raw)); err != nil {
				return err
			}
			p.newCharset = ""
			continue
		}
		if err := w.fieldEdit(f, p); err != nil {
			return err
		}
	}
	return nil
}
