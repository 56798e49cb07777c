package store

import (
	"errors"
	"fmt"
)

// The errors that callers tell apart. They are wrapped.
var (
	// ErrLocked says that another process submits from this outbox.
	ErrLocked = errors.New("another process submits from this outbox")
	// ErrFull says that the disk is full, or below the reserve: nothing was taken
	// (RFC 5321 4.3.1: 452).
	ErrFull = errors.New("not enough disk space")
	// ErrBroken says that reading or writing the disk went wrong. The outbox takes
	// and submits nothing more: after a failed sync it is not known what is on disk.
	// The process has to end; the next one recovers.
	ErrBroken = errors.New("the disk does not work")
	// ErrBusy says that another program has kept the database locked for as long as
	// Options.LockWait: nothing was written. Later it may work.
	ErrBusy = errors.New("another program keeps the outbox locked")
	// ErrReadOnly says that the outbox was opened by OpenToRead where it cannot be
	// written.
	ErrReadOnly = errors.New("the outbox cannot be written")
	// ErrChanged says that another program wrote while an outbox was read as it was:
	// what was read may be wrong.
	ErrChanged = errors.New("another program has written to the outbox meanwhile")
	// ErrCorrupt says that the file is not a database, or a damaged one.
	ErrCorrupt = errors.New("the file of the outbox is damaged: move it away and restore a backup")
	// ErrLost says that what was claimed is no longer the caller's.
	ErrLost = errors.New("the message is no longer claimed")
	// ErrNotFound says that there is no such message, mailbox or batch.
	ErrNotFound = errors.New("not found")
)

// SchemaError is an outbox written by a newer smtpsend.
type SchemaError struct{ Have, Know int }

// Error says what to do.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("the outbox has schema %d, this smtpsend knows up to %d: use the newer smtpsend", e.Have, e.Know)
}

// FileSystemError is a directory on a file system that cannot hold an outbox.
type FileSystemError struct{ Dir, Kind string }

// Error names the file system.
func (e *FileSystemError) Error() string {
	return fmt.Sprintf("%s is on %s, whose locks and syncs cannot be relied on: choose a directory on a local disk", e.Dir, e.Kind)
}
