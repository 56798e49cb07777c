package xoauth2

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MaxErrorResult is the size in octets up to which a challenge is read.
const MaxErrorResult = 8 << 10

// ErrorResult is why a server refused a token, as it says in a challenge:
// {"status":"401","schemes":"bearer","scope":"https://outlook.office365.com/"}.
// It is an error. With OAUTHBEARER (RFC 7628 3.2.2) Status is a word such as
// "invalid_token", Schemes is empty, and OpenIDConfiguration may be set.
type ErrorResult struct {
	Status  string // HTTP status code in decimal, such as "400" or "401"; RFC 7628 servers send a word
	Schemes string // schemes that the server takes, such as "bearer"
	Scope   string // scope that a token needs
	// OpenIDConfiguration is where the server's OpenID configuration is, for a client
	// that has yet to find out where it gets a token.
	OpenIDConfiguration string
	Raw                 string // the challenge as sent, cut to MaxErrorResult
}

// Error returns the result as one line, with control characters made visible.
func (r *ErrorResult) Error() string {
	if r.Status == "" && r.Schemes == "" && r.Scope == "" {
		return fmt.Sprintf("xoauth2: server refused the token: %q", r.Raw)
	}
	var b strings.Builder
	b.WriteString("xoauth2: server refused the token:")
	for _, f := range []struct{ name, value string }{{"status", r.Status}, {"schemes", r.Schemes}, {"scope", r.Scope}} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s %q", f.name, f.value)
		}
	}
	return b.String()
}

// Challenge returns the challenge with the result for the client, before base64. It does
// not use Raw.
func (r *ErrorResult) Challenge() []byte {
	// Marshalling strings cannot fail.
	out, _ := json.Marshal(wireResult{Status: flexible(r.Status), Schemes: r.Schemes, Scope: r.Scope, OpenIDConfiguration: r.OpenIDConfiguration})
	return out
}

// ParseErrorResult reads a challenge. If the challenge is longer than MaxErrorResult or
// is not a JSON object, the error wraps ErrSyntax. Unknown members are ignored, and
// status may be a number.
func ParseErrorResult(challenge []byte) (*ErrorResult, error) {
	if len(challenge) > MaxErrorResult {
		return nil, fmt.Errorf("%w: error result is longer than %d octets", ErrSyntax, MaxErrorResult)
	}
	var wire *wireResult
	if err := json.Unmarshal(challenge, &wire); err != nil || wire == nil {
		return nil, fmt.Errorf("%w: error result is not a JSON object", ErrSyntax)
	}
	return &ErrorResult{
		Status: string(wire.Status), Schemes: wire.Schemes, Scope: wire.Scope,
		OpenIDConfiguration: wire.OpenIDConfiguration, Raw: string(challenge),
	}, nil
}

// errorResultOf is ParseErrorResult for a client, to which a challenge that
// cannot be read is still the reason for a refusal.
func errorResultOf(challenge []byte) *ErrorResult {
	if r, err := ParseErrorResult(challenge); err == nil {
		return r
	}
	return &ErrorResult{Raw: string(challenge[:min(len(challenge), MaxErrorResult)])}
}

type wireResult struct {
	Status  flexible `json:"status"`
	Schemes string   `json:"schemes"`
	Scope   string   `json:"scope"`

	OpenIDConfiguration string `json:"openid-configuration,omitempty"`
}

// flexible is a JSON string or number: Google's page shows a string, servers
// have been seen to send a number.
type flexible string

func (f *flexible) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err == nil {
		*f = flexible(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*f = flexible(n.String())
	return nil
}
