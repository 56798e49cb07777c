package message

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Address is one mailbox (RFC 5322 3.4) with its parts decoded.
type Address struct {
	Name   string // display name, may be empty
	Local  string // local part without quotes
	Domain string // A-labels or an address literal; empty for a local name such as root
}

// IsZero reports whether there is no address.
func (a Address) IsZero() bool { return a.Local == "" && a.Domain == "" }

// Addr returns the addr-spec as MAIL and RCPT take it: local part quoted when
// it must be, no display name, no angle brackets.
func (a Address) Addr() string {
	local := a.Local
	if !isDotAtom(local) {
		local = `"` + local + `"`
	}
	if a.Domain == "" {
		return local
	}
	return local + "@" + a.Domain
}

// String returns the address as a header field has it, the display name quoted
// or encoded (RFC 2047). Parsing it gives the address again.
func (a Address) String() string {
	if a.Name == "" {
		return a.Addr()
	}
	return mimetext.DisplayName(a.Name) + " <" + a.Addr() + ">"
}

// addressField renders a field of addresses, folded between words.
func addressField(name string, list []Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		a.Name = mimetext.CleanName(a.Name)
		texts[i] = a.String()
	}
	return mimetext.Fold(name, strings.Join(texts, ", "), true)
}

// key is equal for addresses that are one forward-path. Only the domain is
// without case (RFC 5321 2.4).
func (a Address) key() string { return a.Local + "@" + strings.ToLower(a.Domain) }

// ParseAddress parses one address as people write it: "a@b.example" or
// "Name <a@b.example>". A domain in any script is converted to A-labels. The
// error is *FieldError with the given field name.
func ParseAddress(field, s string) (Address, error) {
	list, err := ParseAddressList(field, s)
	if err != nil {
		return Address{}, err
	}
	if len(list) != 1 {
		return Address{}, &FieldError{field, s, fmt.Sprintf("must be one address, not %d", len(list))}
	}
	return list[0], nil
}

// ParseAddressList parses addresses separated by commas, groups included (RFC
// 5322 3.4). An empty text is an empty list. The error is *FieldError with the
// given field name, the address that is wrong, and why.
func ParseAddressList(field, s string) ([]Address, error) {
	list, err := parse(field, s, true)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.Domain == "" {
			return nil, &FieldError{field, a.Local, noDomain(s)}
		}
	}
	return list, nil
}

// noDomain is the reason for an address without @ in text. A display name with a
// comma is cut into such addresses.
func noDomain(text string) string {
	if strings.Contains(text, ",") {
		return "no @ and domain; a display name that contains a comma needs quotes"
	}
	return "no @ and domain"
}

// ParseMailboxes is ParseAddressList that lets local names pass, which have no
// Domain: "sendmail root" means a person, once there are aliases, and the header of
// a message from cron says "To: root". It takes misplaced dots too, for which
// some real mailboxes are known, and, as Postfix does, semicolons between
// addresses and an @ or brackets in a display name without quotes.
func ParseMailboxes(field, s string) ([]Address, error) { return parse(field, s, false) }

// parse reads a list; strict refuses a local part that could only be sent in
// quotes which nobody wrote, and semicolons where no group ends.
func parse(field, s string, strict bool) ([]Address, error) {
	if reason := badControl(s); reason != "" {
		return nil, &FieldError{field, s, reason}
	}
	if len(s) > limits.AddressList {
		return nil, &FieldError{field, s, fmt.Sprintf("%d octets of addresses, at most %d", len(s), limits.AddressList)}
	}
	p := &addressParser{s: s, strict: strict, author: strings.HasSuffix(field, "From")}
	list, reason := p.list()
	if reason != "" {
		return nil, &FieldError{field, p.current(), reason}
	}
	return list, nil
}
