package message

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

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
	a := Address{Local: local, Domain: ascii}
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

// checkDomain returns why domain is no host name, or "". The underscore is let
// through: it is no host name character, yet internal hosts have it.
func checkDomain(domain string) string {
	if len(domain) > maxDomain {
		return fmt.Sprintf("a domain of %d octets, at most %d (RFC 5321 4.5.3.1.2)", len(domain), maxDomain)
	}
	for label := range strings.SplitSeq(domain, ".") {
		switch {
		case label == "":
			return "an empty label in the domain: a dot too many"
		case len(label) > maxLabel:
			return fmt.Sprintf("a label of %d octets in the domain, at most %d", len(label), maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label of the domain begins or ends with a hyphen"
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; !isAlnum(c) && c != '-' && c != '_' {
				return fmt.Sprintf("%q cannot be used in a domain", c)
			}
		}
	}
	return ""
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// checkLiteral accepts [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 4.1.3).
func checkLiteral(literal string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(literal, "["), "]")
	v6, isV6 := strings.CutPrefix(inner, "IPv6:")
	addr, err := netip.ParseAddr(v6)
	if err != nil || addr.Zone() != "" || addr.Is4() == isV6 {
		return "no valid address literal: [192.0.2.1] or [IPv6:2001:db8::1]"
	}
	return ""
}
