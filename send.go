package smtpsend

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// ErrNoMails is wrapped by the Error of a Client whose settings say
// SMTPSEND_NO_MAILS=1: the message was composed and checked, but no connection was made
// and nothing was sent.
var ErrNoMails = errors.New("the settings say that no mail is submitted")

// outgoing is a mail object on its way.
type outgoing struct {
	*mailobject.Mail
	from string // who wrote it, for the findings
}

// Send composes m and submits it in a session of its own. The error is nil only when
// every recipient was accepted. If something was tried, there is a Receipt, and the
// error is an *Error. Otherwise the Receipt is nil, and the error is a *MessageError or
// the error of an Attachment's Reader or of ctx.
func (c *Client) Send(ctx context.Context, m *Message) (*Receipt, error) {
	out, err := c.compose(ctx, m)
	return c.sendOne(ctx, out, err)
}

// SendMsg submits a message of go-mail in a session of its own. The recipients are
// those of To, Cc and Bcc, and the author is the address in From. If the Client has no
// Mailbox and the message has an EnvelopeFrom, that address signs in.
//
// go-mail writes the message. SendMsg re-encodes what Exchange Online or a strict parser
// would misread: text in 8 bits, octets above 127 in header fields, lines that are too
// long, and lines of only blanks. The meaning does not change, and signed parts (S/MIME,
// PGP) are sent as they are. An embedded file whose name is not ASCII is refused, unless
// it has a Content-ID of its own (WithFileContentID), because no mail program would find
// it. A file whose media type or header has a line break is refused too. If a function
// in m panics, it does so in the goroutine of the caller. SendMsg returns what Send
// returns; an error of go-mail is wrapped.
func (c *Client) SendMsg(ctx context.Context, m *gomail.Msg) (*Receipt, error) {
	out, err := c.read(ctx, m)
	return c.sendOne(ctx, out, err)
}

// SendRaw submits a message in the form of RFC 5322, with any line ends, in a session of
// its own. If from is not empty, it is the author, and it signs in when the Client has no
// Mailbox. A From field of the message is not changed. Bcc fields are removed, a missing
// From, Date or Message-ID is added, and content is re-encoded as by SendMsg. SendRaw
// first reads r to its end; more than 1 MiB goes into a temporary file. It returns what
// Send returns; an error of r is wrapped.
func (c *Client) SendRaw(ctx context.Context, from string, to []string, r io.Reader) (*Receipt, error) {
	out, err := c.ready(ctx, from, to, r, readymessage.Changes{})
	return c.sendOne(ctx, out, err)
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
		var s *sender
		defer func() { s.close() }()
		for m := range messages {
			out, err := c.compose(ctx, m)
			var receipt *Receipt
			if err == nil {
				receipt, err = c.submit(ctx, &s, out)
			}
			cancelled := err != nil && ctx.Err() != nil
			if !yield(receipt, err) || cancelled {
				return
			}
		}
	}
}

func (c *Client) sendOne(ctx context.Context, out *outgoing, err error) (*Receipt, error) {
	if err != nil {
		return nil, err
	}
	var s *sender
	defer func() { s.close() }()
	return c.submit(ctx, &s, out)
}

// read has go-mail write its message.
func (c *Client) read(ctx context.Context, m *gomail.Msg) (*outgoing, error) {
	sender, err := m.GetSender(false)
	if errors.Is(err, gomail.ErrNoFromAddress) && !c.from.IsZero() {
		sender, err = "", nil
	}
	if err != nil {
		return nil, messageError(err)
	}
	to, err := m.GetRecipients()
	if err != nil {
		return nil, messageError(err)
	}
	for _, f := range slices.Concat(m.GetAttachments(), m.GetEmbeds()) {
		if field, value := unsafeField(f); field != "" {
			return nil, messageError(badinput.Field("file "+strconv.Quote(f.Name), value, field+" holds a line break or NUL, which go-mail would write into the header"))
		}
	}
	for _, f := range m.GetEmbeds() {
		if id := cmp.Or(f.Header.Get("Content-ID"), f.Name); !mimetext.IsASCII(id) {
			return nil, messageError(badinput.Field("embedded file", f.Name, "its name would be its Content-ID, which must be ASCII: give it one by WithFileContentID"))
		}
	}
	r, ended := written(m)
	out, err := c.ready(ctx, sender, to, r, readymessage.Changes{JoinBlank: true})
	_ = r.Close()
	if panicked := ended(); panicked != nil { // in the caller's goroutine, where the caller may recover
		if out != nil {
			_ = out.Close()
		}
		panic(panicked)
	}
	return out, err
}

// unsafeField is a header field of a file that would add fields of its own, because
// go-mail writes it as it is; "" when there is none.
func unsafeField(f *gomail.File) (name, value string) {
	fields := map[string][]string{"Content-Type": {string(f.ContentType)}}
	maps.Copy(fields, f.Header)
	for name, values := range fields {
		for _, value := range values {
			if strings.ContainsAny(name+value, "\r\n\x00") {
				return name, value
			}
		}
	}
	return "", ""
}

// written is what go-mail writes of m. ended waits until go-mail is done with m, which
// is the caller's again then, and returns what a function in m has panicked with.
func written(m *gomail.Msg) (r *io.PipeReader, ended func() (panicked any)) {
	r, w := io.Pipe()
	done := make(chan any, 1)
	go func() {
		err := errors.New("writing the message panicked")
		defer func() {
			panicked := recover()
			_ = w.CloseWithError(err)
			done <- panicked
		}()
		_, err = m.WriteTo(w)
	}()
	return r, func() any { return <-done }
}

// ready makes a mail object of a message that is written already.
func (c *Client) ready(ctx context.Context, from string, to []string, r io.Reader, changes readymessage.Changes) (out *outgoing, err error) {
	author, mailbox := c.from, c.mailbox
	if from != "" {
		if author, err = address.Parse("from", from); err != nil {
			return nil, messageError(err)
		}
	}
	if mailbox.IsZero() {
		mailbox = author
	}
	if mailbox.IsZero() {
		return nil, messageError(badinput.Field("from", "", "missing, and the Client has none"))
	}
	var recipients []address.Address
	for _, value := range to {
		a, err := address.Parse("to", value)
		if err != nil {
			return nil, messageError(err)
		}
		recipients = append(recipients, a)
	}
	changes.From = author
	raw, err := readymessage.Read(ctx, r, readymessage.Options{Reencode: readymessage.Reencode(c.cfg.Reencode)})
	if err != nil {
		return nil, messageError(err)
	}
	m, err := raw.Mail(mailbox, recipients, mailobject.DSN{}, changes)
	if err != nil {
		_ = raw.Close()
		return nil, messageError(err)
	}
	if list, err := raw.From(); err == nil && len(list) > 0 {
		author = list[0]
	}
	return &outgoing{m, author.Addr()}, nil
}

// sender is one of internal/submission for one mailbox.
type sender struct {
	*submission.Sender
	mailbox string
	options session.Options
}

func (s *sender) close() {
	if s != nil {
		s.Close()
	}
}

// submit submits out on *s, or on a new session that it puts there, and closes out.
func (c *Client) submit(ctx context.Context, s **sender, out *outgoing) (*Receipt, error) {
	defer out.Close()
	if c.cfg.NoMails {
		return c.notSubmitted(out)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	mailbox := out.Envelope.ReversePath
	if *s == nil || (*s).mailbox != mailbox {
		o, err := c.account.Session(mailbox)
		if err != nil {
			return nil, &SettingsError{[]string{err.Error()}}
		}
		(*s).close()
		*s = &sender{submission.NewSender(o), mailbox, o}
	}
	deadline := time.Now().Add(c.o.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	r := (*s).Submit(ctx, out.Mail, submission.Policy{
		Deadline: deadline, Attempts: c.o.Attempts,
		Waiting: func(wait time.Duration, because diagnosis.Finding) {
			c.o.Logger.Info("waiting for another attempt", "wait", wait, "finding", because.Code, "mail_id", out.MessageID)
		},
	})
	return c.result(ctx, r, out.from)
}
