package tokencache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// keyFileSize is the number of octets in a key file: as many as the key that
// is derived from them.
const keyFileSize = 32

// keyFileLook is the time between two looks at a taken lock.
const keyFileLook = 10 * time.Millisecond

// KeyFile returns the 32 random octets in the file name, for NewKey. It is for credentials
// without a secret that stays the same, such as a managed identity or a federated
// credential. At the first use KeyFile creates the file with mode 0600 and its directory
// with mode 0700. A directory that exists must belong to the user, and no one else may
// write it. Processes that do this at the same time get the same octets.
//
// A file of another size is an error. On Unix, so is a file that belongs to another user
// or that others may read. Anyone who can read this file and the store can read the
// tokens.
func KeyFile(ctx context.Context, name string) ([]byte, error) {
	if key, err := readKeyFile(name); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := ownfile.MakeDir(filepath.Dir(name)); err != nil {
		return nil, fmt.Errorf("tokencache: making a key file: %w", err)
	}
	unlock, err := lockKeyFile(ctx, name+".lock")
	if err != nil {
		return nil, fmt.Errorf("tokencache: locking a key file: %w", err)
	}
	defer unlock()
	// Its last holder may have made the file.
	if key, err := readKeyFile(name); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key := make([]byte, keyFileSize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("tokencache: making a key file: %w", err)
	}
	if err := ownfile.Replace(name, key, 0o600); err != nil {
		return nil, fmt.Errorf("tokencache: making a key file: %w", err)
	}
	return key, nil
}

// lockKeyFile waits for the lock of a key file.
func lockKeyFile(ctx context.Context, name string) (unlock func(), err error) {
	for {
		lock, locked, err := ownfile.TryLock(name)
		if err != nil {
			return nil, err
		}
		if locked {
			return func() { _ = lock.Unlock() }, nil
		}
		if err := backoff.Sleep(ctx, keyFileLook); err != nil {
			return nil, err
		}
	}
}

func readKeyFile(name string) ([]byte, error) {
	key, err := readOwn(name)
	if err != nil {
		return nil, fmt.Errorf("tokencache: reading a key file: %w", err)
	}
	if len(key) != keyFileSize {
		return nil, fmt.Errorf("tokencache: key file %s has %d octets, not %d", name, len(key), keyFileSize)
	}
	return key, nil
}
