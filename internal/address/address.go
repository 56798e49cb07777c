// Package address reads and writes the addresses of mail: mailboxes as header
// fields have them (RFC 5322 3.4), paths as MAIL and RCPT take them (RFC 5321
// 4.1.2), domains in any script as A-labels (RFC 5891). Parse is for what people
// write and refuses what could mean two things; ParseLenient reads what programs
// write, and RepairField what they forget to quote.
//
// Nothing is kept between calls, and all of it may be called concurrently.
package address

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/ascii"

	"golang.org/x/net/idna"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Address is one mailbox (RFC 5322 3.4) with its parts decoded. Only this package
// makes one, so that what it holds was checked, once. The zero value is not an
// address. Addresses can be compared with ==.
type Address struct {
	Name string // display name, may be empty; may be changed

	local, domain string
}

// Local is the local part without quotes.
func (a Address) Local() string { return a.local }

// Domain is in A-labels (RFC 5890), or an address literal. It is empty for a local
// name such as root.
func (a Address) Domain() string { return a.domain }

// IsZero reports whether there is no address.
func (a Address) IsZero() bool { return a.local == "" && a.domain == "" }

// IsLocalName reports an address that means nothing on another host: one without a
// domain, or at localhost.
func (a Address) IsLocalName() bool {
	switch strings.ToLower(a.domain) {
	case "", "localhost", "localhost.localdomain":
		return !a.IsZero()
	}
	return false
}

// HasPublicDomain reports an address at a domain that the internet could have: not a
// local name, an IP address with or without brackets, a name of one label, or one that
// networks have among themselves, as devices make of their own.
func (a Address) HasPublicDomain() bool {
	if a.domain == "" || a.domain[0] == '[' || a.IsLocalName() {
		return false
	}
	parent, top := "", a.domain
	if dot := strings.LastIndexByte(a.domain, '.'); dot >= 0 {
		parent, top = a.domain[:dot], strings.ToLower(a.domain[dot+1:])
	}
	isNumber := strings.Trim(top, "0123456789") == "" // no top-level domain is one (RFC 3696 2)
	switch top {
	case "local", "localdomain", "localhost", "lan", "internal", "invalid": // RFC 6762, RFC 6761, and what routers use
		return false
	case "arpa":
		return !strings.HasSuffix("."+strings.ToLower(parent), ".home") // RFC 8375
	}
	return parent != "" && !isNumber
}

// Addr returns the addr-spec as MAIL and RCPT take it: local part quoted when
// it must be, no display name, no angle brackets.
func (a Address) Addr() string {
	local := a.local
	if !isDotAtom(local) {
		local = `"` + local + `"`
	}
	if a.domain == "" {
		return local
	}
	return local + "@" + a.domain
}

// String returns the address as a header field has it, the display name quoted
// or encoded (RFC 2047). Parsing it gives the address again.
func (a Address) String() string {
	if a.Name == "" {
		return a.Addr()
	}
	return mimetext.DisplayName(a.Name) + " <" + a.Addr() + ">"
}

// Field renders a header field of addresses, folded between words.
func Field(name string, list []Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		a.Name = mimetext.CleanName(a.Name)
		texts[i] = a.String()
	}
	return mimetext.Fold(name, strings.Join(texts, ", "), true)
}

// Key is equal for addresses that are one forward-path. Only the domain is
// without case (RFC 5321 2.4).
func (a Address) Key() string { return a.local + "@" + strings.ToLower(a.domain) }

// At is a at another domain, which may be in any script. The error is
// *badinput.FieldError with the given field name.
func (a Address) At(field, domain string) (Address, error) {
	moved, reason := newAddress(a.local, domain)
	if reason != "" {
		return Address{}, badinput.Field(field, a.local+"@"+domain, reason)
	}
	moved.Name = a.Name
	return moved, nil
}

// CheckGlobal refuses what is not a mailbox that another host could know: the zero
// value and a local name. It refuses a Name that is not one line, too. The error is
// *badinput.FieldError with the given field name.
func (a Address) CheckGlobal(field string) error {
	if reason := badinput.NotOneLine(a.Name); reason != "" {
		return badinput.Field(field, a.Name, reason)
	}
	if a.domain == "" {
		return badinput.Field(field, a.local, "no @ and domain")
	}
	return nil
}

// Limits in octets. RFC 5321 4.5.3.1 has 64 for a local part and 256 for a path,
// and asks to impose none: the local parts of SRS, VERP and tickets are longer, and
// the server may say that one is too long for it. Only DNS has no longer domains.
const (
	maxDomain = 255
	maxAddr   = limits.CommandLine - len("MAIL FROM:<>\r\n")
	maxLabel  = 63
)

// newAddress checks both parts and converts the domain to A-labels.
func newAddress(local, domain string) (Address, string) {
	if reason := checkLocal(local); reason != "" {
		return Address{}, reason
	}
	ascii, reason := asciiDomain(domain)
	if reason != "" {
		return Address{}, reason
	}
	a := Address{local: local, domain: ascii}
	if n := len(a.Addr()); n > maxAddr {
		return Address{}, fmt.Sprintf("%d octets, at most %d (RFC 5321 4.5.3.1.4)", n, maxAddr)
	}
	return a, ""
}

// checkLocal returns why local cannot be a local part, or "". Quoted local
// parts are legal with almost anything inside, but some servers have taken
// `"x> NOTIFY=NEVER"` for the end of the path, so brackets, blanks, quotes and
// control characters are refused.
func checkLocal(local string) string {
	if local == "" {
		return "nothing before the @"
	}
	if len(local) > maxAddr {
		return fmt.Sprintf("%d octets before the @, at most %d with what is after it (RFC 5321 4.5.3.1.4)", len(local), maxAddr)
	}
	if !utf8.ValidString(local) {
		return "neither ASCII nor UTF-8 before the @"
	}
	for _, r := range local {
		if r == ' ' || !unicode.IsPrint(r) || strings.ContainsRune(`<>"\`, r) {
			return fmt.Sprintf("%q cannot be used before the @", r)
		}
	}
	return ""
}

// isDotAtom reports whether local needs no quotes (RFC 5322 3.2.3).
func isDotAtom(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for i := 0; i < len(local); i++ {
		if !isAtomByte(local[i]) {
			return false
		}
	}
	return true
}

// asciiDomain converts a domain to A-labels (RFC 5891), so that an address in
// any script can be submitted without SMTPUTF8.
func asciiDomain(domain string) (ascii, reason string) {
	if strings.HasPrefix(domain, "[") {
		return domain, checkLiteral(domain)
	}
	if !utf8.ValidString(domain) {
		return "", "the domain is neither ASCII nor UTF-8"
	}
	if !mimetext.IsASCII(domain) {
		converted, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return "", fmt.Sprintf("the domain is not a valid internationalised name (%v)", err)
		}
		domain = converted
	}
	return domain, checkDomain(domain)
}

// checkDomain returns why domain is not a host name, or "". The underscore is
// let through: host names must not have it, yet those of internal hosts do.
func checkDomain(domain string) string {
	if len(domain) > maxDomain {
		return fmt.Sprintf("a domain of %d octets, at most %d (RFC 5321 4.5.3.1.2)", len(domain), maxDomain)
	}
	for label := range strings.SplitSeq(domain, ".") {
		switch {
		case label == "":
			return "a part of the domain is empty, as between two dots"
		case len(label) > maxLabel:
			return fmt.Sprintf("a label of %d octets in the domain, at most %d", len(label), maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label of the domain begins or ends with a hyphen"
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; !ascii.IsAlnum(c) && c != '-' && c != '_' {
				return fmt.Sprintf("%q cannot be used in a domain", c)
			}
		}
	}
	return ""
}

// checkLiteral accepts [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 4.1.3).
func checkLiteral(literal string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(literal, "["), "]")
	v6, isV6 := strings.CutPrefix(inner, "IPv6:")
	addr, err := netip.ParseAddr(v6)
	if err != nil || addr.Zone() != "" || addr.Is4() == isV6 {
		return "the address literal is not valid; write it as [192.0.2.1] or [IPv6:2001:db8::1]"
	}
	return ""
}

// Parse parses one address as people write it: "a@b.example" or
// "Name <a@b.example>". A domain in any script is converted to A-labels. The
// error is *badinput.FieldError with the given field name.
func Parse(field, s string) (Address, error) {
	list, err := ParseList(field, s)
	if err != nil {
		return Address{}, err
	}
	if len(list) != 1 {
		return Address{}, badinput.Field(field, s, fmt.Sprintf("must be one address, not %d", len(list)))
	}
	return list[0], nil
}

// MustParse is Parse for an address that is part of the program, such as one of a
// test. It panics when Parse fails.
func MustParse(s string) Address {
	a, err := Parse("address", s)
	if err != nil {
		panic(err)
	}
	return a
}

// ParseEach parses several addresses, each as Parse does.
func ParseEach(field string, texts []string) ([]Address, error) {
	var list []Address
	for _, s := range texts {
		a, err := Parse(field, s)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// ParseList parses addresses separated by commas, groups included (RFC 5322
// 3.4). An empty text is an empty list. The error is *badinput.FieldError with the
// given field name, the address that is wrong, and why.
func ParseList(field, s string) ([]Address, error) {
	list, err := parse(field, &addressParser{s: s, strict: true})
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.domain == "" {
			return nil, badinput.Field(field, a.local, noDomain(s))
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

// ParseLenient is ParseList for what programs write, in a header field or on the
// command line of sendmail. It lets local names pass, such as the "To: root" of
// cron, whose Domain is empty. It takes misplaced dots too, for which some real
// mailboxes are known, and, as Postfix does, semicolons between addresses and an @
// or brackets in a display name without quotes.
func ParseLenient(field, s string) ([]Address, error) {
	return parse(field, &addressParser{s: s})
}

// ParseAuthors is ParseLenient for a From field, or a Resent-From field. An address
// in a display name without quotes is taken for a part of the name, not for another
// author whose comma is missing.
func ParseAuthors(field, s string) ([]Address, error) {
	return parse(field, &addressParser{s: s, author: true})
}

// parse reads the list that p begins with.
func parse(field string, p *addressParser) ([]Address, error) {
	if reason := badinput.NotOneLine(p.s); reason != "" {
		return nil, badinput.Field(field, p.s, reason)
	}
	if len(p.s) > limits.AddressList {
		return nil, badinput.Field(field, p.s, fmt.Sprintf("%d octets of addresses, at most %d", len(p.s), limits.AddressList))
	}
	list, reason := p.list()
	if reason != "" {
		return nil, badinput.Field(field, p.current(), reason)
	}
	return list, nil
}
