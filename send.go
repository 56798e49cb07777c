package smtpsend

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/gomail"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// ErrNoMails is wrapped by the Error of a Client whose settings say
// SMTPSEND_NO_MAILS=1: the message was composed and checked, but no connection was made
// and nothing was sent.
var ErrNoMails = errors.New("the settings say that no mail is submitted")

// Send composes m and submits it in a session of its own. The error is nil only when
// every recipient was accepted. If something was tried, there is a Receipt, and the
// error is an *Error. Otherwise the Receipt is nil, and the error is a *MessageError or
// the error of an Attachment's Reader or of ctx.
func (c *Client) Send(ctx context.Context, m *Message) (*Receipt, error) {
	s := c.account.NewSubmitter()
	defer s.Close()
	return c.sendBy(ctx, s, m)
}

// SendMsg submits a message of go-mail in a session of its own. The recipients are
// those of To, Cc and Bcc, and the author is the address in From. If the message has an
// EnvelopeFrom, that address signs in; a Client with another Mailbox refuses the message.
// What belongs to go-mail's client, such as WithDSN, has no effect, and m is not marked
// as delivered.
//
// go-mail writes the message. SendMsg re-encodes what Exchange Online or a strict parser
// would misread: text in 8 bits, octets above 127 in header fields, lines that are too
// long, and lines of only blanks. The meaning does not change, and signed parts (S/MIME,
// PGP, DKIM) are sent as they are. An embedded file whose name is not ASCII is refused,
// unless it has a Content-ID of its own (WithFileContentID), because no mail program
// would find it. A line break or NUL is a *MessageError in the name or value of a header
// field, in an address or its display name, and in the name of a part or a file: go-mail
// would write most of them into the header section. If a function in m panics, it does so
// in the goroutine of the caller. SendMsg returns what Send returns; an error of go-mail
// is wrapped.
func (c *Client) SendMsg(ctx context.Context, m *mail.Msg) (*Receipt, error) {
	from, to, err := gomail.Envelope(m, c.mailbox)
	if err != nil {
		return nil, messageError(err)
	}
	return c.sendReady(ctx, from, to, readymessage.Changes{JoinBlank: true}, func(o readymessage.Options) (*readymessage.Message, error) {
		return gomail.Read(ctx, m, o)
	})
}

// SendRaw submits a message in the form of RFC 5322, with any line ends, in a session of
// its own. If from is not empty, it is the author, and it signs in when the Client has no
// Mailbox. A From field of the message is not changed. Bcc fields are removed, a missing
// From, Date or Message-ID is added, and content is re-encoded as by SendMsg. SendRaw
// first reads r to its end; more than 1 MiB goes into a temporary file. It returns what
// Send returns; an error of r is wrapped.
func (c *Client) SendRaw(ctx context.Context, from string, to []string, r io.Reader) (*Receipt, error) {
	return c.sendReady(ctx, from, to, readymessage.Changes{}, func(o readymessage.Options) (*readymessage.Message, error) {
		return readymessage.Read(ctx, r, o)
	})
}

// SendAll submits messages one after another, until the sequence or its consumer ends.
// Consecutive messages from one mailbox share a session. For each message SendAll yields
// what Send would return, in the order of the messages. If a message fails, the next one
// is sent all the same. After ctx has ended, the first error is the last result. SendAll
// asks for the next message only after it has yielded the result of the one before, so a
// sequence may wait for its messages. A session that waits for 90 s is closed, and the
// next message gets a new one.
func (c *Client) SendAll(ctx context.Context, messages iter.Seq[*Message]) iter.Seq2[*Receipt, error] {
	return func(yield func(*Receipt, error) bool) {
		s := c.account.NewSubmitter()
		defer s.Close()
		for m := range messages {
			receipt, err := c.sendBy(ctx, s, m)
			cancelled := err != nil && ctx.Err() != nil
			if !yield(receipt, err) || cancelled {
				return
			}
		}
	}
}

// sendBy composes m and submits it by s.
func (c *Client) sendBy(ctx context.Context, s *account.Submitter, m *Message) (*Receipt, error) {
	d, err := c.draft(m)
	if err != nil {
		return nil, messageError(err)
	}
	composed, err := message.Compose(ctx, d)
	if err != nil {
		return nil, messageError(err)
	}
	return c.submit(ctx, s, composed.Mail, d.From.Addr())
}

// sendReady submits a message that is written already, which read reads.
func (c *Client) sendReady(ctx context.Context, from string, to []string, changes readymessage.Changes,
	read func(readymessage.Options) (*readymessage.Message, error),
) (*Receipt, error) {
	e, err := account.NewEnvelope(c.cfg, from, to)
	if err != nil {
		return nil, messageError(err)
	}
	msg, err := read(readymessage.Options{Reencode: readymessage.Reencode(c.cfg.Reencode)})
	if err != nil {
		return nil, messageError(err)
	}
	changes.From = e.Author
	m, err := msg.Mail(e.Mailbox, e.Recipients, mailobject.DSN{}, changes)
	if err != nil {
		_ = msg.Close()
		return nil, messageError(err)
	}
	if list, err := msg.From(); err == nil && len(list) > 0 {
		e.Author = list[0]
	}
	s := c.account.NewSubmitter()
	defer s.Close()
	return c.submit(ctx, s, m, e.Author.Addr())
}

// submit submits m by s, and closes it. from is who wrote it, for the findings.
func (c *Client) submit(ctx context.Context, s *account.Submitter, m *mailobject.Mail, from string) (*Receipt, error) {
	defer m.Close()
	if c.cfg.NoMails {
		return c.notSubmitted(m)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r, err := s.Submit(ctx, m, c.o.Timeout, c.o.Attempts)
	if err != nil {
		return nil, settingsError(err)
	}
	return c.result(ctx, r, from)
}

// notSubmitted is the result of a Client that submits nothing.
func (c *Client) notSubmitted(m *mailobject.Mail) (*Receipt, error) {
	r := &Receipt{MessageID: m.MessageID, Mailbox: m.Envelope.ReversePath, Server: c.cfg.Addr(), Size: m.Content.Size(), Started: time.Now()}
	for _, path := range m.Envelope.ForwardPaths {
		r.Recipients = append(r.Recipients, Recipient{Address: path, Outcome: NotAttempted, Stage: StageConfig})
	}
	return r, &Error{Stage: StageConfig, Err: ErrNoMails, text: ErrNoMails.Error()}
}
