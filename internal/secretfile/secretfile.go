// Package secretfile reads a secret from a file, a pipe, a systemd credential, or what a
// program printed: one text, without the marks that editors and shells put around it.
package secretfile

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// MaxSize is the size in octets up to which a secret is read. Entra's are 40
// octets long.
const MaxSize = 64 << 10

// Error says why no secret could be had. It never holds what was read.
type Error struct{ err error }

// Error is a predicate of the file.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// unreadable is an error of reading.
type unreadable struct{ error }

func (u unreadable) Error() string { return "cannot be read: " + ownfile.Reason(u.error) }

func (u unreadable) Unwrap() error { return u.error }

// Read reads a secret from a file, which may be a pipe. It ends with ctx. The error is
// *Error.
func Read(ctx context.Context, name string) (string, error) {
	data, err := ownfile.ReadSecret(ctx, name, MaxSize)
	if err != nil {
		return "", &Error{unreadable{err}}
	}
	return Text(data)
}

// ReadFrom reads a secret from r, to its end. The error is *Error.
func ReadFrom(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = ownfile.ErrTooLarge
	}
	if err != nil {
		return "", &Error{unreadable{err}}
	}
	return Text(data)
}

// Text is the secret in what was read: without the line end that editors and echo put
// after it, and the byte order mark that PowerShell puts before it. The error is *Error.
func Text(data []byte) (string, error) {
	text, err := charset.Strict(data)
	if err != nil {
		return "", &Error{err}
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return "", &Error{errors.New("is empty")}
	}
	return text, nil
}

// Credential is the file of the systemd credential of that name (systemd.exec(5),
// LoadCredential= and LoadCredentialEncrypted=), when there is one. dir is
// $CREDENTIALS_DIRECTORY, "" when it is not set.
func Credential(dir, name string) (path string, found bool) {
	if dir == "" {
		return "", false
	}
	path = filepath.Join(dir, name)
	_, err := os.Stat(path)
	return path, err == nil
}
