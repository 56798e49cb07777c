// Package envfile reads and writes files of KEY=VALUE lines, as shells, systemd
// and compose have them.
//
// The language is what these agree on: one assignment a line, comments from # at
// the start of a line or after a blank, an optional "export ", values bare, in
// single quotes (taken as they are) or in double quotes, where a backslash
// is written before ", \, $ and ` as in a shell. Nothing is interpolated and no value
// spans lines. CRLF, a byte order mark and UTF-16, which PowerShell writes, are
// understood.
//
// A line may hold a secret: no error quotes one, and an Assignment does not
// print its value.
package envfile

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/ascii"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// MaxSize is the size in octets up to which an env file is read.
const MaxSize = 256 << 10

// Assignment is one line of an env file.
type Assignment struct {
	Name  string
	Value string // may be a secret
	Line  int    // from 1
}

// String leaves out the value, because any line may hold a secret.
func (a Assignment) String() string { return fmt.Sprintf("%s=[redacted] (line %d)", a.Name, a.Line) }

// GoString is String, for %#v.
func (a Assignment) GoString() string { return a.String() }

// LineError is a line that is no assignment. It does not quote the line.
type LineError struct {
	Line   int // from 1
	Reason string
}

// Error gives line and reason.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// ErrTooLarge says that a file exceeds MaxSize.
var ErrTooLarge = errors.New("is larger than 256 KiB")

// Error is what is wrong with a file, line by line.
type Error struct{ Lines []*LineError }

// Error gives all lines, one behind the other.
func (e *Error) Error() string { return "reading env file: " + errors.Join(e.Unwrap()...).Error() }

// Unwrap returns the lines.
func (e *Error) Unwrap() []error {
	all := make([]error, len(e.Lines))
	for i, line := range e.Lines {
		all[i] = line
	}
	return all
}

// Read reads a file of at most MaxSize octets. Where lines cannot be read, the
// error is an *Error and the other lines are returned all the same. Else it is
// that of r, or wraps ErrTooLarge or charset.ErrEncoding. A name may occur more than
// once.
func Read(r io.Reader) ([]Assignment, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading env file: %w", err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("reading env file: %w", ErrTooLarge)
	}
	text, err := charset.Strict(data)
	if err != nil {
		return nil, fmt.Errorf("reading env file: %w", err)
	}
	var all []Assignment
	var bad []*LineError
	for i, line := range strings.Split(text, "\n") {
		a, ok, reason := parseLine(strings.TrimSuffix(line, "\r"))
		switch {
		case reason != "":
			bad = append(bad, &LineError{i + 1, reason})
		case ok:
			a.Line = i + 1
			all = append(all, a)
		}
	}
	if more := len(bad) - limits.EnvErrors; more > 0 {
		bad = bad[:limits.EnvErrors]
		bad[len(bad)-1].Reason += fmt.Sprintf("; and %d more lines cannot be read", more)
	}
	if len(bad) > 0 {
		return all, &Error{bad}
	}
	return all, nil
}

// parseLine reads one line; ok is false for an empty one.
func parseLine(line string) (a Assignment, ok bool, reason string) {
	line = strings.Trim(line, " \t")
	if line == "" || line[0] == '#' {
		return a, false, ""
	}
	if rest, found := strings.CutPrefix(line, "export"); found && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		line = strings.TrimLeft(rest, " \t")
	}
	name, rest, found := strings.Cut(line, "=")
	if !found {
		return a, false, "is not KEY=VALUE"
	}
	if !isName(name) {
		return a, false, "has no variable name before the = (letters, digits and _, no blank)"
	}
	value, reason := parseValue(strings.TrimLeft(rest, " \t"), rest)
	if reason == "" && strings.ContainsFunc(value, isControl) {
		reason = "has a control character in its value"
	}
	if reason != "" {
		return a, false, reason
	}
	return Assignment{Name: name, Value: value}, true, ""
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		begins := ascii.IsLetter(c) || c == '_'
		goesOn := i > 0 && ascii.IsDigit(c)
		if !begins && !goesOn {
			return false
		}
	}
	return s != ""
}

// isControl reports what has no place in any value, a tab excepted.
func isControl(r rune) bool {
	low := r < ' ' && r != '\t'
	return low || r == 0x7f
}

// parseValue reads the part behind the "=", without (s) and with (whole) its
// leading blanks: "KEY= # comment" is an empty value.
func parseValue(s, whole string) (value, reason string) {
	comment := strings.HasPrefix(s, "#") && s != whole
	switch {
	case s == "" || comment:
		return "", ""
	case s[0] == '\'':
		value, rest, ok := strings.Cut(s[1:], "'")
		return closed(value, rest, ok)
	case s[0] == '"':
		return closed(doubleQuoted(s[1:]))
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '#' && (s[i-1] == ' ' || s[i-1] == '\t') {
			s = s[:i]
		}
	}
	return strings.TrimRight(s, " \t"), ""
}

// closed checks what follows a closing quote.
func closed(value, rest string, ok bool) (string, string) {
	tail := strings.TrimLeft(rest, " \t")
	comment := strings.HasPrefix(tail, "#") && tail != rest
	switch {
	case !ok:
		return "", "has an opening quote without a closing one"
	case tail == "" || comment:
		return value, ""
	}
	return "", "continues after the closing quote"
}

func doubleQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0:
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// Format returns the line, without its end, that Read, a shell and systemd read
// back as name and value. Quotes are used only where they must be, because
// docker's --env-file takes them for part of the value. A name or value that no
// line can hold is an error, which does not quote the value.
func Format(name, value string) (string, error) {
	switch {
	case !isName(name):
		return "", fmt.Errorf("writing env file: %q is not a variable name", name)
	case strings.ContainsFunc(value, isControl) || !utf8.ValidString(value):
		return "", fmt.Errorf("writing env file: the value of %s has a control character or is not UTF-8", name)
	case !needsQuotes(value):
		return name + "=" + value, nil
	case !strings.Contains(value, "'"):
		return name + "='" + value + "'", nil
	}
	return name + `="` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, `$`, `\$`, "`", "\\`").Replace(value) + `"`, nil
}

func needsQuotes(value string) bool {
	if value != "" && (value[0] == '#' || value[0] == '~') {
		return true
	}
	return strings.ContainsFunc(value, func(r rune) bool {
		return r > '~' || strings.ContainsRune(" \t'\"\\$`;&|<>()*?[]{}!", r)
	})
}
