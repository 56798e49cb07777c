package message

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/htmltext"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Draft is what people say about a message. From and one recipient are all that
// is needed.
type Draft struct {
	From    Address
	To      []Address
	Cc      []Address
	Bcc     []Address // envelope only
	ReplyTo []Address
	Mailbox Address // the reverse-path; zero = From (design D7)

	Subject  string
	Text     string // any line ends; octets that are no UTF-8 are read as Windows-1252; "" = made from HTML
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

// Compose checks a draft, opens its attachments and makes a mail of it. Errors
// are *FieldError for what is wrong in the draft, *FileError for a file, and the
// cause of ctx, with which composing ends; no file stays open then.
func Compose(ctx context.Context, d Draft) (*Mail, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if err := d.complete(ctx); err != nil {
		return nil, err
	}
	m := &Mail{Envelope: d.Envelope()}
	var err error
	if m.MessageID, err = messageID(d.MessageID, d.From.Domain); err != nil {
		return nil, err
	}
	shown := [][]Address{{d.From}, d.To, d.Cc, d.ReplyTo}
	for _, h := range d.Headers {
		list, _ := h.addresses() // Check has seen the error
		shown = append(shown, list)
	}
	for _, list := range shown {
		for _, a := range list {
			m.utf8Header = m.utf8Header || !mimetext.IsASCII(a.Local)
		}
	}
	parts, err := d.open(ctx, m)
	if err == nil {
		m.Content, err = render(d, m.MessageID, parts)
	}
	if err != nil {
		_ = m.Close()
		return nil, err
	}
	m.parts, m.text, m.html = parts, d.Text, d.HTML
	return m, nil
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
		return &FieldError{"HTML", "", fmt.Sprintf("has %d octets, at most %d; what is longer can be attached", len(d.HTML), limits.HTML)}
	}
	if d.EmbedDir != "" && d.HTML != "" {
		html, images, err := embedImages(ctx, d.HTML, d.EmbedDir, d.From.Domain)
		if err != nil {
			return err
		}
		d.HTML, d.Inline = html, slices.Concat(d.Inline, images)
	}
	if len(d.Inline) > 0 && d.HTML == "" {
		return &FieldError{"inline image", d.Inline[0].CID, "needs an HTML body that shows it"}
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
func (d *Draft) open(ctx context.Context, m *Mail) ([]*part, error) {
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
		m.closers = append(m.closers, p.body)
		parts = append(parts, p)
		return nil
	}
	for _, in := range d.Inline {
		if err := add(Attachment{Path: in.Path, File: in.File, Dir: in.Dir, ContentType: in.ContentType}, in.CID); err != nil {
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

// Check reports as *FieldError what Compose would refuse in the draft itself. It
// looks at no file.
func (d *Draft) Check() error {
	if d.From.IsZero() {
		return &FieldError{"From", "", "no address"}
	}
	if len(d.To)+len(d.Cc)+len(d.Bcc) == 0 {
		return &FieldError{"recipients", "", "none; at least one of To, Cc and Bcc is needed"}
	}
	if reason := badControl(d.Subject); reason != "" {
		return &FieldError{"Subject", d.Subject, reason}
	}
	lists := []struct {
		field string
		list  []Address
	}{{"From", []Address{d.From}}, {"To", d.To}, {"Cc", d.Cc}, {"Bcc", d.Bcc}, {"Reply-To", d.ReplyTo}, {"mailbox", d.mailboxes()}}
	for _, l := range lists {
		for _, a := range l.list {
			if err := a.check(l.field); err != nil {
				return err
			}
		}
	}
	if err := d.checkHeaders(); err != nil {
		return err
	}
	if d.Markdown != "" && d.HTML != "" {
		return &FieldError{"Markdown", "", "given together with HTML; one of them is enough"}
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
			return &FieldError{"header " + h.Name, h.Value, "is given twice, and may be there once (RFC 5322 3.6)"}
		}
		seen[name] = true
		if _, err := h.addresses(); err != nil {
			return err
		}
		if flag := d.ownsToo(h.Name); flag != "" {
			return &FieldError{"header " + h.Name, h.Value, "is set by " + flag + " already"}
		}
	}
	return nil
}

// ownsToo returns the flag that writes a field in this draft, or "". These
// fields may be extra headers as long as their flag is not used.
func (d *Draft) ownsToo(name string) string {
	switch strings.ToLower(name) {
	case "x-priority", "importance":
		if d.Priority != "" {
			return "--priority"
		}
	case "in-reply-to":
		if d.InReplyTo != "" {
			return "--in-reply-to"
		}
	case "references":
		if len(d.References) > 0 || d.InReplyTo != "" {
			return "--references or --in-reply-to"
		}
	case "list-unsubscribe", "list-unsubscribe-post":
		if len(d.ListUnsubscribe) > 0 {
			return "--list-unsubscribe"
		}
	}
	return ""
}

func (d *Draft) mailboxes() []Address {
	if d.Mailbox.IsZero() {
		return nil
	}
	return []Address{d.Mailbox}
}

// check repeats the checks of the parser: an Address may have been made by hand.
func (a Address) check(field string) error {
	if reason := badControl(a.Name); reason != "" {
		return &FieldError{field, a.Name, reason}
	}
	if a.Domain == "" {
		return &FieldError{field, a.Local, "no @ and domain"}
	}
	checked, reason := newAddress(a.Local, a.Domain)
	if reason == "" && checked.Domain != a.Domain {
		reason = "the domain is not in A-labels"
	}
	if reason != "" {
		return &FieldError{field, a.Local + "@" + a.Domain, reason}
	}
	return nil
}

// Envelope is that of the message which Compose makes.
func (d *Draft) Envelope() Envelope {
	e := Envelope{ReversePath: d.From.Addr()}
	if !d.Mailbox.IsZero() {
		e.ReversePath = d.Mailbox.Addr()
	}
	e.ForwardPaths = forwardPaths(d.To, d.Cc, d.Bcc)
	return e
}

// forwardPaths lists every address once, in the order of its first mention.
func forwardPaths(lists ...[]Address) []string {
	var paths []string
	seen := map[string]bool{}
	for _, list := range lists {
		for _, a := range list {
			if !seen[a.key()] {
				seen[a.key()] = true
				paths = append(paths, a.Addr())
			}
		}
	}
	return paths
}

// messageID checks a given Message-ID, or makes one of 130 random bits. Its
// right side is the domain of From, never the name of this host, which would
// tell strangers about the network.
func messageID(given, domain string) (string, error) {
	if given == "" {
		return "<" + randomID() + "@" + domain + ">", nil
	}
	id := strings.TrimSuffix(strings.TrimPrefix(given, "<"), ">")
	if reason := badMessageID(id); reason != "" {
		return "", &FieldError{"Message-ID", given, reason}
	}
	return "<" + id + ">", nil
}

func randomID() string { return strings.ToLower(rand.Text()) }

// badMessageID returns why id, without its angle brackets, is none.
func badMessageID(id string) string {
	left, right, ok := strings.Cut(id, "@")
	if !ok || left == "" || right == "" || strings.Contains(right, "@") {
		return "must look like <left@right>"
	}
	if len(id) > mimetext.MaxWord {
		return "too long"
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; c <= ' ' || c > '~' || strings.IndexByte(`<>()[],;\"`, c) >= 0 {
			return "holds a character that is not allowed in it"
		}
	}
	return ""
}
