// Package xoauth2 implements the SASL mechanism XOAUTH2, with which Exchange
// Online and Gmail take an OAuth 2.0 access token in place of a password, and
// OAUTHBEARER (RFC 7628), which does the same for servers that follow the RFC. It
// uses the standard library only, opens no connection and fetches no token.
//
// XOAUTH2 is not an RFC. Microsoft documents it in "Authenticate an IMAP, POP or
// SMTP connection using OAuth", Google in "OAuth 2.0 Mechanism". For Exchange Online,
// Microsoft documents XOAUTH2 only. The exchange has one or two steps:
//
//  1. The client sends the initial response, with the AUTH command or after an
//     empty challenge: "user=" {mailbox} ^A "auth=Bearer " {token} ^A ^A, where
//     ^A is the octet 0x01. (On the wire the response is in base64. This package
//     does not encode it.)
//  2. The server accepts, refuses, or sends a challenge that contains an error
//     result in JSON. The client answers this challenge with an empty response, and
//     then the server refuses. Gmail does so; Exchange Online refuses at once.
//
// OAUTHBEARER has the same steps with another initial response ([BearerResponse]),
// and the client answers an error result with the octet ^A.
//
// # Client side
//
// [NewClient] returns a mechanism with the methods Start and Next, like those of
// package go-sasl. [NewBearerClient] returns the one for OAUTHBEARER. If a library asks
// for one string, [InitialResponse] is enough. The caller must check that the
// connection has TLS.
//
// # Server side
//
// [ParseInitialResponse] and [ParseBearerResponse] read what a client sent.
// [ErrorResult.Challenge] makes the challenge that says why it was refused.
//
// # Promise
//
// A value cannot break out of its field: a user or token with CR, LF, NUL or ^A is
// refused when it is written and when it is read. No error text contains a token. All
// functions may be called concurrently. A Client is for one exchange and one goroutine.
package xoauth2

import (
	"errors"
	"fmt"
	"strings"
)

// Mechanism is the name of the mechanism, as it follows AUTH.
const Mechanism = "XOAUTH2"

// Limits of an initial response, before base64. An access token of Microsoft
// Entra ID is 1 to 3 kB long; with group claims it can grow to some 10 kB.
const (
	MaxUser  = 1 << 10  // octets in a user
	MaxToken = 64 << 10 // octets in a token
)

// ErrSyntax is wrapped by every error of ParseInitialResponse, ParseBearerResponse
// and ParseErrorResult.
var ErrSyntax = errors.New("xoauth2: malformed message")

// FieldError says which field cannot be sent and why. It does not hold the
// field's value.
type FieldError struct {
	Field  string // "user" or "token"; with OAUTHBEARER also "host" or "port"
	Reason string // such as "is empty" or "contains CR"
}

// Error names field and reason.
func (e *FieldError) Error() string { return "xoauth2: " + e.Field + " " + e.Reason }

// InitialResponse returns the client's message for user (the mailbox) and token
// (the access token, without "Bearer"). An empty or too long value, or one with
// CR, LF, NUL or ^A, is refused with a *FieldError.
func InitialResponse(user, token string) ([]byte, error) {
	if err := checkField("user", user, MaxUser); err != nil {
		return nil, err
	}
	if err := checkField("token", token, MaxToken); err != nil {
		return nil, err
	}
	return []byte("user=" + user + "\x01auth=Bearer " + token + "\x01\x01"), nil
}

// ParseInitialResponse reads a client's message, as a server has it after
// decoding base64. The scheme "Bearer" is matched without regard to case, as
// RFC 6750 and RFC 7235 have it. Fields other than user and auth are refused,
// as are repeated ones. The error wraps ErrSyntax and does not quote the input.
func ParseInitialResponse(message []byte) (user, token string, err error) {
	body, ok := strings.CutSuffix(string(message), "\x01\x01")
	if !ok {
		return "", "", fmt.Errorf("%w: does not end with two ^A", ErrSyntax)
	}
	fields := strings.Split(body, "\x01")
	if len(fields) != 2 {
		return "", "", fmt.Errorf("%w: has %d fields, not user and auth", ErrSyntax, len(fields))
	}
	user, ok = strings.CutPrefix(fields[0], "user=")
	if !ok {
		return "", "", fmt.Errorf(`%w: first field is not "user="`, ErrSyntax)
	}
	auth, ok := strings.CutPrefix(fields[1], "auth=")
	if !ok {
		return "", "", fmt.Errorf(`%w: second field is not "auth="`, ErrSyntax)
	}
	scheme, token, ok := strings.Cut(auth, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", "", fmt.Errorf(`%w: scheme is not "Bearer"`, ErrSyntax)
	}
	if err := checkField("user", user, MaxUser); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if err := checkField("token", token, MaxToken); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return user, token, nil
}

// checkField refuses what would end a field early or break the line that the
// message travels in. A token with a blank is refused too: it is either two
// words of a copied header, or a token with quotes and line breaks around it.
func checkField(field, value string, limit int) error {
	switch {
	case value == "":
		return &FieldError{field, "is empty"}
	case len(value) > limit:
		return &FieldError{field, fmt.Sprintf("is longer than %d octets", limit)}
	}
	// One octet at a time is found many times faster than any of several.
	for _, end := range []struct{ octet, name string }{{"\r", "CR"}, {"\n", "LF"}, {"\x00", "NUL"}, {"\x01", "^A"}} {
		if strings.Contains(value, end.octet) {
			return &FieldError{field, "contains " + end.name}
		}
	}
	hasBlank := strings.Contains(value, " ") || strings.Contains(value, "\t")
	if field == "token" && hasBlank {
		return &FieldError{field, "contains a blank"}
	}
	return nil
}
