// Package secret holds a string that cannot be printed by accident: whatever
// formats, marshals or logs it gets "[redacted]". Only Reveal gives the value,
// so a search for Reveal finds every place where a secret is used.
package secret

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Redacted is written in place of a secret wherever one is printed.
const Redacted = "[redacted]"

// String is a secret. The zero value is the absent secret. The value sits
// behind a pointer in an unexported field, because fmt walks into structs
// whose methods it cannot call. A String is immutable and safe for concurrent
// use.
type String struct{ value *string }

// New returns s as a secret; the empty string gives the zero value.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{&s}
}

// Reveal returns the secret itself, "" for the zero value.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether no secret is set.
func (s String) IsZero() bool { return s.value == nil }

// String returns "[redacted]", or "" for the zero value.
func (s String) String() string {
	if s.value == nil {
		return ""
	}
	return Redacted
}

// GoString is String, for %#v.
func (s String) GoString() string { return s.String() }

// Format writes String for every verb and flag.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String, which also covers encoding/json and YAML.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns String, for log/slog.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText sets the secret to text. It never fails: an error here would
// carry the value into the message of whoever decodes.
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}

// Unassigned are texts "NAME=value" without the values. A text without "=" is hidden
// as a whole.
func Unassigned(settings []string) []string {
	var hidden []string
	for _, setting := range settings {
		name, _, named := strings.Cut(setting, "=")
		if !named {
			hidden = append(hidden, Redacted)
			continue
		}
		hidden = append(hidden, name+"="+Redacted)
	}
	return hidden
}
