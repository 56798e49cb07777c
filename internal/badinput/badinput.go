// Package badinput says what is wrong with what people give for a message: the value
// of a field (FieldError), or a file (FileError). Its texts name no flag and no
// setting. A program that has some tells the reason by errors.Is and errors.As, and
// adds its own advice.
package badinput

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// FieldError says which value of a message is refused and why. Nothing was
// submitted.
type FieldError struct {
	Field  string // as the caller named it, such as "To" or "header X-Note"
	Value  string // the value, or the part of it that is wrong
	Reason string // lower case, no full stop
	Err    error  // what a program can tell the reason by, such as message.ErrOwnField; mostly nil
}

// Field returns a *FieldError.
func Field(field, value, reason string) error {
	return &FieldError{Field: field, Value: value, Reason: reason}
}

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// Error quotes the value, cut to 120 octets, with control characters escaped.
func (e *FieldError) Error() string {
	if e.Value == "" {
		return e.Field + ": " + e.Reason
	}
	value := e.Value
	if len(value) > 120 {
		value = strings.ToValidUTF8(value[:120], "") + "..."
	}
	return fmt.Sprintf("%s %q: %s", e.Field, value, e.Reason)
}

// FileError is a file that is missing, cannot be read, is not a regular file, or
// has changed since it was opened. It unwraps to the cause, such as
// fs.ErrNotExist.
type FileError struct {
	Path string
	Err  error
}

// File returns a *FileError.
func File(path string, err error) error { return &FileError{path, err} }

// Error names the file once, also when the cause is an *fs.PathError.
func (e *FileError) Error() string { return fmt.Sprintf("file %q: %v", e.Path, BareCause(e.Err)) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// AsField is what err says as a *FieldError: one that it wraps, or a *FileError as that
// of the field "file". ok is false for other errors.
func AsField(err error) (field *FieldError, ok bool) {
	if field, ok = errors.AsType[*FieldError](err); ok {
		return field, true
	}
	if file, ok := errors.AsType[*FileError](err); ok {
		return &FieldError{Field: "file", Value: file.Path, Reason: BareCause(file.Err).Error(), Err: file.Err}, true
	}
	return nil, false
}

// BareCause is what the system said of a file, without the file's name. An error
// that does not name a file is returned as it is.
func BareCause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// NotOneLine returns why s cannot be in a header field, which is one line, or "".
// A value that holds CR, LF or NUL is refused and never repaired: a field that could
// carry another one is an attack or a mistake.
func NotOneLine(s string) string {
	if i := strings.IndexAny(s, "\r\n\x00"); i >= 0 {
		name := map[byte]string{'\r': "carriage return", '\n': "line feed", 0: "NUL"}[s[i]]
		return fmt.Sprintf("a %s at octet %d: a field is one line", name, i+1)
	}
	return ""
}
