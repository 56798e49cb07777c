package readymessage

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Changes are the changes to a ready message that were asked for. Nothing
// else is changed, but for a From, Date or Message-ID field that is missing and
// is put on top (RFC 6409 8), the Bcc fields, and display names that lack their
// quotes (address.RepairField).
type Changes struct {
	From      address.Address // for a message without From; zero = refuse such a message
	ForceFrom bool            // put From in the place of the message's own
	// Unfinished: the mail object goes to a relay that completes it. A message may be
	// without From and Message-ID, and addresses without a domain.
	Unfinished bool
	KeepBcc    bool      // leave Bcc fields where they are: only a relay that was given the envelope does so
	JoinBlank  bool      // a line of blanks alone in a header field becomes the end of the line before it
	Prepend    []Field   // trace fields on top, such as Received
	Now        time.Time // for a missing Date; zero = now
}

// Field is a header field that is put on top.
type Field struct{ Name, Value string }

// Mail makes a mail object of the message, from reversePath (zero: the null
// reverse-path) to the recipients, of which each address gets it once. Errors are
// *badinput.FieldError; the Message stays open then. Afterwards the Mail owns the
// temporary file.
func (msg *Message) Mail(reversePath address.Address, recipients []address.Address, dsn mailobject.DSN, c Changes) (*mailobject.Mail, error) {
	if err := dsn.Check(); err != nil {
		return nil, err
	}
	if err := checkPaths(reversePath, recipients, c.Unfinished); err != nil {
		return nil, err
	}
	m := &mailobject.Mail{Envelope: mailobject.NewEnvelope(reversePath, recipients)}
	m.Envelope.DSN = dsn
	top, err := msg.newFields(m, c)
	if err != nil {
		return nil, err
	}
	segments := append([]mailobject.Segment{mailobject.Literal(top)}, msg.edited(m, c)...)
	if m.From == "" {
		m.From = msg.author()
	}
	m.Content = mailobject.NewContent(msg.plan.EightBit, segments...)
	m.UTF8Header = m.UTF8Header || msg.plan.UTF8Header
	m.Files = append(m.Files, msg.spool)
	return m, nil
}

// checkPaths refuses local names, which mean something on one host only, and an
// envelope without recipients.
func checkPaths(reversePath address.Address, recipients []address.Address, unfinished bool) error {
	if len(recipients) == 0 {
		return badinput.Field("recipients", "", "none; at least one is needed")
	}
	if unfinished {
		return nil
	}
	if !reversePath.IsZero() {
		if err := reversePath.CheckGlobal("reverse-path"); err != nil {
			return err
		}
	}
	for _, a := range recipients {
		if err := a.CheckGlobal("recipient"); err != nil {
			return err
		}
	}
	return nil
}

// edit puts something in the place of a run of the message.
type edit struct {
	from, to int64
	put      mailobject.Segment // nil = nothing
}

// edited returns the message with all changes made but the new fields, and notes in
// m what they are.
func (msg *Message) edited(m *mailobject.Mail, c Changes) []mailobject.Segment {
	edits := msg.repairs(m, c)
	for _, f := range msg.fields {
		if dropped(f.name, c) {
			edits = append(edits, edit{from: f.from, to: f.to})
		}
	}
	if c.JoinBlank && !msg.signed() {
		edits = append(edits, msg.blankLines()...)
	}
	for _, e := range msg.plan.Edits {
		if e.Put == nil {
			edits = append(edits, edit{from: e.From, to: e.To})
			continue
		}
		edits = append(edits, edit{e.From, e.To, e.Put})
	}
	if !msg.hasBlank && msg.body < msg.spool.n {
		edits = append(edits, edit{msg.body, msg.body, mailobject.Literal("\r\n")})
	}
	slices.SortStableFunc(edits, func(a, b edit) int { // insertions before what is replaced
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	var segments []mailobject.Segment
	pos := int64(0)
	for _, e := range edits {
		if e.from < pos { // in a field that is left out
			continue
		}
		if e.from > pos {
			segments = append(segments, stretch{msg.spool, pos, e.from - pos})
		}
		if e.put != nil {
			segments = append(segments, e.put)
		}
		pos = e.to
	}
	return append(segments, stretch{msg.spool, pos, msg.spool.n - pos})
}

// dropped reports whether a field is left out. Return-Path belongs to the
// server that delivers (RFC 5321 4.4), but a foreign one is not ours to remove.
func dropped(name string, c Changes) bool {
	switch name {
	case mboxLine:
		return true
	case "bcc", "resent-bcc":
		return !c.KeepBcc
	case "from":
		return c.ForceFrom
	}
	return false
}

// newFields renders what goes on top, and sets the Message-ID of m.
func (msg *Message) newFields(m *mailobject.Mail, c Changes) (string, error) {
	var b strings.Builder
	for _, h := range c.Prepend {
		if reason := badinput.NotOneLine(h.Name + h.Value); reason != "" {
			return "", badinput.Field("header "+h.Name, h.Value, reason)
		}
		b.WriteString(mimetext.Fold(h.Name, h.Value, false))
	}
	_, hasFrom := msg.Field("From")
	mayLack := c.Unfinished && c.From.IsZero()
	if (!hasFrom && !mayLack) || c.ForceFrom {
		if c.From.IsZero() {
			return "", badinput.Field("From", "", "missing in the message, and none was given")
		}
		if err := c.From.CheckGlobal("From"); err != nil && !c.Unfinished {
			return "", err
		}
		m.From = c.From.Addr()
		b.WriteString(address.Field("From", []address.Address{c.From}))
		m.UTF8Header = !mimetext.IsASCII(c.From.Local())
	}
	if _, ok := msg.Field("Date"); !ok {
		now := c.Now
		if now.IsZero() {
			now = time.Now()
		}
		b.WriteString("Date: " + now.Format(time.RFC1123Z) + "\r\n")
	}
	if id, ok := msg.Field("Message-ID"); ok {
		m.MessageID = id
		return b.String(), nil
	}
	if c.Unfinished {
		return b.String(), nil
	}
	m.MessageID = mailobject.NewMessageID(msg.idDomain(m, c))
	b.WriteString("Message-ID: " + m.MessageID + "\r\n")
	return b.String(), nil
}

// idDomain is the right side of a new Message-ID: the domain of From as it goes
// out, else of the reverse-path.
func (msg *Message) idDomain(m *mailobject.Mail, c Changes) string {
	if from, err := msg.From(); err == nil && len(from) > 0 && from[0].Domain() != "" && !c.ForceFrom {
		return from[0].Domain()
	}
	if c.From.Domain() != "" {
		return c.From.Domain()
	}
	if _, domain, ok := strings.Cut(m.Envelope.ReversePath, "@"); ok {
		return domain
	}
	return "smtpsend.invalid" // no one's (RFC 2606); the name of the host is not told
}
