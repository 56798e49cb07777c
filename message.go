package smtpsend

import (
	"fmt"
	"io"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/badinput"
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
	if field, ok := badinput.AsField(err); ok {
		return &MessageError{field.Field, field.Value, field.Reason, field.Err}
	}
	return fmt.Errorf("smtpsend: %w", err)
}

// draft is m as package message composes it.
func (c *Client) draft(m *Message) (d message.Draft, err error) {
	d = message.Draft{
		Mailbox: c.mailbox, Subject: m.Subject, Text: m.Text, HTML: m.HTML, InReplyTo: m.InReplyTo,
		References: m.References, ListUnsubscribe: m.ListUnsubscribe, Date: m.Date, MessageID: m.MessageID,
	}
	if d.From, err = account.Sender(c.cfg, "From", m.From); err != nil {
		return d, err
	}
	if err := d.Address(m.To, m.Cc, m.Bcc, m.ReplyTo); err != nil {
		return d, err
	}
	for _, h := range m.Headers {
		d.Headers = append(d.Headers, message.Header(h))
	}
	for _, a := range m.Attachments {
		if err := d.Attach(message.Source(a)); err != nil {
			return d, err
		}
	}
	return d, nil
}
