package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Lock gives this process a right that one process at a time has, and proves that
// the last one is gone. The error wraps ErrLocked when another process has it. It
// ends with Unlock, or with the process.
func (db *DB) Lock() (*ownfile.Lock, error) {
	name := filepath.Join(db.dir, lockFile)
	lock, ok, err := ownfile.TryLock(name)
	if err != nil {
		return nil, fmt.Errorf("locking outbox: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w%s", ErrLocked, lockedBy(name))
	}
	if modesMean { // elsewhere a locked file cannot be written
		_ = lock.Note(fmt.Sprintf("%d\n", os.Getpid()))
	}
	return lock, nil
}

// lockedBy names the other process when it has left its number.
func lockedBy(name string) string {
	f, err := ownfile.OpenPrivate(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 20))
	if pid, e := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && e == nil {
		return fmt.Sprintf(": process %d", pid)
	}
	return ""
}
