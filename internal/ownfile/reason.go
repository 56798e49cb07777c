package ownfile

import (
	"errors"
	"io/fs"
)

// Reason is the cause of an error about a file without its path, for a sentence that
// has the path already.
func Reason(err error) string {
	var path *fs.PathError
	var unsafe *Error
	switch {
	case errors.As(err, &unsafe):
		return unsafe.Reason
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error()
}
