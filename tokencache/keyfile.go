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

// KeyFile returns the 32 random octets in the file name, for NewKey where a
// credential has no secret that stays the same, as with a managed identity or
// a federated credential. On first use it makes the file with mode 0600, and
// its directory with 0700 (one that exists must be ours and writable by no one
// else); processes that do so at once get the same octets.
// On Unix a file of someone else, or that others may read, is an error, and so
// is one of another size everywhere. Whoever can read this file and the store
// can read the tokens.
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
