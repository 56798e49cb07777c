// Package message composes messages. A Draft is what people say about one; Compose
// makes a mail object of it (package mailobject). Every check that needs no network
// is made there, so that a bad address, a forbidden header field or a missing file is
// known before any connection.
//
// A value made by people is refused, never repaired, when it holds CR, LF or NUL
// (badinput.NotOneLine). A Composed may be used by several goroutines until Close.
package message

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/htmltext"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Draft is what people say about a message. From and one recipient are all that
// is needed.
type Draft struct {
	From    address.Address
	To      []address.Address
	Cc      []address.Address
	Bcc     []address.Address // envelope only
	ReplyTo []address.Address
	Mailbox address.Address // the reverse-path; zero = From (design D7)

	Subject  string
	Text     string // any line ends; octets that are not UTF-8 are read as Windows-1252; "" = made from HTML
	HTML     string
	Markdown string // in place of HTML
	EmbedDir string // when set, images that HTML names relative to this directory are sent along

	Inline      []Inline
	Attachments []Attachment
	Headers     []Header

	Priority        Priority
	InReplyTo       string   // Message-ID of the message this one answers
	References      []string // Message-IDs of the thread, oldest first; none = InReplyTo
	ListUnsubscribe []string // https: and mailto: addresses

	Date      time.Time // zero = now
	MessageID string    // with or without angle brackets; "" = random, in the domain of From
}

// Composed is a mail object that was made of a draft, with what is known of its
// parts: see SizeReport, Unshown, Missing and Preview.
type Composed struct {
	*mailobject.Mail
	parts      []*part
	text, html string
}

// Compose checks a draft, opens its attachments and makes a mail of it. Errors
// are *badinput.FieldError for what is wrong in the draft, *badinput.FileError for a file,
// and the cause of ctx, with which composing ends; no file stays open then.
func Compose(ctx context.Context, d Draft) (*Composed, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if err := d.complete(ctx); err != nil {
		return nil, err
	}
	m := &mailobject.Mail{Envelope: d.Envelope(), From: d.From.Addr(), UTF8Header: d.needsUTF8()}
	var err error
	if m.MessageID, err = d.messageID(); err != nil {
		return nil, err
	}
	parts, err := d.open(ctx, m)
	if err != nil {
		_ = m.Close()
		return nil, err
	}
	m.Content = render(d, m.MessageID, parts)
	return &Composed{m, parts, d.Text, d.HTML}, nil
}

// needsUTF8 reports whether an address in the header section is not ASCII.
func (d *Draft) needsUTF8() bool {
	shown := [][]address.Address{{d.From}, d.To, d.Cc, d.ReplyTo}
	for _, h := range d.Headers {
		list, _ := h.addresses() // Check has seen the error
		shown = append(shown, list)
	}
	return slices.ContainsFunc(slices.Concat(shown...), func(a address.Address) bool { return !mimetext.IsASCII(a.Local()) })
}

// complete makes the bodies that were not given: HTML of Markdown, Content-IDs
// for images, the text alternative.
func (d *Draft) complete(ctx context.Context) (err error) {
	if d.Markdown != "" {
		if d.HTML, err = FromMarkdown(ctx, d.Markdown); err != nil {
			return err
		}
	}
	if len(d.HTML) > limits.HTML {
		return badinput.Field("HTML", "", fmt.Sprintf("has %d octets, at most %d; what is longer can be attached", len(d.HTML), limits.HTML))
	}
	if d.EmbedDir != "" && d.HTML != "" {
		html, images, err := embedImages(ctx, d.HTML, d.EmbedDir, d.From.Domain())
		if err != nil {
			return err
		}
		d.HTML, d.Inline = html, slices.Concat(d.Inline, images)
	}
	if len(d.Inline) > 0 && d.HTML == "" {
		return badinput.Field("inline image", d.Inline[0].CID, "needs an HTML body that shows it")
	}
	if d.Text == "" && d.HTML != "" {
		if d.Text, err = htmltext.FromHTML(ctx, mimetext.ToUTF8(d.HTML), limits.HTMLTags); err != nil {
			return err
		}
		if d.Text != "" {
			d.Text += "\n"
		}
	}
	if len(d.References) == 0 && d.InReplyTo != "" {
		d.References = []string{d.InReplyTo}
	}
	if d.References, err = checkIDs("References", d.References); err != nil {
		return err
	}
	return checkInline(d.Inline)
}

// open opens all files; m closes them.
func (d *Draft) open(ctx context.Context, m *mailobject.Mail) ([]*part, error) {
	var parts []*part
	add := func(a Attachment, cid string) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p, err := openPart(a)
		if err != nil {
			return err
		}
		p.cid = cid
		m.Files = append(m.Files, p.body)
		parts = append(parts, p)
		return nil
	}
	for _, in := range d.Inline {
		if err := add(Attachment{Path: in.Path, File: in.File, Octets: in.Octets, Dir: in.Dir, ContentType: in.ContentType}, in.CID); err != nil {
			return nil, err
		}
	}
	for _, a := range d.Attachments {
		if err := add(a, ""); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// Check reports as *badinput.FieldError what Compose would refuse in the draft itself. It
// looks at no file.
func (d *Draft) Check() error {
	if d.From.IsZero() {
		return badinput.Field("From", "", "no address")
	}
	if len(d.To)+len(d.Cc)+len(d.Bcc) == 0 {
		return badinput.Field("recipients", "", "none; at least one of To, Cc and Bcc is needed")
	}
	if reason := badinput.NotOneLine(d.Subject); reason != "" {
		return badinput.Field("Subject", d.Subject, reason)
	}
	lists := []struct {
		field string
		list  []address.Address
	}{{"From", []address.Address{d.From}}, {"To", d.To}, {"Cc", d.Cc}, {"Bcc", d.Bcc}, {"Reply-To", d.ReplyTo}, {"mailbox", d.mailboxes()}}
	for _, l := range lists {
		for _, a := range l.list {
			if err := a.CheckGlobal(l.field); err != nil {
				return err
			}
		}
	}
	if err := d.checkHeaders(); err != nil {
		return err
	}
	if d.Markdown != "" && d.HTML != "" {
		return badinput.Field("Markdown", "", "given together with HTML; one of them is enough")
	}
	if _, err := checkIDs("In-Reply-To", []string{d.InReplyTo}); err != nil {
		return err
	}
	if err := checkUnsubscribe(d.ListUnsubscribe); err != nil {
		return err
	}
	return d.Priority.check()
}

func (d *Draft) checkHeaders() error {
	seen := map[string]bool{}
	for _, h := range d.Headers {
		if err := checkHeader(h); err != nil {
			return err
		}
		name := strings.ToLower(h.Name)
		if onlyOnce.Get()[name] && seen[name] {
			return badinput.Field("header "+h.Name, h.Value, "is given twice, but may occur only once (RFC 5322 3.6)")
		}
		seen[name] = true
		if _, err := h.addresses(); err != nil {
			return err
		}
		if by := d.setBy(h.Name); by != "" {
			return &badinput.FieldError{Field: "header " + h.Name, Value: h.Value, Reason: "is set by " + by + " already", Err: ErrSetAlready}
		}
	}
	return nil
}

// setBy returns what writes a field in this draft, or "". These fields may be
// extra headers as long as the draft does not set them.
func (d *Draft) setBy(name string) string {
	switch strings.ToLower(name) {
	case "x-priority", "importance":
		if d.Priority != "" {
			return "the priority"
		}
	case "in-reply-to":
		if d.InReplyTo != "" {
			return "the Message-ID that is answered"
		}
	case "references":
		if len(d.References) > 0 || d.InReplyTo != "" {
			return "the Message-IDs of the thread"
		}
	case "list-unsubscribe", "list-unsubscribe-post":
		if len(d.ListUnsubscribe) > 0 {
			return "the addresses for unsubscribing"
		}
	}
	return ""
}

func (d *Draft) mailboxes() []address.Address {
	if d.Mailbox.IsZero() {
		return nil
	}
	return []address.Address{d.Mailbox}
}

// Envelope is that of the message which Compose makes.
func (d *Draft) Envelope() mailobject.Envelope {
	reversePath := d.From
	if !d.Mailbox.IsZero() {
		reversePath = d.Mailbox
	}
	return mailobject.NewEnvelope(reversePath, d.To, d.Cc, d.Bcc)
}
