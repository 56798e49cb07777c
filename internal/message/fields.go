package message

import (
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/lazy"
)

// Header is an extra header field.
type Header struct{ Name, Value string }

// Reasons of a *badinput.FieldError about an extra header field; its Field is
// "header " and the name.
var (
	// ErrOwnField is that a Draft has a place for the field: From to Bcc, Reply-To,
	// Subject, and Mailbox for Return-Path.
	ErrOwnField = errors.New("the draft has a place for it")
	// ErrSetAlready is that Priority, InReplyTo, References or ListUnsubscribe of
	// the Draft set the field.
	ErrSetAlready = errors.New("the draft sets it")
)

// ownField is the reason for a field that a Draft has a place for.
const ownField = "cannot be an extra header field"

// refusedFields are those that Compose writes or that only a mail system may
// write. They are refused as extra headers: two From fields are how one program sees
// another sender than the next.
var refusedFields = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"from":           ownField,
		"to":             ownField,
		"cc":             ownField,
		"bcc":            ownField,
		"reply-to":       ownField,
		"subject":        ownField,
		"date":           "is set to the time of composing",
		"message-id":     "is new for each message",
		"mime-version":   "is set by the composer",
		"return-path":    returnPath,
		"received":       "is written by servers only",
		"dkim-signature": "is written by servers only",
		"apparently-to":  ownField,
	}
}}

const returnPath = "is written by the server that delivers"

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
func (h Header) addresses() ([]address.Address, error) {
	if !addressHeaders.Get()[strings.ToLower(h.Name)] {
		return nil, nil
	}
	list, err := address.ParseList("header "+h.Name, h.Value)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, badinput.Field("header "+h.Name, h.Value, "has no address")
	case len(list) > 1 && strings.EqualFold(h.Name, "Sender"):
		return nil, badinput.Field("header "+h.Name, h.Value, "has more than one address (RFC 5322 3.6.2)")
	}
	return list, nil
}

// checkHeader returns a *badinput.FieldError unless h may be an extra header field.
func checkHeader(h Header) error {
	field := "header " + h.Name
	if reason := badinput.NotOneLine(h.Name); reason != "" {
		return badinput.Field("header", h.Name, reason)
	}
	if h.Name == "" {
		return badinput.Field("header", h.Value, "no name before the colon")
	}
	for _, c := range h.Name { // ftext, RFC 5322 3.6.8
		if c <= ' ' || c > '~' || c == ':' {
			return badinput.Field("header", h.Name, fmt.Sprintf("%q cannot be used in a header name", c))
		}
	}
	if len(h.Name) > 76 {
		return badinput.Field("header", h.Name, "a name of more than 76 octets")
	}
	if reason := badinput.NotOneLine(h.Value); reason != "" {
		return badinput.Field(field, h.Value, reason)
	}
	name := strings.ToLower(h.Name)
	if strings.HasPrefix(name, "content-") {
		return badinput.Field(field, h.Value, "is set by the composer for each part")
	}
	if strings.HasPrefix(name, "resent-") || strings.HasPrefix(name, "arc-") {
		return badinput.Field(field, h.Value, "cannot be added to a new message")
	}
	switch reason := refusedFields.Get()[name]; reason {
	case "":
		return nil
	case ownField, returnPath:
		return &badinput.FieldError{Field: field, Value: h.Value, Reason: reason, Err: ErrOwnField}
	default:
		return badinput.Field(field, h.Value, reason)
	}
}
