package message

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// placeholder is in go-mail's output where a body goes. It is octets whose
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

// render has go-mail write the MIME structure around placeholders, and puts the
// bodies in their places.
func render(d Draft, messageID string, parts []*part) (*mailobject.Content, error) {
	msg := newMsg(d, messageID)
	var marks []placeholder
	var bodies []mailobject.Segment
	for _, text := range d.texts() {
		encoding, body := textSegment(text.body)
		mark := newPlaceholder()
		msg.AddAlternativeString(text.media, mark.text, gomail.WithPartEncoding(gomail.Encoding(encoding)))
		marks, bodies = append(marks, mark), append(bodies, body)
	}
	for _, p := range parts {
		mark := newPlaceholder()
		add := msg.AttachReadSeeker
		if p.cid != "" {
			add = msg.EmbedReadSeeker
		}
		add("", bytes.NewReader(mark.octets), func(f *gomail.File) { f.Header = p.header() })
		marks, bodies = append(marks, mark), append(bodies, p.body)
	}
	var skeleton bytes.Buffer
	if _, err := msg.WriteTo(&skeleton); err != nil {
		return nil, fmt.Errorf("rendering header and structure: %w", err)
	}
	return splice(d.fields()+withRootType(skeleton.String(), len(d.texts()) > 1), marks, bodies)
}

// withRootType adds the parameter that RFC 2387 3.1 requires of multipart/related
// and go-mail leaves out.
func withRootType(skeleton string, alternative bool) string {
	root := "text/html"
	if alternative {
		root = "multipart/alternative"
	}
	const related = "Content-Type: multipart/related;\r\n"
	return strings.Replace(skeleton, related, related+" type=\""+root+"\";\r\n", 1)
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

// newMsg starts a go-mail message with the fields that it renders.
func newMsg(d Draft, messageID string) *gomail.Msg {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	date := d.Date
	if date.IsZero() {
		date = time.Now()
	}
	msg.SetDateWithValue(date)
	msg.SetMessageIDWithValue(strings.Trim(messageID, "<>"))
	return msg
}

// fields renders what is ours: addresses and texts, whose folding and encoding
// go-mail does in a way that some parsers misread, and extra fields, of which it
// keeps one for each name. A message with Bcc alone gets an empty group as its
// To field, because some receivers take one without recipients for spam.
func (d *Draft) fields() string {
	var b strings.Builder
	b.WriteString(address.Field("From", []address.Address{d.From}))
	switch {
	case len(d.To) > 0:
		b.WriteString(address.Field("To", d.To))
	case len(d.Cc) == 0:
		b.WriteString("To: undisclosed-recipients:;\r\n")
	}
	if len(d.Cc) > 0 {
		b.WriteString(address.Field("Cc", d.Cc))
	}
	if len(d.ReplyTo) > 0 {
		b.WriteString(address.Field("Reply-To", d.ReplyTo))
	}
	if d.Subject != "" {
		b.WriteString(mimetext.Field("Subject", d.Subject))
	}
	b.WriteString(d.Priority.fields())
	if d.InReplyTo != "" {
		ids, _ := checkIDs("In-Reply-To", []string{d.InReplyTo}) // checked before
		b.WriteString(mimetext.Fold("In-Reply-To", strings.Join(ids, " "), false))
	}
	if len(d.References) > 0 {
		b.WriteString(mimetext.Fold("References", strings.Join(d.References, " "), false))
	}
	b.WriteString(unsubscribeFields(d.ListUnsubscribe))
	for _, h := range d.Headers {
		if list, _ := h.addresses(); len(list) > 0 {
			b.WriteString(address.Field(h.Name, list))
			continue
		}
		b.WriteString(mimetext.Field(h.Name, strings.TrimSpace(h.Value)))
	}
	return b.String()
}

// splice replaces the placeholders by the bodies. go-mail ends the base64 of a
// part with CRLF; fileBody brings its own.
func splice(skeleton string, marks []placeholder, bodies []mailobject.Segment) (*mailobject.Content, error) {
	var segments []mailobject.Segment
	for i, mark := range marks {
		before, after, ok := strings.Cut(skeleton, mark.text)
		if !ok {
			return nil, fmt.Errorf("rendering header and structure: part %d is missing", i+1)
		}
		if _, isFile := bodies[i].(*fileBody); isFile {
			after = strings.TrimPrefix(after, "\r\n")
		}
		segments = append(segments, mailobject.Literal(before), bodies[i])
		skeleton = after
	}
	if skeleton == "" && !endsLine(segments[len(segments)-1]) {
		skeleton = "\r\n"
	}
	return mailobject.NewContent(false, append(segments, mailobject.Literal(skeleton))...), nil
}

// endsLine reports whether what is before the end of the content is a line end
// already.
func endsLine(s mailobject.Segment) bool {
	switch t := s.(type) {
	case sevenBit:
		return t == "" || strings.HasSuffix(string(t), "\r\n")
	case quoted:
		return t.text == "" || strings.HasSuffix(t.text, "\r\n")
	}
	return false
}
