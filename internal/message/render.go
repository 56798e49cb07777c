package message

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// placeholder stands in go-mail's output where a body goes. It is octets whose
// base64 form has no padding, so that one text can be looked for whether
// go-mail encodes the octets (attachments) or takes the text as it is.
type placeholder struct {
	octets []byte
	text   string
}

func newPlaceholder() placeholder {
	octets := make([]byte, 24)
	_, _ = rand.Read(octets) // never fails (crypto/rand)
	return placeholder{octets, base64.StdEncoding.EncodeToString(octets)}
}

// render has go-mail write the header section and the MIME structure around
// placeholders, and puts the bodies in their places.
func render(d Draft, messageID string, parts []*part) (*Content, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	setFields(msg, d, messageID)
	var marks []placeholder
	var bodies []segment
	for _, text := range d.texts() {
		encoding, body := textSegment(text.body)
		mark := newPlaceholder()
		msg.AddAlternativeString(text.media, mark.text, gomail.WithPartEncoding(gomail.Encoding(encoding)))
		marks, bodies = append(marks, mark), append(bodies, body)
	}
	for _, p := range parts {
		mark := newPlaceholder()
		header := p.header("attachment", "")
		msg.AttachReadSeeker("", bytes.NewReader(mark.octets), func(f *gomail.File) { f.Header = header })
		marks, bodies = append(marks, mark), append(bodies, p.body)
	}
	var skeleton bytes.Buffer
	if _, err := msg.WriteTo(&skeleton); err != nil {
		return nil, fmt.Errorf("rendering header and structure: %w", err)
	}
	text, err := addHeaders(skeleton.String(), d)
	if err != nil {
		return nil, err
	}
	return splice(text, marks, bodies)
}

type bodyText struct {
	media gomail.ContentType
	body  string
}

// texts lists the alternatives, the richest last (RFC 2046 5.1.4). A message
// without any text has an empty one.
func (d *Draft) texts() []bodyText {
	var list []bodyText
	if d.Text != "" || d.HTML == "" {
		list = append(list, bodyText{gomail.TypeTextPlain, d.Text})
	}
	if d.HTML != "" {
		list = append(list, bodyText{gomail.TypeTextHTML, d.HTML})
	}
	return list
}

func setFields(msg *gomail.Msg, d Draft, messageID string) {
	date := d.Date
	if date.IsZero() {
		date = time.Now()
	}
	msg.SetDateWithValue(date)
	msg.SetMessageIDWithValue(strings.Trim(messageID, "<>"))
	if d.Subject != "" {
		msg.Subject(encodeText(d.Subject))
	}
	for _, f := range []struct {
		name gomail.AddrHeader
		list []Address
	}{{gomail.HeaderFrom, []Address{d.From}}, {gomail.HeaderTo, d.To}, {gomail.HeaderCc, d.Cc}, {gomail.HeaderReplyTo, d.ReplyTo}} {
		var list []*netmail.Address
		for _, a := range f.list {
			a.Name = cleanName(a.Name)
			list = append(list, a.mail())
		}
		if len(list) > 0 {
			msg.SetAddrHeaderFromMailAddress(f.name, list...)
		}
	}
}

// addHeaders puts our own fields before From: go-mail keeps one value for each
// name. A message with Bcc alone gets an empty group as its To field, because
// some receivers take a message without recipients for spam.
func addHeaders(skeleton string, d Draft) (string, error) {
	var extra strings.Builder
	if len(d.To)+len(d.Cc) == 0 {
		extra.WriteString("To: undisclosed-recipients:;\r\n")
	}
	for _, h := range d.Headers {
		extra.WriteString(foldField(h.Name, encodeText(strings.TrimSpace(h.Value))))
	}
	before, after, ok := strings.Cut(skeleton, "\r\nFrom: ")
	if !ok {
		if before, after, ok = strings.Cut(skeleton, "\r\nFrom:\r\n"); !ok {
			return "", fmt.Errorf("rendering header and structure: no From field")
		}
		after = "\r\n" + after
	}
	text := before + "\r\n" + extra.String() + "From: " + after
	return text, checkLines(text)
}

// checkLines refuses what cannot be folded: a word of a thousand letters in an
// address, say.
func checkLines(text string) error {
	field := ""
	for line := range strings.SplitSeq(text, "\r\n") {
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			field, _, _ = strings.Cut(line, ":")
		}
		if len(line) > maxLine {
			return &FieldError{field, line, fmt.Sprintf("a line of %d octets that cannot be folded, at most %d (RFC 5322 2.1.1)", len(line), maxLine)}
		}
	}
	return nil
}

// splice replaces the placeholders by the bodies. go-mail ends the base64 of a
// part with CRLF; fileBody brings its own.
func splice(skeleton string, marks []placeholder, bodies []segment) (*Content, error) {
	var segments []segment
	for i, mark := range marks {
		before, after, ok := strings.Cut(skeleton, mark.text)
		if !ok {
			return nil, fmt.Errorf("rendering header and structure: part %d is missing", i+1)
		}
		if _, isFile := bodies[i].(*fileBody); isFile {
			after = strings.TrimPrefix(after, "\r\n")
		}
		segments = append(segments, literal(before), bodies[i])
		skeleton = after
	}
	if skeleton == "" && !endsLine(segments[len(segments)-1]) {
		skeleton = "\r\n"
	}
	return newContent(append(segments, literal(skeleton))), nil
}

// endsLine reports whether what stands in front of the end of the content is a
// line end already.
func endsLine(s segment) bool {
	switch t := s.(type) {
	case sevenBit:
		return t == "" || strings.HasSuffix(string(t), "\r\n")
	case quoted:
		return t.text == "" || strings.HasSuffix(t.text, "\r\n")
	}
	return false
}
