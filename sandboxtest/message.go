package sandboxtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

// Message is a message that was accepted: its envelope, its content as it came, and
// what a mail program shows of it.
type Message struct {
	Mailbox  string    // that signed in
	From     string    // reverse-path; "" is the null reverse-path
	To       []string  // forward-paths, in the order of RCPT
	Received time.Time // when the server had all of it
	// TokenID identifies the access token (its claim uti): messages with the same
	// TokenID were sent with the same token.
	TokenID string

	Raw []byte // content without the dots of RFC 5321 4.5.2; garbled unless Without("garbles-8bit")

	Subject     string // decoded
	MessageID   string // with its angle brackets
	Text        string // first part of text/plain, decoded, with its line ends
	HTML        string // first part of text/html
	Attachments []Attachment
	Problem     string // why a part of the content could not be read; "" when all could

	header []inbox.Field
}

// Attachment is a part that is neither the text nor the HTML of a message.
type Attachment struct {
	Name        string // decoded
	ContentType string // such as application/pdf, without parameters
	Size        int64  // octets, decoded
}

// Header returns the first header field of that name, unfolded and decoded, and
// "" when there is none. Case does not matter.
func (m *Message) Header(name string) string {
	for _, f := range m.header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Messages returns the messages that were accepted so far, the oldest first. A message is
// in the list before its client gets the reply.
func (s *Server) Messages() []Message {
	var list []Message
	for _, m := range s.box.Messages() {
		d, found := s.box.Inbox().Detail(m.ID)
		raw, whole := s.box.Raw(m.ID)
		if found && whole {
			list = append(list, message(d, raw))
		}
	}
	return list
}

func message(d inbox.Detail, raw []byte) Message {
	m := Message{
		Mailbox: d.Mailbox, From: d.From, To: d.To, Received: d.Received, TokenID: d.TokenID, Raw: raw,
		MessageID: d.MessageID, Text: d.Text, HTML: d.HTML, Problem: d.Problem, header: d.Header,
	}
	m.Subject = m.Header("Subject") // d.Subject is from before it was garbled
	for _, a := range d.Attachments {
		m.Attachments = append(m.Attachments, Attachment{Name: a.Name, ContentType: a.ContentType, Size: a.Size})
	}
	return m
}

// Wait returns all messages as soon as n have been accepted since the start. When
// ctx ends first it returns those that are there and an error that wraps the
// cause of ctx. Give it a time limit, because the context of a test has none:
//
//	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
//	defer cancel()
//	messages, err := srv.Wait(ctx, 2)
func (s *Server) Wait(ctx context.Context, n int) ([]Message, error) {
	if err := s.box.Inbox().Wait(ctx, n); err != nil {
		return s.Messages(), fmt.Errorf("sandboxtest: %w", err)
	}
	return s.Messages(), nil
}
