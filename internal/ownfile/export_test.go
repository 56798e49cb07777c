package ownfile

import "os"

// ReplaceAfter is Replace, which calls f when its temporary file is there.
func ReplaceAfter(name string, f func()) error {
	return replace(name, nil, 0o600, func(*os.File) error {
		f()
		return nil
	})
}
