package message

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// entity is a part with its fields (RFC 2045 2.4), or the whole message without those
// of RFC 5322.
type entity struct {
	fields string // each with its CRLF
	body   []mailobject.Segment
}

// render writes the header section and the MIME structure around the bodies.
func render(d Draft, messageID string, parts []*part) *mailobject.Content {
	root, rootType := d.textEntity()
	var related, mixed []entity
	for _, p := range parts {
		e := entity{p.fields(), []mailobject.Segment{p.body}}
		if p.cid != "" {
			related = append(related, e)
		} else {
			mixed = append(mixed, e)
		}
	}
	if len(related) > 0 {
		// The parameter type is required (RFC 2387 3.1).
		root = multipart("related;\r\n type=\""+rootType+"\"", append([]entity{root}, related...)...)
	}
	if len(mixed) > 0 {
		root = multipart("mixed", append([]entity{root}, mixed...)...)
	}
	header := d.fields() + d.identification(messageID) + root.fields + "\r\n"
	segments := append([]mailobject.Segment{mailobject.Literal(header)}, root.body...)
	if !endsLine(segments[len(segments)-1]) {
		segments = append(segments, mailobject.Literal("\r\n"))
	}
	return mailobject.NewContent(false, segments...)
}

// textEntity is the text, or the alternatives (RFC 2046 5.1.4), the richest last, with
// the media type. A message without any text has an empty one.
func (d *Draft) textEntity() (e entity, media string) {
	const plain, html = "text/plain", "text/html"
	switch {
	case d.HTML == "":
		return textPart(plain, d.Text), plain
	case d.Text == "":
		return textPart(html, d.HTML), html
	}
	return multipart("alternative", textPart(plain, d.Text), textPart(html, d.HTML)), "multipart/alternative"
}

func textPart(media, body string) entity {
	encoding, segment := textSegment(body)
	return entity{"Content-Transfer-Encoding: " + encoding + "\r\nContent-Type: " + media + "; charset=UTF-8\r\n", []mailobject.Segment{segment}}
}

// multipart joins parts (RFC 2046 5.1.1). The boundary is random: no one who writes a
// part can know it and end the part early.
func multipart(subtype string, parts ...entity) entity {
	boundary := rand.Text()
	joined := entity{fields: "Content-Type: multipart/" + subtype + ";\r\n boundary=" + boundary + "\r\n"}
	delimiter := "--" + boundary
	for _, p := range parts {
		joined.body = append(joined.body, mailobject.Literal(delimiter+"\r\n"+p.fields+"\r\n"))
		joined.body = append(joined.body, p.body...)
		delimiter = "\r\n--" + boundary
	}
	joined.body = append(joined.body, mailobject.Literal(delimiter+"--\r\n"))
	return joined
}

// identification is the fields that say when and by what name the message was made,
// and that it is MIME. A long Message-ID is folded before it, not within.
func (d *Draft) identification(messageID string) string {
	date := d.Date
	if date.IsZero() {
		date = time.Now()
	}
	return "Date: " + date.Format(time.RFC1123Z) + "\r\nMIME-Version: 1.0\r\n" + mimetext.Fold("Message-ID", messageID, true)
}

// fields are those of people: addresses, texts, the thread and extra fields. A message
// with Bcc alone gets an empty group as its To field, because some receivers take one
// without recipients for spam.
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

// endsLine reports whether what ends the content is a line end already.
func endsLine(s mailobject.Segment) bool {
	switch t := s.(type) {
	case sevenBit:
		return t == "" || strings.HasSuffix(string(t), "\r\n")
	case quoted:
		return t.text == "" || strings.HasSuffix(t.text, "\r\n")
	}
	return true // the end of a multipart
}
