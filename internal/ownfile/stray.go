package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// randomLetters is how long the random end of a temporary file's name is: crypto/rand.Text.
const randomLetters = 26

// temporaryOf is the name of the file that a temporary file was to become, as replace
// names them; "" when it is another file.
func temporaryOf(name string) string {
	name, hasDot := strings.CutPrefix(name, ".")
	at := len(name) - randomLetters
	if !hasDot || at < 0 || strings.Trim(name[at:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	target, isTemporary := strings.CutSuffix(name[:at], temporaryMark)
	if !isTemporary {
		return ""
	}
	return target
}

// RemoveStrays removes what a Replace, or one of its kin, left in dir when its process was
// killed: the temporary files of those names that of accepts. No other process may write
// these names meanwhile.
func RemoveStrays(dir string, of func(name string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		target := temporaryOf(e.Name())
		if target == "" || !e.Type().IsRegular() || !of(target) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
