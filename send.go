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
// SMTPSEND_NO_MAILS=1: the message was composed and checked, no connection was made,
// and no one was sent anything.
var ErrNoMails = errors.New("the settings say that no mail is submitted")

// Send composes m and submits it in a session of its own. The error is nil only when
// every recipient was accepted. It is an *Error beside the Receipt, or, with nil in
// place of the Receipt, a *MessageError or what an Attachment's Reader or ctx said.
func (c *Client) Send(ctx context.Context, m *Message) (*Receipt, error) {
	s := c.account.NewSubmitter()
	defer s.Close()
	return c.sendBy(ctx, s, m)
}

// SendMsg submits a message of go-mail in a session of its own. The recipients are
// those of To, Cc and Bcc, the author the one of From. EnvelopeFrom signs in when the
// message has one; a Client with another Mailbox refuses the message. What belongs to
// go-mail's client, such as WithDSN, has no part in it, and m is not marked as
// delivered.
//
// go-mail writes the message, and what Exchange Online or a strict parser would
// misread of it is written in another way that says the same: text in 8 bits, raw
// octets in header fields, lines that are too long, lines of blanks alone. What is
// signed (S/MIME, PGP, DKIM) leaves as it was signed. An embedded file whose name is
// not ASCII is refused, unless it has a Content-ID of its own (WithFileContentID): no
// reader would find it. A line break or NUL in the name or value of a header field, in
// an address or its name, or in what names a part or a file is a *MessageError: go-mail
// would write most of it into the header section. A function in m that panics does so
// in the goroutine of the caller. Results are as those of Send; an error of go-mail's
// own is wrapped.
func (c *Client) SendMsg(ctx context.Context, m *mail.Msg) (*Receipt, error) {
	from, to, err := gomail.Envelope(m, c.mailbox)
	if err != nil {
		return nil, messageError(err)
	}
	return c.sendReady(ctx, from, to, readymessage.Changes{JoinBlank: true}, func(o readymessage.Options) (*readymessage.Message, error) {
		return gomail.Read(ctx, m, o)
	})
}

// SendRaw submits a message in the form of RFC 5322, with any line ends, in a
// session of its own. from, when not empty, is the author, who signs in unless the
// Client has a Mailbox; a From field of the message is left as it is. Fields of Bcc
// are left out, a missing From, Date or Message-ID is put in, and content is
// re-encoded as SendMsg says. r is read to its end first, beyond 1 MiB into a
// temporary file. Results are as those of Send; an error of r is wrapped.
func (c *Client) SendRaw(ctx context.Context, from string, to []string, r io.Reader) (*Receipt, error) {
	return c.sendReady(ctx, from, to, readymessage.Changes{}, func(o readymessage.Options) (*readymessage.Message, error) {
		return readymessage.Read(ctx, r, o)
	})
}

// SendAll submits messages one after another, as long as the sequence and its
// consumer go on, over one session for all messages in a row from one mailbox. For
// each it yields what Send would return, in the order of the messages; one that
// fails does not keep the next from being sent. The first error after the end of ctx
// is the last result. SendAll asks for the next message when the result of the one
// before has been yielded, so a sequence may wait for its messages: a session that
// waits for 90 s is closed, and another one made.
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
