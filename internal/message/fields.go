package message

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazy"
)

// Header is an extra header field.
type Header struct{ Name, Value string }

// badControl returns why s cannot be in any field, or "".
func badControl(s string) string {
	if i := strings.IndexAny(s, "\r\n\x00"); i >= 0 {
		name := map[byte]string{'\r': "carriage return", '\n': "line feed", 0: "NUL"}[s[i]]
		return fmt.Sprintf("a %s at octet %d: a field is one line", name, i+1)
	}
	return ""
}

// ownedFields are those that Compose writes or that only a mail system may
// write, with the way to set them. They are refused as extra headers: two From
// fields are how one program sees another sender than the next.
var ownedFields = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"from":           "use --from",
		"to":             "use --to",
		"cc":             "use --cc",
		"bcc":            "use --bcc",
		"reply-to":       "use --reply-to",
		"subject":        "use --subject",
		"date":           "is set to the time of composing",
		"message-id":     "is made anew for each message",
		"mime-version":   "is set by the composer",
		"return-path":    "is written by the server that delivers; use --mailbox",
		"received":       "is written by servers only",
		"dkim-signature": "is written by servers only",
		"apparently-to":  "use --to",
	}
}}

// onlyOnce are the extra header fields that a message may have once, beside those
// that Compose writes.
var onlyOnce = &lazy.Value[map[string]bool]{Make: func() map[string]bool {
	return map[string]bool{"sender": true, "in-reply-to": true, "references": true}
}}

// addressHeaders are the extra fields that hold addresses: in them nothing but a
// display name can be encoded.
var addressHeaders = &lazy.Value[map[string]bool]{Make: func() map[string]bool {
	return map[string]bool{
		"sender": true, "disposition-notification-to": true, "return-receipt-to": true, "errors-to": true,
		"mail-followup-to": true, "mail-reply-to": true, "x-confirm-reading-to": true,
	}
}}

// addresses are those of a field that holds some, none for another field.
func (h Header) addresses() ([]Address, error) {
	if !addressHeaders.Get()[strings.ToLower(h.Name)] {
		return nil, nil
	}
	list, err := ParseAddressList("header "+h.Name, h.Value)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, &FieldError{"header " + h.Name, h.Value, "has no address"}
	case len(list) > 1 && strings.EqualFold(h.Name, "Sender"):
		return nil, &FieldError{"header " + h.Name, h.Value, "has more than one address (RFC 5322 3.6.2)"}
	}
	return list, nil
}

// checkHeader returns a *FieldError unless h may be an extra header field.
func checkHeader(h Header) error {
	field := "header " + h.Name
	if reason := badControl(h.Name); reason != "" {
		return &FieldError{"header", h.Name, reason}
	}
	if h.Name == "" {
		return &FieldError{"header", h.Value, "no name before the colon"}
	}
	for _, c := range h.Name { // ftext, RFC 5322 3.6.8
		if c <= ' ' || c > '~' || c == ':' {
			return &FieldError{"header", h.Name, fmt.Sprintf("%q cannot be used in a header name", c)}
		}
	}
	if len(h.Name) > 76 {
		return &FieldError{"header", h.Name, "a name of more than 76 octets"}
	}
	if reason := badControl(h.Value); reason != "" {
		return &FieldError{field, h.Value, reason}
	}
	name := strings.ToLower(h.Name)
	if strings.HasPrefix(name, "content-") {
		return &FieldError{field, h.Value, "is set by the composer for each part"}
	}
	if strings.HasPrefix(name, "resent-") || strings.HasPrefix(name, "arc-") {
		return &FieldError{field, h.Value, "cannot be added to a new message"}
	}
	if reason, owned := ownedFields.Get()[name]; owned {
		return &FieldError{field, h.Value, reason}
	}
	return nil
}
