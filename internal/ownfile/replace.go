package ownfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Replace replaces the file name with data, so that a reader, and a machine that
// loses power, sees either the old content or the new: it writes to a temporary
// file in the same directory, syncs it, renames it over the target, and syncs the
// directory. A link in the place of the file is replaced, not followed. The file
// gets mode perm, whatever it had before; the umask does not widen or narrow it.
// The temporary file is removed when anything fails. Concurrent writers of one
// name are safe: one of them is last.
func Replace(name string, data []byte, perm os.FileMode) error {
	return replace(name, data, perm, func(*os.File) error { return nil })
}

// ReplaceLike is Replace for a file that exists, is regular and no link: the new one
// has its mode, owner and group, so that a service still reads what root has changed.
// Only root can give it to another user; the error is an *Error then.
func ReplaceLike(name string, data []byte) error {
	info, err := plainFile(name)
	if err != nil {
		return err
	}
	return replace(name, data, info.Mode().Perm(), func(f *os.File) error { return giveLike(f, name, info) })
}

// ReplaceFor is Replace for a file whose readers are those of another one, like: what root
// makes gets its group, and mode 0640 when that group may read like. Without like, and
// made by another user, it has mode 0600.
func ReplaceFor(like, name string, data []byte) error {
	if like == "" || os.Geteuid() != 0 {
		return Replace(name, data, 0o600)
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	perm := 0o600 | info.Mode().Perm()&0o040
	return replace(name, data, perm, func(f *os.File) error { return giveGroup(f, info) })
}

// WriteLike writes a file that does not exist, with mode, owner and group of the file
// like, which is regular and no link. A machine that loses power leaves the whole file or
// none. Only one process may write the name at a time. The error is fs.ErrExist when it
// exists.
func WriteLike(name, like string, data []byte) error {
	info, err := plainFile(like)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(name); err == nil {
		return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	return replace(name, data, info.Mode().Perm(), func(f *os.File) error { return giveLike(f, like, info) })
}

// plainFile refuses what is not a regular file, and a link to one.
func plainFile(name string) (fs.FileInfo, error) {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&os.ModeSymlink != 0:
		return nil, refused(name, "is a link")
	}
	return info, checkKind(name, info)
}

// CheckReplaceable says why ReplaceLike would refuse a file: it does not exist, is not
// regular, or is a link.
func CheckReplaceable(name string) error {
	_, err := plainFile(name)
	return err
}

// CheckBeside refuses a file that others could have put beside the file like: it is
// regular, no link, belongs to root, to this user or to the owner of like, and no one may
// write it who may not write like. The error is fs.ErrNotExist when it does not exist. Who
// has read the file asks afterwards too: where others may make files, they could have
// exchanged it before.
func CheckBeside(name, like string) error {
	info, err := plainFile(name)
	if err != nil {
		return err
	}
	of, err := os.Stat(like)
	if err != nil {
		return err
	}
	uid, ok := ownerOf(info)
	owner, _ := ownerOf(of)
	switch {
	case ok && !rootOrUs(uid) && uid != owner:
		return refused(name, fmt.Sprintf("belongs to user %d, who may have put it there for you to use: remove it, or chown it", uid))
	case ok && info.Mode().Perm()&0o022&^of.Mode().Perm() != 0:
		return &Error{name, "may be written by others: chmod go-w it", ErrOthersWrite}
	}
	return nil
}

// temporaryMark is between the name of a file and the random end of its temporary file's.
const temporaryMark = ".tmp"

// replace calls prepare for the new file while that is empty.
func replace(name string, data []byte, perm os.FileMode, prepare func(*os.File) error) (err error) {
	target, err := find(name, false)
	if err != nil {
		return err
	}
	defer target.close()
	temporary := target.beside("." + target.last + temporaryMark + rand.Text())
	f, err := temporary.open(os.O_RDWR | os.O_CREATE | os.O_EXCL)
	if err != nil {
		return fmt.Errorf("creating temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = temporary.remove()
		}
	}()
	if err := prepare(f); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil && runtime.GOOS != "windows" {
		return fmt.Errorf("setting mode: %w", err)
	}
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	if err := temporary.rename(target); err != nil {
		return fmt.Errorf("renaming: %w", err)
	}
	return target.sync()
}

// SyncDir makes durable which names a directory has. Windows cannot sync a
// directory and does not need it.
func SyncDir(dir string) error {
	p, err := syncPlace(dir)
	if err != nil {
		return err
	}
	defer p.close()
	return p.sync()
}

// syncPlace is in dir itself, not in the one above it.
func syncPlace(dir string) (*place, error) { return find(dir+string(filepath.Separator)+".", false) }

// WriteNew writes a file that did not exist, which its owner alone can read. What is
// not whole is not left there. The error is fs.ErrExist when it exists.
func WriteNew(name string, data []byte) error {
	f, err := Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(name)
	}
	return err
}
