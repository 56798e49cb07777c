package sendmail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// request is what the arguments, or the client of -bs, say about a message.
type request struct {
	sender           string // the reverse-path that was given; "" = none was, or the null one
	fullName         string // for a From that is missing or local
	senderFromHeader bool   // the reverse-path is the address in From
	recipients       []address.Address
	dsn              mailobject.DSN
}

// givenSender is the address of -f or MAIL, zero for none and for the null
// reverse-path.
func (r request) givenSender() (address.Address, error) {
	if strings.Trim(r.sender, "<> ") == "" {
		return address.Address{}, nil
	}
	list, err := address.ParseLenient("-f", r.sender)
	if err == nil && len(list) != 1 {
		err = &badinput.FieldError{Field: "-f", Value: r.sender, Reason: "must be one address"}
	}
	if err != nil {
		return address.Address{}, err
	}
	return list[0], nil
}

// Mail is a mail object with the mailbox that submits it.
type Mail struct {
	*mailobject.Mail
	Mailbox string // of a relay's: its socket
	// From is the address that Exchange compares with what the mailbox may send as:
	// the author's, or the reverse-path where that is not the mailbox.
	From string
}

// mail makes a mail object of a message. The mailbox is SMTP_USER_NAME, else the
// author's; the reverse-path is the mailbox unless another was given. The null one
// does not count: Exchange takes it from no client.
func (w *rewriter) mail(m *readymessage.Message, r request) (*Mail, error) {
	if w.byRelay() {
		return w.mailForRelay(m, r)
	}
	given, err := r.givenSender()
	if err != nil {
		return nil, err
	}
	author, changes, err := w.author(m, r, given)
	if err != nil {
		return nil, err
	}
	made := &Mail{Mailbox: w.cfg.SMTPUserName, From: author.Addr()}
	if made.Mailbox == "" || w.cfg.PlainUser() != "" {
		made.Mailbox = author.Addr()
	}
	reversePath, err := w.reversePath(r, author, given)
	if err != nil {
		return nil, err
	}
	if made.Mail, err = m.Mail(reversePath, r.recipients, r.dsn, changes); err != nil {
		return nil, err
	}
	if path := made.Envelope.ReversePath; path != made.Mailbox {
		made.From = path // Exchange looks at it, too
	}
	return made, nil
}

// reversePath is that of a message from author: what was given, else the mailbox.
func (w *rewriter) reversePath(r request, author, given address.Address) (address.Address, error) {
	named := !given.IsZero() && !w.isLocal(given) // a local name, such as cron's root, does not count
	switch {
	case !w.cfg.ForceFrom && r.senderFromHeader:
		return author, nil
	case !w.cfg.ForceFrom && named:
		return given, nil
	case w.cfg.SMTPUserName == "" || w.cfg.PlainUser() != "":
		return author, nil
	}
	return address.Parse(config.Prefix+"SMTP_USER_NAME", w.cfg.SMTPUserName)
}

// AuthorError is a message without an author whose address a server could know.
type AuthorError struct{ Reason string }

// Error is the reason.
func (e *AuthorError) Error() string { return e.Reason }

// author is who the message is from. A From that is missing, or that is a local
// name, becomes the address that was given, else MAIL_SENDER, else the name in the
// default domain; a display name is kept, so that readers see that it was root. The
// error has an *AuthorError when there is no such address.
func (w *rewriter) author(m *readymessage.Message, r request, given address.Address) (address.Address, readymessage.Changes, error) {
	written, err := w.readAuthor(m)
	field, _ := m.Field("From")
	if name := address.NameAlone(field); err != nil && name != "" {
		written, err = address.Address{Name: name}, nil
	}
	fixedEnvelope := strings.Contains(w.cfg.SMTPUserName, "@") && !w.cfg.ForceFrom && !r.senderFromHeader
	if err != nil && fixedEnvelope && !severalAuthors(m) {
		// The From cannot be read, but nothing depends on it: Exchange may judge.
		return address.Address{}, readymessage.Changes{}, nil
	}
	if err != nil && !w.cfg.ForceFrom {
		return written, readymessage.Changes{}, err
	}
	if !written.IsZero() && !w.isLocal(written) && !w.cfg.ForceFrom {
		return written, readymessage.Changes{}, nil
	}
	name := w.displayName(r, written, given)
	for _, candidate := range w.candidates(written, given) {
		if candidate.IsZero() || w.isLocal(candidate) {
			continue
		}
		if name != "" {
			candidate.Name = name
		}
		return candidate, readymessage.Changes{From: candidate, ForceFrom: true}, nil
	}
	if !written.IsZero() && !written.IsLocalName() && !w.cfg.ForceFrom {
		return written, readymessage.Changes{}, nil // a server that is not Exchange may know this host
	}
	reason := "the message has no From address"
	switch {
	case w.cfg.ForceFrom:
		reason = config.Prefix + "FORCE_FROM has no address for From"
	case !written.IsZero():
		reason = fmt.Sprintf("From %q has no domain", written.Local())
	}
	return written, readymessage.Changes{}, exit.With(exit.Config, &AuthorError{reason})
}

// displayName is the one for an author whose address is replaced.
func (w *rewriter) displayName(r request, written, given address.Address) string {
	names := []string{written.Name, r.fullName, written.Local()}
	if w.isLocal(given) {
		names = append(names, given.Local())
	}
	return cmp.Or(names...)
}

// readAuthor is the first of those in From, zero when there is none. A local name
// beside others is refused: completed, it would be the only author.
func (w *rewriter) readAuthor(m *readymessage.Message) (address.Address, error) {
	list, err := m.From()
	if err != nil || len(list) == 0 {
		return address.Address{}, err
	}
	if i := slices.IndexFunc(list, w.isLocal); i >= 0 && len(list) > 1 {
		return address.Address{}, &badinput.FieldError{Field: "From", Value: list[i].Addr(), Reason: "a name without a domain, together with other authors"}
	}
	return list[0], nil
}

// severalAuthors reports a From that some reader might take for more than one,
// and so for another author than the one who wrote the message.
func severalAuthors(m *readymessage.Message) bool {
	text, _ := m.Field("From")
	return strings.ContainsAny(text, ",;")
}

// candidates are the addresses that may take the place of a From that is local or
// missing, the best first.
func (w *rewriter) candidates(written, given address.Address) []address.Address {
	if w.cfg.ForceFrom {
		return []address.Address{w.sender}
	}
	local := written
	if written.IsZero() {
		local = given
	}
	if w.cfg.DefaultDomain != "" && !local.IsZero() {
		if completed, err := local.At("From", w.cfg.DefaultDomain); err == nil { // else it is too long
			local = completed
		}
	}
	return []address.Address{given, w.sender, local}
}
