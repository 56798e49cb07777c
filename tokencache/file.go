package tokencache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// FileStore keeps each record encrypted in a file of its own, ID.token, in one
// directory. The lock of a record is the file ID.lock in the same directory. The kernel
// releases a lock when its process ends, even after a crash. Make a FileStore with
// NewFileStore.
type FileStore struct{ dir string }

// NewFileStore returns a store in the directory dir. The directory and its parents are
// created with mode 0700 when something must be written. On Unix a directory that
// belongs to another user, or that others may write to, is not used.
func NewFileStore(dir string) *FileStore { return &FileStore{dir} }

// Path returns the name of the file that holds the record of key.
func (s *FileStore) Path(key Key) string { return filepath.Join(s.dir, key.id+".token") }

// Load reads and decrypts the record of key without a lock. A file that is damaged, of
// another version or too long is an error. On Unix, so is a file that belongs to another
// user or that others may read.
func (s *FileStore) Load(key Key) (*Record, error) {
	if key.IsZero() {
		return nil, errNoKey
	}
	if err := ownfile.CheckDir(s.dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	sealed, err := readOwn(s.Path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := openRecord(key, sealed)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", s.Path(key), err)
	}
	return r, nil
}

// readOwn reads a file that is ours alone.
func readOwn(name string) ([]byte, error) {
	f, err := ownfile.OpenPrivate(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSealed+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSealed {
		return nil, fmt.Errorf("%s is longer than %d octets", name, maxSealed)
	}
	return data, nil
}

// Save encrypts the record and replaces the file of key, with mode 0600.
func (s *FileStore) Save(key Key, r *Record) error {
	sealed, err := sealRecord(key, r)
	if err != nil {
		return err
	}
	if err := ownfile.MakeDir(s.dir); err != nil {
		return err
	}
	if err := ownfile.Replace(s.Path(key), sealed, 0o600); err != nil {
		return err
	}
	s.sweep()
	return nil
}

// TryLock takes the lock of key.
func (s *FileStore) TryLock(key Key) (unlock func(), locked bool, err error) {
	if key.IsZero() {
		return nil, false, errNoKey
	}
	if err := ownfile.MakeDir(s.dir); err != nil {
		return nil, false, err
	}
	lock, locked, err := ownfile.TryLock(filepath.Join(s.dir, key.id+".lock"))
	if err != nil || !locked {
		return nil, false, err
	}
	// Closing is all that unlocking takes, and cannot be repeated or fixed.
	return func() { _ = lock.Unlock() }, true, nil
}
