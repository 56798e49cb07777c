package message

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// RawChanges are the changes to a ready message that were asked for. Nothing
// else is changed, but for a From, Date or Message-ID field that is missing and
// is put on top (RFC 6409 8), the Bcc fields, and display names that lack their
// quotes (RepairAddressField).
type RawChanges struct {
	From      Address   // for a message without From; zero = refuse such a message
	ForceFrom bool      // put From in the place of the message's own
	KeepBcc   bool      // leave Bcc fields where they are: only a relay that was given the envelope does so
	Prepend   []Header  // trace fields on top, such as Received
	Now       time.Time // for a missing Date; zero = now
}

// Mail makes a mail object of the message. The envelope's paths may be as
// people write them; they come out as MAIL and RCPT take them. Errors are
// *FieldError; the Raw stays open then. Afterwards the Mail owns the temporary file.
func (r *Raw) Mail(e Envelope, c RawChanges) (*Mail, error) {
	envelope, err := checkedEnvelope(e)
	if err != nil {
		return nil, err
	}
	m := &Mail{Envelope: envelope}
	top, err := r.newFields(m, c)
	if err != nil {
		return nil, err
	}
	m.Content = newContent(append([]segment{literal(top)}, r.edited(m, c)...))
	m.Content.eightBit = m.Content.eightBit || r.plan.EightBit
	m.utf8Header = m.utf8Header || r.plan.UTF8Header
	m.closers = append(m.closers, r.spool)
	return m, nil
}

// edit puts something in the place of a run of the message.
type edit struct {
	from, to int64
	put      segment // nil = nothing
}

// edited returns the message with all changes made but the new fields, and notes in
// m what they are.
func (r *Raw) edited(m *Mail, c RawChanges) []segment {
	edits := r.repairs(m, c)
	for _, f := range r.fields {
		if dropped(f.name, c) {
			edits = append(edits, edit{from: f.from, to: f.to})
		}
	}
	for _, e := range r.plan.Edits {
		if e.Put == nil {
			edits = append(edits, edit{from: e.From, to: e.To})
			continue
		}
		edits = append(edits, edit{e.From, e.To, reencoded{e.Put}})
	}
	if !r.hasBlank && r.body < r.spool.n {
		edits = append(edits, edit{r.body, r.body, literal("\r\n")})
	}
	slices.SortStableFunc(edits, func(a, b edit) int { // insertions before what is replaced
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	var segments []segment
	pos := int64(0)
	for _, e := range edits {
		if e.from < pos { // in a field that is left out
			continue
		}
		if e.from > pos {
			segments = append(segments, stretch{r.spool, pos, e.from - pos})
		}
		if e.put != nil {
			segments = append(segments, e.put)
		}
		pos = e.to
	}
	return append(segments, stretch{r.spool, pos, r.spool.n - pos})
}

// dropped reports whether a field is left out. Return-Path belongs to the
// server that delivers (RFC 5321 4.4), but a foreign one is not ours to remove.
func dropped(name string, c RawChanges) bool {
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
func (r *Raw) newFields(m *Mail, c RawChanges) (string, error) {
	var b strings.Builder
	for _, h := range c.Prepend {
		if reason := badControl(h.Name + h.Value); reason != "" {
			return "", &FieldError{"header " + h.Name, h.Value, reason}
		}
		b.WriteString(mimetext.Fold(h.Name, h.Value, false))
	}
	if _, ok := r.Field("From"); !ok || c.ForceFrom {
		if c.From.IsZero() {
			return "", &FieldError{"From", "", "missing in the message, and none was given"}
		}
		if err := c.From.check("From"); err != nil {
			return "", err
		}
		b.WriteString(addressField("From", []Address{c.From}))
		m.utf8Header = !mimetext.IsASCII(c.From.Local)
	}
	if _, ok := r.Field("Date"); !ok {
		now := c.Now
		if now.IsZero() {
			now = time.Now()
		}
		b.WriteString("Date: " + now.Format(time.RFC1123Z) + "\r\n")
	}
	if id, ok := r.Field("Message-ID"); ok {
		m.MessageID = id
		return b.String(), nil
	}
	id, err := messageID("", r.idDomain(m, c))
	if err != nil {
		return "", err
	}
	m.MessageID = id
	b.WriteString("Message-ID: " + id + "\r\n")
	return b.String(), nil
}

// idDomain is the right side of a new Message-ID: the domain of From as it goes
// out, else of the reverse-path.
func (r *Raw) idDomain(m *Mail, c RawChanges) string {
	if from, err := r.From(); err == nil && len(from) > 0 && from[0].Domain != "" && !c.ForceFrom {
		return from[0].Domain
	}
	if c.From.Domain != "" {
		return c.From.Domain
	}
	if _, domain, ok := strings.Cut(m.Envelope.ReversePath, "@"); ok {
		return domain
	}
	return "smtpsend.invalid" // RFC 2606: nobody's; the host's name stays our secret
}

// checkedEnvelope parses the paths and leaves each forward-path once.
func checkedEnvelope(e Envelope) (Envelope, error) {
	out := Envelope{DSN: e.DSN}
	if err := e.DSN.Check(); err != nil {
		return out, err
	}
	if e.ReversePath != "" {
		a, err := ParseAddress("reverse-path", e.ReversePath)
		if err != nil {
			return out, err
		}
		out.ReversePath = a.Addr()
	}
	var list []Address
	for _, path := range e.ForwardPaths {
		a, err := ParseAddress("recipient", path)
		if err != nil {
			return out, err
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return out, &FieldError{"recipients", "", "none; at least one is needed"}
	}
	out.ForwardPaths = forwardPaths(list)
	return out, nil
}
