package ownfile

import (
	"errors"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// Lock is a lock on a file that this user alone can take. It is the kernel's: it
// ends with the process, however that ends.
type Lock struct{ file *flock.Flock }

// TryLock takes the lock on a file, which is made with mode 0600 when it does not
// exist. locked is false when another process, or another Lock of this one, has
// it. A file of somebody else, one that others may open, and a link are refused
// with *Error: whoever can open a lock's file can hold it.
func TryLock(name string) (l *Lock, locked bool, err error) {
	file := flock.New(name, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow))
	locked, err = file.TryLock()
	if isLink(err) {
		return nil, false, refused(name, "is a link")
	}
	if err != nil {
		return nil, false, err
	}
	info, err := os.Lstat(name) // closed again when it is not locked
	if locked {
		info, err = file.Stat()
	}
	if err == nil {
		err = checkKind(name, info)
	}
	if err == nil {
		err = checkOwn(name, info, 0o077)
	}
	if err != nil {
		_ = file.Close()
		return nil, false, err
	}
	if !locked {
		return nil, false, nil
	}
	return &Lock{file}, true, nil
}

// errReplaced says that the name of a lock is another file by now.
var errReplaced = errors.New("the lock's file was replaced")

// Note replaces what the file of a lock that is held says, for people. Windows
// lets nobody write a locked file.
func (l *Lock) Note(text string) error {
	f, err := private(l.file.Path(), os.O_WRONLY, 0o077)
	if err != nil {
		return err
	}
	defer f.Close()
	ours, err := l.file.Stat()
	var named fs.FileInfo
	if err == nil {
		named, err = f.Stat()
	}
	if err == nil && !os.SameFile(ours, named) {
		err = errReplaced
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteString(text)
	}
	return err
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error { return l.file.Close() }
