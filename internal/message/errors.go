package message

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// FieldError says which value of a message is refused and why. Nothing was
// submitted.
type FieldError struct {
	Field  string // as the caller named it, such as "To", "--to" or "header X-Note"
	Value  string // the value, or the part of it that is wrong
	Reason string // lower case, no full stop
}

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

// FileError is a file that is missing, cannot be read, is no regular file, or
// has changed since it was opened. It unwraps to the cause, such as
// fs.ErrNotExist.
type FileError struct {
	Path string
	Err  error
}

// Error names the file once, also when the cause is an *fs.PathError.
func (e *FileError) Error() string { return fmt.Sprintf("file %q: %v", e.Path, bareCause(e.Err)) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

func bareCause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Causes of a *FileError, beside those of the operating system.
var (
	ErrNotRegular  = ownfile.ErrNotRegular
	ErrFileChanged = errors.New("changed while it was being sent")
	ErrSizeUnknown = errors.New("holds more than its size says, as files in /proc do; copy it first")
)

// ErrNoCopy is that a long message could not be put into a temporary file.
var ErrNoCopy = errors.New("making a temporary copy of the message")
