// Package headerfield puts header fields that other programs wrote into 7 bits and lines
// of at most 998 octets, without a change to what they say: text and names in encoded
// words (RFC 2047), parameters percent-encoded (RFC 2231), domains as A-labels (RFC
// 5890), long lines folded (RFC 5322 2.2.3). It reads what programs write, not only
// what the RFCs allow. Fields that are composed new are package mimetext's.
//
// A raw field is its octets in a message: its name, folds and last line end. Its value
// is what is after the colon, unfolded.
package headerfield

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Value is the value of a raw field (RFC 5322 2.2.3).
func Value(raw string) string {
	_, value, _ := strings.Cut(raw, ":")
	return strings.Trim(strings.ReplaceAll(value, "\r\n", ""), " \t")
}

// Name is the name of a raw field as it is written.
func Name(raw string) string {
	name, _, _ := strings.Cut(raw, ":")
	return strings.TrimRight(name, " \t")
}

// Kinds of fields, by what is in them.
var (
	addressFields = &lazy.Value[map[string]bool]{Make: func() map[string]bool {
		return set("from sender reply-to to cc bcc apparently-to errors-to return-receipt-to disposition-notification-to" +
			" mail-followup-to mail-reply-to list-id x-original-from x-original-to" +
			" resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc")
	}}
	parameterFields = &lazy.Value[map[string]bool]{Make: func() map[string]bool { return set("content-type content-disposition") }}
)

func set(names string) map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		all[name] = true
	}
	return all
}

// IsStructured reports whether the field of that name, in lower case, is read by
// programs (RFC 5322 2.2.2). All others, and those that are not known, are text for
// people.
func IsStructured(name string) bool {
	if addressFields.Get()[name] || parameterFields.Get()[name] {
		return true
	}
	switch name {
	case "date", "message-id", "references", "in-reply-to", "received", "return-path", "content-id", "content-transfer-encoding", "mime-version":
		return true
	}
	return strings.HasPrefix(name, "resent-")
}

// Rewrite is a raw field with octets above 127 encoded, and whether an address is left
// in UTF-8, since a local part in it is not ASCII (RFC 6532). A field for programs that
// cannot be said in another way, such as an id with a NUL, stays as it is. Lines of the
// result may be too long; see Fold.
func Rewrite(raw string, c Charset) (text string, utf8 bool) {
	name := strings.ToLower(Name(raw))
	switch value := c.whole(Value(raw)); {
	case addressFields.Get()[name]:
		tokens, utf8 := addressTokens(value, c)
		return fold(Name(raw), tokens), utf8
	case parameterFields.Get()[name]:
		main, params := ParseParameters(value)
		return parameterField(Name(raw), main, params, c), false
	case IsStructured(name) && (strings.Contains(raw, "\x00") || mimetext.IsASCII(raw)):
		return raw, false
	default:
		return fold(Name(raw), wordTokens(value, c)), false
	}
}

// Text is a raw field of text for people with octets above 127 encoded, whatever its
// name is.
func Text(raw string, c Charset) string { return fold(Name(raw), wordTokens(Value(raw), c)) }

// Addresses writes a field of addresses, such as From, in 7 bits. utf8 reports
// that it could not, since a local part is not ASCII (RFC 6532). The value is
// unfolded; octets that are not UTF-8 are taken for Windows-1252.
func Addresses(name, value string) (text string, utf8 bool) {
	tokens, utf8 := addressTokens(value, Charset{})
	return fold(name, tokens), utf8
}
