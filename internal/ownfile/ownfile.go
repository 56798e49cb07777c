// Package ownfile opens files. It is the only package that does, so that a look
// at it shows what a file that someone else has planted can do.
//
// There are four kinds of files:
//
//   - What decides what this program does, such as an env file or a key:
//     [OpenTrusted]. No one but root and this user could have written it, and
//     no one else chose it by a link. OpenBelow never opens it.
//   - What is this user's alone, such as a cached token, a lock or the outbox:
//     [OpenPrivate], [OpenOrCreate], [Append], [TryLock], in a directory of
//     [MakeDir]. A link in their place is refused, not followed.
//   - What is new: [Create], [CreateTemp] and [Replace]. Nothing that exists is
//     opened, so nothing that was planted is written through.
//   - What the user named to be read or written: [Open], [ReadAll], [Output].
//     These follow links, because the user chose the name; Output never writes
//     through a link that someone else could have put there.
//
// A link is trusted when it belongs to root or to this user, and is in a
// directory that only they may write, or where the sticky bit keeps others from
// replacing it. Links that Kubernetes makes for mounted secrets are.
//
// On Windows the owner decides: SYSTEM, the administrators or this user; and
// no one else may have a right to write.
//
// All functions may be called concurrently. A file that is not used for its
// owner, mode or kind gives an *Error; other errors are those of package os.
package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Error says why a file or directory is not used.
type Error struct {
	Path   string
	Reason string // a predicate of Path, such as "is a link"

	err error
}

// Error gives path and reason.
func (e *Error) Error() string { return e.Path + " " + e.Reason }

// ErrOthersWrite is in an *Error of OpenTrusted: others may write the file.
var ErrOthersWrite = errors.New("may be written by others")

// Unwrap is for errors.Is.
func (e *Error) Unwrap() error { return e.err }

// refused is the *Error for path.
func refused(path, reason string) error { return &Error{Path: path, Reason: reason} }

// OpenTrusted opens a file to read that decides what this program does. It is a
// regular file with one link, on a file system that keeps files (not /proc or
// /sys, whose files others can fill), belongs to root or to this user, and
// no one else may write it. Links on the way to it must be trusted.
func OpenTrusted(name string) (*os.File, error) {
	f, err := openTrusted(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkKind(name, info)
	}
	if err == nil {
		err = checkTrusted(name, f, info)
	}
	if err == nil {
		withhold(info)
	}
	return checked(f, err)
}

// OpenPrivate opens a file to read that is this user's alone: regular, with one
// link, not open to others, and no link itself.
func OpenPrivate(name string) (*os.File, error) {
	return private(name, os.O_RDONLY, 0o077)
}

// OpenOrCreate opens a file to read and write, and makes it with mode 0600 when
// it does not exist. One that exists is regular, has one link and belongs to
// this user. Others may be able to read it: what an older version made stays
// usable, and created says that no one can have looked into it before.
func OpenOrCreate(name string) (f *os.File, created bool, err error) {
	f, err = private(name, os.O_RDWR, 0o022)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, false, err
	}
	f, err = Create(name)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		f, err = private(name, os.O_RDWR, 0o022)
		return f, false, err
	}
	return f, err == nil, err
}

// Append opens a file to add to its end, and makes it with mode 0600 when it
// does not exist. It is as OpenOrCreate wants it.
func Append(name string) (*os.File, error) {
	return private(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o022)
}

// Check reports whether a file that another program will open is, if it exists,
// one that OpenOrCreate would take: for a library that opens files by itself, in a
// directory where no one can replace them.
func Check(name string) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return refused(name, "is a link")
	}
	if err := checkKind(name, info); err != nil {
		return err
	}
	return checkOwn(name, info, 0o022)
}

// private opens a file without following a link in its place and checks that it
// is this user's and gives others none of the rights in forbidden.
func private(name string, flag int, forbidden fs.FileMode) (*os.File, error) {
	p, err := find(name, false)
	if err != nil {
		return nil, err
	}
	defer p.close()
	f, err := p.open(flag)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkKind(name, info)
	}
	if err == nil {
		err = checkOwn(name, info, forbidden)
	}
	return checked(f, err)
}

// checked closes f when there is an error.
func checked(f *os.File, err error) (*os.File, error) {
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func errPipe(name string) error { return &Error{name, "is a pipe, not a regular file", errStream} }

// errStream is in the *Error for a pipe or a device.
var errStream = errors.New("is not a regular file")

// checkKind refuses what is not a plain file.
func checkKind(name string, info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case mode.IsDir():
		return refused(name, "is a directory")
	case mode&fs.ModeNamedPipe != 0:
		return errPipe(name)
	case !mode.IsRegular():
		return &Error{name, "is a device, not a regular file", errStream}
	case linksOf(info) > 1:
		return refused(name, "has a second name (a hard link), through which others may reach it: use a copy")
	}
	return nil
}

// Create makes a file that did not exist, to read and write, with mode 0600.
func Create(name string) (*os.File, error) {
	p, err := find(name, false)
	if err != nil {
		return nil, err
	}
	defer p.close()
	return p.open(os.O_RDWR | os.O_CREATE | os.O_EXCL)
}

// CreateTemp makes a new file with mode 0600 in dir ("" = the system's directory
// for temporary files), named as os.CreateTemp names it.
func CreateTemp(dir, pattern string) (*os.File, error) { return os.CreateTemp(dir, pattern) }

// MakeTempDir makes a new directory with mode 0700 in the system's directory for
// temporary files, named as os.MkdirTemp names it.
func MakeTempDir(pattern string) (string, error) { return os.MkdirTemp("", pattern) }

// MakeDir makes a directory, and those above it, with mode 0700 when it does not
// exist, and checks it as CheckDir does. Links on the way to it are followed when
// they are trusted; nothing is made through another one.
func MakeDir(name string) error {
	info, err := toDir(name, true, true)
	return checkDir(name, info, err)
}

// CheckDir refuses a directory in which others could put files in the way: it
// must belong to this user, and only this user may write it; and no directory
// above it may be one in which others could put another in its place. So names in
// it can be used afterwards, also by a library that opens files by itself.
func CheckDir(name string) error {
	info, err := toDir(name, false, true)
	return checkDir(name, info, err)
}

func checkDir(name string, info fs.FileInfo, err error) error {
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return refused(name, "is not a directory")
	}
	return checkOwn(name, info, 0o022)
}

// MakeTrustedDir is MakeDir for a directory that may also be root's, such as a
// container's volume, and that a group may write, unless this user is root. One
// with the sticky bit, as a file system in memory begins, is made ours alone while
// it is empty. Files in it have to be opened as ours.
func MakeTrustedDir(name string) error {
	info, err := toDir(name, true, true)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSticky != 0 && takeEmpty(name, info) {
		return nil
	}
	uid, ok := ownerOf(info)
	switch {
	case !info.IsDir():
		return refused(name, "is not a directory")
	case !ok: // where the owner is not told, the directory above decides
		return nil
	case !rootOrUs(uid):
		return refused(name, fmt.Sprintf("belongs to user %d, neither to you nor to root", uid))
	case info.Mode().Perm()&0o002 != 0:
		return refused(name, "may be written by every user: name a directory in it; smtpsend creates that one with mode 0700")
	case groupMayLead(info):
		return refused(name, "may be written by a group, whose members could make root use another file: chmod g-w it, or give it to a user of its own")
	}
	return nil
}

// takeEmpty makes an empty directory of ours ours alone, and reports whether it is.
func takeEmpty(name string, info fs.FileInfo) bool {
	empty := func() bool {
		entries, err := os.ReadDir(name)
		return err == nil && len(entries) == 0
	}
	return checkOwn(name, info, 0) == nil && empty() && os.Chmod(name, 0o700) == nil && empty()
}
