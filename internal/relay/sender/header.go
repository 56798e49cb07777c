package sender

import (
	"cmp"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
)

// From is what the field From of a message says.
type From struct {
	Authors []address.Address // names without a domain among them
	Name    string            // when there is a name and no address
	Bad     bool              // it cannot be told who is meant
}

// ReadFrom reads the unfolded values of the fields From, of which a message should have
// one; without any it has none. Each is read by itself: together, a comment or a quoted
// string that one of them begins and another ends would hide an address from us that
// readers see. The field Resent-From does not count: it is not what readers are shown.
func ReadFrom(values ...string) (all From) {
	named := 0 // fields that say something
	for _, value := range values {
		one := readField(value)
		if one.Bad || one.Name != "" || len(one.Authors) > 0 {
			named++
		}
		all.Authors = append(all.Authors, one.Authors...)
		all.Name = cmp.Or(all.Name, one.Name)
		all.Bad = all.Bad || one.Bad
	}
	if isMixed := named > 1 && all.Name != ""; all.Bad || isMixed {
		return From{Bad: true}
	}
	return all
}

// readField reads one field.
func readField(value string) From {
	repaired, err := address.RepairField("From", value)
	if err == nil {
		if list, err := address.ParseAuthors("From", repaired); err == nil {
			return From{Authors: list}
		}
	}
	// Devices without a sender write "Scanner <>".
	text, empty := strings.CutSuffix(strings.ReplaceAll(value, " ", ""), "<>")
	if empty {
		value = value[:strings.LastIndexByte(value, '<')]
	}
	name := address.NameAlone(value)
	return From{Name: name, Bad: name == "" && text != ""}
}

// Header is what the header section of a message gets.
type Header struct {
	From     address.Address   // takes the place of the field, with its Name; zero = the field stays
	ReplyTo  []address.Address // for a message without a Reply-To; mostly none
	Compared address.Address   // what Exchange Online compares with what the mailbox may send as: the author, or the reverse-path where it is not the mailbox
}

// AtContent decides by the header of the message that MAIL began. One of both results
// is nil.
//
// A From that is missing, or that names no mailbox, becomes the reverse-path, and keeps
// its name, so that readers see that it was root. The mailbox's address takes the place
// of any other where a rule forces it, and the address that was there goes into
// Reply-To. Else each author must be one that the client may use.
func (d *Decision) AtContent(from From) (*Header, *Refusal) {
	h := &Header{}
	several := len(from.Authors) > 1
	var author address.Address
	if len(from.Authors) == 1 {
		author = from.Authors[0]
	}
	switch {
	case d.force:
		h.From = d.named(d.Mailbox, from)
		h.ReplyTo = d.replyTo(from)
	case from.Bad:
		if len(d.client.Senders) > 0 {
			return nil, &Refusal{Reason: FromUnreadable, Client: d.client.Name}
		}
		// Exchange Online may judge, of what it is shown.
	case !several && namesNone(author):
		h.From = d.named(d.ReversePath, from)
	default:
		if refusal := d.checkAuthors(from.Authors); refusal != nil {
			return nil, refusal
		}
		if name := d.client.DisplayName; !several && name != "" && name != author.Name {
			author.Name = name
			h.From = author
		}
	}
	h.Compared = d.compared(h.From, from)
	return h, nil
}

// checkAuthors refuses authors that the client may not use. A name without a domain
// beside others is one of them: completed, it would be the only author.
func (d *Decision) checkAuthors(authors []address.Address) *Refusal {
	for _, a := range authors {
		may := same(a, d.Mailbox) || same(a, d.ReversePath) || admission.MaySend(d.client, a)
		if namesNone(a) || !may {
			return &Refusal{FromNotAllowed, d.client.Name, a.Addr()}
		}
	}
	return nil
}

// named is the address with the name that its mail gets: the client's, that of From,
// or the name without a domain that it stands for.
func (d *Decision) named(a address.Address, from From) address.Address {
	name := cmp.Or(d.client.DisplayName, from.Name)
	if len(from.Authors) > 0 {
		author := from.Authors[0]
		name = cmp.Or(name, author.Name)
		if namesNone(author) {
			name = cmp.Or(name, author.Local())
		}
	}
	if len(from.Authors) == 0 && namesNone(d.given) {
		name = cmp.Or(name, d.given.Local())
	}
	a.Name = name
	return a
}

// replyTo are the addresses that the mailbox takes the place of: the authors, or the
// sender of a message without From.
func (d *Decision) replyTo(from From) (list []address.Address) {
	old := from.Authors
	if len(old) == 0 && !from.Bad {
		old = []address.Address{d.given}
	}
	for _, a := range old {
		if !namesNone(a) && !same(a, d.Mailbox) {
			list = append(list, a)
		}
	}
	return list
}

// compared is the author, or the reverse-path where that is not the mailbox.
func (d *Decision) compared(forced address.Address, from From) address.Address {
	compared := d.ReversePath
	if same(d.ReversePath, d.Mailbox) {
		switch {
		case !forced.IsZero():
			compared = forced
		case len(from.Authors) > 0:
			compared = from.Authors[0]
		}
	}
	compared.Name = ""
	return compared
}

// same reports one mailbox, whatever it is called. Exchange Online does not tell upper
// from lower case.
func same(a, b address.Address) bool { return a.Pattern() == b.Pattern() }
