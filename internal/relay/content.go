package relay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Source is what the outbox has as the source of messages that a relay took. The client
// is its name in the settings file.
const Source = "relay"

// Content takes the message, or says why not. A reply of 250 means that it is on disk.
func (s *session) Content(ctx context.Context, in io.Reader) smtpserver.Reply {
	t := s.tx
	if t.passed != nil {
		return t.passContent(in)
	}
	sized := &sizedReader{in: in, left: t.listener.Limits.Size}
	message, err := readymessage.Read(ctx, sized, readymessage.Options{Reencode: s.relay.reencode(t.client)})
	if err != nil {
		return s.unread(t, sized, err)
	}
	defer message.Close()
	mail, refused := t.mailOf(message)
	if refused != nil {
		return s.refuse(*refused)
	}
	defer mail.Close()
	if text := s.relay.known.Sender(ctx, t.decision.Mailbox, mail.From, mail.Envelope.ReversePath); text != "" {
		return s.refuse(refusal{stage: event.StageContent, code: event.SenderHeld, reply: 550, enhanced: "5.7.1", text: text})
	}
	id, err := s.relay.accept(ctx, spool.Message{
		Mailbox: t.decision.Mailbox.Addr(), Envelope: mail.Envelope, From: mail.From, MessageID: mail.MessageID, Size: mail.Content.Size(),
		Source: Source, Client: t.client.Name,
	}, mail.Content)
	if err != nil {
		return s.refuse(s.relay.untaken(err))
	}
	s.relay.took()
	t.budget.Keep(len(mail.Envelope.ForwardPaths))
	octets := t.listener.Limits.Size - sized.left
	s.visit.Took(len(mail.Envelope.ForwardPaths), octets)
	t.logTaken(id, mail, octets)
	return smtpserver.Say(250, "2.0.0 queued as "+string(id))
}

// mostAccepted is how many messages go into the outbox at once, each with up to 1 MiB in
// memory. They are whole by then, so that no slow client keeps others waiting; as many
// share a commit.
const mostAccepted = 64

// accept puts a message into the outbox.
func (r *Relay) accept(ctx context.Context, m spool.Message, content *mailobject.Content) (queueid.ID, error) {
	select {
	case r.accepting <- struct{}{}:
		defer func() { <-r.accepting }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	id, _, err := r.opts.Outbox.AcceptContent(ctx, m, content)
	return id, err
}

// reencode is how the mail of a client leaves.
func (r *Relay) reencode(c *relayfile.Client) readymessage.Reencode {
	if c.EightBit == relayfile.EightBitKeep && r.opts.Reencode != readymessage.ReencodeNever {
		return readymessage.ReencodeLong
	}
	return r.opts.Reencode
}

// errSize says that a message is larger than its listener takes.
var errSize = errors.New("relay: the message is too large")

// sizedReader reads content up to a size.
type sizedReader struct {
	in   io.Reader
	left int64
	err  error // of in, io.EOF included
}

// Read fails with errSize after too much.
func (r *sizedReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.err = err
	if r.left -= int64(n); r.left < 0 {
		return 0, errSize
	}
	return n, err
}

// unread answers a content that could not be read.
func (s *session) unread(t *transaction, in *sizedReader, err error) smtpserver.Reply {
	_, bad := errors.AsType[*badinput.FieldError](err)
	switch {
	case errors.Is(err, errSize), errors.Is(err, smtpserver.ErrTooLarge):
		return s.refuse(tooLarge(event.StageContent, t.listener, ""))
	case in.err != nil && !errors.Is(in.err, io.EOF): // cut off, and the reply is not used
		return smtpserver.Say(451, "4.3.0 The message did not come to its end")
	case bad:
		return s.refuse(messageBad(err))
	}
	return s.refuse(s.relay.untaken(err))
}

func messageBad(err error) refusal {
	return refusal{stage: event.StageContent, code: event.MessageBad, reply: 554, enhanced: "5.6.0", text: "the message cannot be sent: " + err.Error()}
}

// untaken is the refusal of a message that the outbox did not take. What is not wrong
// with the message is never its sender's fault.
func (r *Relay) untaken(err error) refusal {
	_, bad := errors.AsType[*spool.InputError](err)
	switch {
	case bad:
		return messageBad(err)
	case errors.Is(err, store.ErrFull):
		r.trouble(err)
		return refusal{stage: event.StageContent, code: event.OutboxFull, reply: 452, enhanced: "4.3.1", text: "the relay's disk is full: try again later"}
	case errors.Is(err, store.ErrBroken):
		r.fail(err)
	}
	r.trouble(err)
	return refusal{stage: event.StageContent, code: event.OutboxTrouble, reply: 451, enhanced: "4.3.0", text: "the relay cannot keep the message now: try again later"}
}

func looping(why string) *refusal {
	return &refusal{stage: event.StageContent, code: event.Loop, reply: 554, enhanced: "5.4.6", text: "the message goes round in a loop: " + why}
}

// trouble warns of what keeps the outbox from taking mail, once until it takes some again:
// every refusal has a line of its own.
func (r *Relay) trouble(err error) {
	if !r.troubled.Swap(true) {
		r.opts.Warn("mail is not taken, and clients are asked to try again later: " + err.Error())
	}
}

// took ends the trouble.
func (r *Relay) took() {
	if r.troubled.Load() && r.troubled.Swap(false) {
		r.opts.Warn("mail is taken again")
	}
}

// mailOf is the mail object of a message, with what the relay changes. One of both results
// is nil.
func (t *transaction) mailOf(m *readymessage.Message) (*mailobject.Mail, *refusal) {
	relay := t.session.relay
	if why := relay.loops(m.Values("Received")); why != "" {
		return nil, looping(why)
	}
	header, author, refused := t.header(m)
	if refused != nil {
		r := senderRefused(event.StageContent, refused)
		return nil, &r
	}
	changes := readymessage.Changes{
		From: header.From, ForceFrom: !header.From.IsZero(), Now: relay.opts.Now(),
		Prepend: []readymessage.Field{{Name: "Received", Value: t.received()}},
	}
	_, replies := m.Field("Reply-To")
	if len(header.ReplyTo) > 0 && !replies {
		changes.Prepend = append(changes.Prepend, readymessage.Field{Name: "Reply-To", Value: listed(header.ReplyTo)})
	}
	mail, err := m.Mail(t.decision.ReversePath, t.recipients, t.dsn, changes)
	if err != nil {
		r := messageBad(err)
		return nil, &r
	}
	if header.From.IsZero() {
		mail.From = cmp.Or(author, mail.From)
	}
	for _, a := range header.ReplyTo {
		mail.UTF8Header = mail.UTF8Header || !replies && !mimetext.IsASCII(a.Local())
	}
	return mail, nil
}

// header says what the header section gets, and whose refusal by Exchange Online would be
// that of this message. One of several From fields would be shown to readers, and nobody
// knows which.
func (t *transaction) header(m *readymessage.Message) (h *sender.Header, author string, refused *sender.Refusal) {
	values := m.Values("From")
	from := sender.ReadFrom(values...)
	t.seeAuthors(from)
	h, refused = t.decision.AtContent(from)
	return h, t.author(from, values), refused
}

// author is the one whom the outbox holds when Exchange Online refuses one: it holds the
// whole mailbox only when that may not send as itself, which no client must bring about for
// the others. So it is an author who is not the mailbox, or all of a From that cannot be
// read; "" is the mailbox, or no one.
func (t *transaction) author(from sender.From, values []string) string {
	for _, a := range from.Authors {
		if a.Pattern() != t.decision.Mailbox.Pattern() {
			return a.Addr()
		}
	}
	if from.Bad {
		return printable.Line(strings.Join(values, ", "))
	}
	return ""
}

func (t *transaction) seeAuthors(from sender.From) {
	for _, a := range from.Authors {
		event.See(&t.session.visit.Authors, a.Addr())
	}
}

// listed is the value of a header field with addresses.
func listed(list []address.Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		a.Name = mimetext.CleanName(a.Name)
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
