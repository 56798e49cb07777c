package smtpsend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
)

// Message is what Send composes. One recipient is all that is needed. Addresses are
// written as in a mail program: "ada@contoso.com" or "Ada Lovelace <ada@contoso.com>".
// A value with CR, LF or NUL is refused where a header field has one line, so that text
// of other people cannot add a field.
type Message struct {
	From    string // author; "": Options.From of the Client
	To      []string
	Cc      []string
	Bcc     []string // these get the message, but it does not name them
	ReplyTo []string

	Subject string
	Text    string // plain text, with any line ends; "": made from HTML
	HTML    string

	Attachments []Attachment
	Headers     []Header // further header fields

	InReplyTo       string   // Message-ID of the message that this one answers
	References      []string // Message-IDs of the thread, oldest first; none: InReplyTo
	ListUnsubscribe []string // https: and mailto: addresses (RFC 2369, RFC 8058)

	Date      time.Time // zero: now
	MessageID string    // "": random, in the domain of From
}

// Header is a header field. A field for which Message has a struct field is refused.
type Header struct{ Name, Value string }

// Attachment is a file that is sent with a message. Set one of Path, Data and Reader.
type Attachment struct {
	Path   string    // a regular file, which is read while it is sent
	Data   []byte    // the content; it must not change until Send returns
	Reader io.Reader // is read to its end into memory when the message is composed, so it serves one Send; ctx does not interrupt a Read

	Name        string // as the recipient sees it; "": the last element of Path
	ContentType string // media type; "": by the name, then by the content
	ContentID   string // when set, the HTML can show the file as "cid:" followed by this
}

// MessageError says why a message cannot be sent as it is. Nothing was submitted, and
// the same message will fail again. It unwraps to the cause, such as fs.ErrNotExist, when
// there is one.
type MessageError struct {
	Field  string // such as "To", "header X-Note" or "file"
	Value  string // the value that is wrong, or the file's name
	Reason string // lower case, no full stop
	Err    error
}

// Error names field, value and reason.
func (e *MessageError) Error() string {
	return "smtpsend: " + (&badinput.FieldError{Field: e.Field, Value: e.Value, Reason: e.Reason}).Error()
}

// Unwrap returns the cause.
func (e *MessageError) Unwrap() error { return e.Err }

// messageError makes a MessageError of what internal packages say of a message.
// Other errors are returned as they are.
func messageError(err error) error {
	if field, ok := errors.AsType[*badinput.FieldError](err); ok {
		return &MessageError{field.Field, field.Value, field.Reason, field.Err}
	}
	if file, ok := errors.AsType[*badinput.FileError](err); ok {
		return &MessageError{"file", file.Path, badinput.BareCause(file.Err).Error(), file.Err}
	}
	return fmt.Errorf("smtpsend: %w", err)
}

// compose makes a mail object of m.
func (c *Client) compose(ctx context.Context, m *Message) (*outgoing, error) {
	d, err := c.draft(m)
	if err != nil {
		return nil, messageError(err)
	}
	composed, err := message.Compose(ctx, d)
	if err != nil {
		return nil, messageError(err)
	}
	return &outgoing{composed.Mail, d.From.Addr()}, nil
}

func (c *Client) draft(m *Message) (message.Draft, error) {
	d := message.Draft{
		From: c.from, Mailbox: c.mailbox, Subject: m.Subject, Text: m.Text, HTML: m.HTML, InReplyTo: m.InReplyTo,
		References: m.References, ListUnsubscribe: m.ListUnsubscribe, Date: m.Date, MessageID: m.MessageID,
	}
	var from []address.Address
	for _, l := range []struct {
		field  string
		values []string
		into   *[]address.Address
	}{{"From", oneOrNone(m.From), &from}, {"To", m.To, &d.To}, {"Cc", m.Cc, &d.Cc}, {"Bcc", m.Bcc, &d.Bcc}, {"Reply-To", m.ReplyTo, &d.ReplyTo}} {
		for _, value := range l.values {
			a, err := address.Parse(l.field, value)
			if err != nil {
				return d, err
			}
			*l.into = append(*l.into, a)
		}
	}
	if len(from) > 0 {
		d.From = from[0]
	}
	for _, h := range m.Headers {
		d.Headers = append(d.Headers, message.Header(h))
	}
	for _, a := range m.Attachments {
		octets, err := a.octets()
		if err != nil {
			return d, err
		}
		if a.ContentID != "" {
			in := message.Inline{CID: a.ContentID, Path: a.Path, Octets: octets, ContentType: a.ContentType}
			if a.Path == "" {
				in.Path = a.Name
			}
			d.Inline = append(d.Inline, in)
			continue
		}
		d.Attachments = append(d.Attachments, message.Attachment{Path: a.Path, Octets: octets, Name: a.Name, ContentType: a.ContentType})
	}
	return d, nil
}

func oneOrNone(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// octets are the content that is in memory, nil for a file.
func (a Attachment) octets() (*bytes.Reader, error) {
	given := 0
	for _, is := range []bool{a.Path != "", a.Data != nil, a.Reader != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, badinput.Field("attachment", a.Name, "needs one of Path, Data and Reader")
	}
	if a.Path == "" && a.Name == "" {
		return nil, badinput.Field("attachment", "", "needs a Name")
	}
	if a.Reader == nil {
		if a.Data == nil {
			return nil, nil
		}
		return bytes.NewReader(a.Data), nil
	}
	data, err := io.ReadAll(io.LimitReader(a.Reader, limits.Message+1))
	if err != nil {
		return nil, fmt.Errorf("reading attachment %q: %w", a.Name, err)
	}
	if len(data) > limits.Message {
		return nil, badinput.Field("attachment", a.Name, fmt.Sprintf("more than %d octets", limits.Message))
	}
	return bytes.NewReader(data), nil
}
