package message

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// ErrOutside is the reason of a *badinput.FieldError about an attachment that is
// not below the directory where it must be (Attachment.Dir).
var ErrOutside = errors.New("outside of the directory")

// ElsewhereError is the cause of a *badinput.FileError: the file is missing below
// Attachment.Dir, and one of its name is in the current directory. It unwraps to
// fs.ErrNotExist.
type ElsewhereError struct{ Name string }

// Error says where the file is.
func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("%v; a file of the name %q is in the current directory", fs.ErrNotExist, e.Name)
}

// Unwrap returns fs.ErrNotExist.
func (e *ElsewhereError) Unwrap() error { return fs.ErrNotExist }

// openBelow opens path, a file below dir, and follows no link that leads out of
// dir. A relative path begins at dir, an absolute one must be below it. Errors are
// *badinput.FileError for a file that cannot be opened, and *badinput.FieldError for one
// that is elsewhere.
func openBelow(dir, path string) (*os.File, error) {
	name, err := nameBelow(dir, path)
	if err != nil {
		return nil, &badinput.FieldError{Field: "attachment", Value: path, Reason: fmt.Sprintf("is outside of the directory %q", dir), Err: ErrOutside}
	}
	f, err := ownfile.OpenBelow(dir, name)
	if err != nil {
		return nil, notBelow(dir, path, name, err)
	}
	return f, nil
}

// nameBelow is path as seen from dir. Where links lead is not looked at.
func nameBelow(dir, path string) (string, error) {
	name := filepath.Clean(path)
	if filepath.IsAbs(path) {
		whole, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		if name, err = filepath.Rel(whole, path); err != nil {
			return "", err
		}
	}
	if !filepath.IsLocal(name) {
		return "", fs.ErrInvalid
	}
	return name, nil
}

// notBelow is the error for a file that cannot be opened below dir. What is not an
// error of the system is that a link leads out.
func notBelow(dir, path, name string, err error) error {
	if errno := syscall.Errno(0); !errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ownfile.ErrNotRegular) && !errors.Is(err, ownfile.ErrWithheld) {
		return badinput.Field("attachment", path, fmt.Sprintf("is reached by a link that leads out of the directory %q", dir))
	}
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(path) {
		if _, here := os.Stat(path); here == nil {
			err = &ElsewhereError{path}
		}
	}
	return badinput.File(filepath.Join(dir, name), err)
}
