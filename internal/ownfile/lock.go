package ownfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// Lock is a lock on a file that this user alone can take. It is the kernel's: it
// ends with the process, however that ends.
type Lock struct{ file *flock.Flock }

// TryLock takes the lock on a file, which is made with mode 0600 when it does not
// exist. locked is false when another process, or another Lock of this one, has
// it. A file of someone else, one that others may open, and a link are refused
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

// appendWait is how long AppendLocked waits for who has the lock.
const appendWait = 10 * time.Second

// AppendLocked is Append under a lock on the file itself, which keeps apart
// processes that add to it. It waits at most 10 s for the lock. release closes the
// file, too.
func AppendLocked(ctx context.Context, name string) (f *os.File, release func() error, err error) {
	if f, err = Append(name); err != nil {
		return nil, nil, err
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDWR|noFollow))
	ctx, cancel := context.WithTimeout(ctx, appendWait)
	defer cancel()
	locked, err := lock.TryLockContext(ctx, 20*time.Millisecond)
	if err == nil && locked {
		err = sameFile(f, lock)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("locking %s: %w", name, err), lock.Close(), f.Close())
	}
	return f, func() error { return errors.Join(f.Close(), lock.Close()) }, nil
}

// sameFile reports that f is the file that is locked.
func sameFile(f *os.File, lock *flock.Flock) error {
	locked, err := lock.Stat()
	if err != nil {
		return err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(locked, opened) {
		err = errReplaced
	}
	return err
}

// errReplaced says that the name of a lock is another file by now.
var errReplaced = errors.New("the lock's file was replaced")

// Note replaces what the file of a lock that is held says, for people. Windows
// lets no one write a locked file.
func (l *Lock) Note(text string) error {
	f, err := private(l.file.Path(), os.O_WRONLY, 0o077)
	if err != nil {
		return err
	}
	defer f.Close()
	if err = sameFile(f, l.file); err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteString(text)
	}
	return err
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error { return l.file.Close() }
