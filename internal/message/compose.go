package message

import (
	"crypto/rand"
	"strings"
	"time"
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

	Subject string
	Text    string // any line ends; octets that are no UTF-8 are read as Windows-1252
	HTML    string

	Attachments []Attachment
	Headers     []Header

	Date      time.Time // zero = now
	MessageID string    // with or without angle brackets; "" = random, in the domain of From
}

// Compose checks a draft, opens its attachments and makes a mail of it. Errors
// are *FieldError for what is wrong in the draft and *FileError for a file; no
// file stays open then.
func Compose(d Draft) (*Mail, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	m := &Mail{Envelope: d.envelope()}
	var err error
	if m.MessageID, err = messageID(d.MessageID, d.From.Domain); err != nil {
		return nil, err
	}
	for _, list := range [][]Address{{d.From}, d.To, d.Cc, d.ReplyTo} {
		for _, a := range list {
			m.utf8Header = m.utf8Header || !isASCII(a.Local)
		}
	}
	var parts []*part
	for _, a := range d.Attachments {
		p, err := openPart(a)
		if err != nil {
			_ = m.Close()
			return nil, err
		}
		m.closers = append(m.closers, p.body.file)
		parts = append(parts, p)
	}
	if m.Content, err = render(d, m.MessageID, parts); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

func (d *Draft) check() error {
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
	for _, h := range d.Headers {
		if err := checkHeader(h); err != nil {
			return err
		}
	}
	return nil
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
	checked, reason := newAddress(a.Local, a.Domain)
	if reason == "" && a.Domain == "" {
		reason = "no domain"
	}
	if reason == "" && checked.Domain != a.Domain {
		reason = "the domain is not in A-labels"
	}
	if reason != "" {
		return &FieldError{field, a.Local + "@" + a.Domain, reason}
	}
	return nil
}

func (d *Draft) envelope() Envelope {
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
		return "<" + strings.ToLower(rand.Text()) + "@" + domain + ">", nil
	}
	id := strings.TrimSuffix(strings.TrimPrefix(given, "<"), ">")
	if reason := badMessageID(id); reason != "" {
		return "", &FieldError{"Message-ID", given, reason}
	}
	return "<" + id + ">", nil
}

// badMessageID returns why id, without its angle brackets, is none.
func badMessageID(id string) string {
	left, right, ok := strings.Cut(id, "@")
	if !ok || left == "" || right == "" || strings.Contains(right, "@") {
		return "must look like <left@right>"
	}
	if len(id) > maxWord {
		return "too long"
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; c <= ' ' || c > '~' || strings.IndexByte(`<>()[],;\"`, c) >= 0 {
			return "holds a character that is not allowed in it"
		}
	}
	return ""
}
