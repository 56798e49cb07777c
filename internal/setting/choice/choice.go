// Package choice has the values of settings that are one of a few words or numbers, such
// as never, fallback and always. Each type parses them as people and enaio write them.
package choice

import (
	"errors"
	"slices"
	"strings"
)

// Security is how the connection to the server is encrypted, in enaio's
// numbers.
type Security int

// The values of SMTP_SECURITY.
const (
	SecurityNone     Security = 0 // no TLS; to a loopback address only
	SecurityImplicit Security = 1 // TLS from the first octet (RFC 8314 3.3), enaio's "SSL"
	SecuritySTARTTLS Security = 2 // STARTTLS, required (RFC 3207), enaio's "TLS"
)

// UnmarshalText takes 0, 1, 2 or NONE, SSL, TLS in any case.
func (s *Security) UnmarshalText(text []byte) error {
	switch strings.ToUpper(string(text)) {
	case "0", "NONE":
		*s = SecurityNone
	case "1", "SSL":
		*s = SecurityImplicit
	case "2", "TLS", "STARTTLS":
		*s = SecuritySTARTTLS
	default:
		return errors.New("is not one of 0 (none), 1 (SSL: TLS from the start), 2 (TLS: STARTTLS)")
	}
	return nil
}

// String returns enaio's word: NONE, SSL or TLS.
func (s Security) String() string {
	switch s {
	case SecurityNone:
		return "NONE"
	case SecurityImplicit:
		return "SSL"
	}
	return "TLS"
}

// Authentication is the method of AUTH, in enaio's numbers. There is one.
type Authentication int

// AuthenticationOAuth is SMTP_AUTHENTICATING=3, "OAuth2 Microsoft Office".
const AuthenticationOAuth Authentication = 3

// UnmarshalText takes 3 or MS_OAUTH.
func (a *Authentication) UnmarshalText(text []byte) error {
	switch strings.ToUpper(string(text)) {
	case "3", "MS_OAUTH":
		*a = AuthenticationOAuth
		return nil
	}
	return errors.New("is not 3 (MS_OAUTH): smtpsend signs in only with an OAuth token, " +
		"because Exchange Online is switching passwords off")
}

// String returns enaio's word, MS_OAUTH.
func (a Authentication) String() string { return "MS_OAUTH" }

// IPFamily restricts the addresses that are dialled.
type IPFamily string

// The values of IP_FAMILY.
const (
	IPAny IPFamily = "any"
	IPv4  IPFamily = "ipv4"
	IPv6  IPFamily = "ipv6"
)

// UnmarshalText takes any, ipv4 (or 4) and ipv6 (or 6) in any case.
func (f *IPFamily) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "any":
		*f = IPAny
	case "ipv4", "4":
		*f = IPv4
	case "ipv6", "6":
		*f = IPv6
	default:
		return errors.New("is not one of any, ipv4, ipv6")
	}
	return nil
}

// Scopes are the scopes that a token is asked for.
type Scopes []string

// UnmarshalText takes scopes with blanks or commas between them: enaio's
// registry has one, RFC 6749 3.3 uses blanks, envconfig's lists use commas.
func (s *Scopes) UnmarshalText(text []byte) error {
	*s = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	if len(*s) == 0 {
		return errors.New("does not contain a scope")
	}
	return nil
}

// QueueMode says when a message goes into the outbox.
type QueueMode string

// The values of QUEUE.
const (
	QueueNever    QueueMode = "never"
	QueueFallback QueueMode = "fallback"
	QueueAlways   QueueMode = "always"
)

// UnmarshalText takes the values in any case.
func (q *QueueMode) UnmarshalText(text []byte) error {
	return choose(q, text, QueueNever, QueueFallback, QueueAlways)
}

// InDoubt says what the outbox does with a message that is in doubt.
type InDoubt string

// The values of IN_DOUBT.
const (
	InDoubtResend InDoubt = "resend"
	InDoubtHold   InDoubt = "hold"
)

// UnmarshalText takes the values in any case.
func (d *InDoubt) UnmarshalText(text []byte) error {
	return choose(d, text, InDoubtResend, InDoubtHold)
}

// Reencode says what of a ready message is put into quoted-printable, base64 and
// encoded words.
type Reencode string

// The values of REENCODE.
const (
	ReencodeNever  Reencode = "never"
	ReencodeLong   Reencode = "long"
	ReencodeAlways Reencode = "always"
)

// UnmarshalText takes the values in any case.
func (r *Reencode) UnmarshalText(text []byte) error {
	return choose(r, text, ReencodeNever, ReencodeLong, ReencodeAlways)
}

// choose sets into to the one of all that text says, in any case.
func choose[T ~string](into *T, text []byte, all ...T) error {
	what := T(strings.ToLower(string(text)))
	if slices.Contains(all, what) {
		*into = what
		return nil
	}
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = string(one)
	}
	return errors.New("is not one of " + strings.Join(names, ", "))
}
