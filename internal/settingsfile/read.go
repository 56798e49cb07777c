package settingsfile

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"

	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// File is what a file holds.
type File struct {
	Assignments      []envfile.Assignment // in the order of the lines
	ReadableByOthers bool                 // others than owner and group may read it
}

// Error says that nothing was read of a file.
type Error struct {
	Unopened bool   // it could not be opened; else it was refused, or could not be read
	Reason   string // a predicate of the file
}

// Error is the reason.
func (e *Error) Error() string { return e.Reason }

// Read reads a file that only this user or root can have written (see package ownfile).
// The error is *Error when nothing was read. It is *envfile.Error for lines that cannot
// be understood, or another error of reading; then File has what was read all the same.
func Read(name string) (File, error) {
	f, err := ownfile.OpenTrusted(name)
	var untrusted *ownfile.Error
	if errors.As(err, &untrusted) {
		reason := untrusted.Reason
		if errors.Is(err, ownfile.ErrOthersWrite) { // say why that matters
			reason = strings.Replace(reason, "by others:", "by others, who could name a command or another token endpoint in it:", 1)
		}
		return File{}, &Error{Reason: reason}
	}
	if err != nil {
		return File{}, &Error{Unopened: true, Reason: "cannot be opened: " + ownfile.Reason(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, &Error{Reason: "cannot be read: " + ownfile.Reason(err)}
	}
	all, err := envfile.Read(f)
	return File{Assignments: all, ReadableByOthers: readableByOthers(info)}, err
}

// readableByOthers does not count the group: a file that root owns and a
// service's group may read is the usual way to configure one. Windows has no such
// bits.
func readableByOthers(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}
