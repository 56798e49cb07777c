package address

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
)

// Pattern is an address, or all addresses at one domain: what a list of permitted
// senders is made of. Only ParsePattern makes one. The zero value matches nothing.
// Patterns that match the same addresses are equal by ==.
type Pattern struct {
	local  string // in lower case; "" = any, which no address has
	domain string // A-labels in lower case
}

// anyLocal is written for any local part.
const anyLocal = "*"

// ParsePattern reads an address without a name, or *@domain. A domain in any script is
// converted to A-labels; only the domain itself matches, not those below it. The error
// is *badinput.FieldError with the given field name.
func ParsePattern(field, s string) (Pattern, error) {
	if domain, ok := strings.CutPrefix(s, anyLocal+"@"); ok {
		ascii, err := ParseDomain(field, domain)
		if err != nil {
			return Pattern{}, err
		}
		return Pattern{"", ascii}, nil
	}
	a, err := Parse(field, s)
	switch {
	case err != nil:
		return Pattern{}, err
	case a.Name != "":
		return Pattern{}, badinput.Field(field, s, "has a name: write the address alone")
	case strings.Contains(a.local, anyLocal):
		return Pattern{}, badinput.Field(field, s, "has a * within the address: write a whole address, or *@domain")
	}
	return a.Pattern(), nil
}

// Pattern is the one that matches a alone, which must not be zero.
func (a Address) Pattern() Pattern { return Pattern{lower(a.local), lower(a.domain)} }

// Matches reports whether a is the address, or at the domain. Upper and lower case are
// the same in both parts, as they are for Exchange Online, which takes Scanner@ and
// scanner@ for one mailbox; RFC 5321 2.4 asks it of the domain alone.
func (p Pattern) Matches(a Address) bool {
	if p.IsZero() || p.domain != lower(a.domain) {
		return false
	}
	return p.IsDomain() || p.local == lower(a.local)
}

// IsDomain reports a pattern for all addresses at a domain.
func (p Pattern) IsDomain() bool { return p.local == "" && p.domain != "" }

// Domain is in A-labels and lower case.
func (p Pattern) Domain() string { return p.domain }

// IsZero reports the pattern that matches nothing.
func (p Pattern) IsZero() bool { return p == Pattern{} }

// String is the pattern as ParsePattern reads it.
func (p Pattern) String() string {
	if p.IsDomain() {
		return anyLocal + "@" + p.domain
	}
	return Address{local: p.local, domain: p.domain}.Addr()
}

// ParseDomain returns a domain, which may be in any script, as A-labels (RFC 5890) in
// lower case. An address literal is not a domain. The error is *badinput.FieldError
// with the given field name.
func ParseDomain(field, s string) (string, error) {
	ascii, reason := asciiDomain(s)
	switch {
	case s == "":
		reason = "is empty"
	case strings.HasPrefix(s, "["):
		reason = "is an address literal, not a domain"
	}
	if reason != "" {
		return "", badinput.Field(field, s, reason)
	}
	return lower(ascii), nil
}

// lower folds the letters of ASCII alone: others that look alike may be different
// local parts.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
