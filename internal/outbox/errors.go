package outbox

import (
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
)

// The errors that callers tell apart. They are wrapped.
var (
	// ErrLocked says that another process submits from this outbox.
	ErrLocked = errors.New("another process submits from this outbox")
	// ErrFull says that the disk is full, or below the reserve: nothing was taken
	// (RFC 5321 4.3.1: 452).
	ErrFull = errors.New("not enough disk space")
	// ErrBroken says that reading or writing the disk went wrong. The outbox takes
	// and submits nothing more: after a failed sync nobody knows what is on disk.
	// The process has to end; the next one recovers.
	ErrBroken = errors.New("the disk does not work")
	// ErrBusy says that another program kept the database locked for ten seconds:
	// nothing was written. Later it may work.
	ErrBusy = errors.New("another program keeps the outbox locked")
	// ErrReadOnly says that the outbox was opened by OpenToRead where it cannot be
	// written.
	ErrReadOnly = errors.New("the outbox cannot be written")
	// ErrChanged says that another program wrote while an outbox was read as it was:
	// what was read may be wrong.
	ErrChanged = errors.New("another program has written to the outbox meanwhile")
	// ErrCorrupt says that the file is no database, or a damaged one.
	ErrCorrupt = errors.New("the file of the outbox is damaged: move it away and restore a backup")
	// ErrDamaged says that a stored content is not what was taken.
	ErrDamaged = errors.New("the content is not what was taken")
	// ErrNotFound says that there is no such message, mailbox or batch.
	ErrNotFound = errors.New("not found")
	// ErrNoContent says that a message is over and its content deleted.
	ErrNoContent = errors.New("its content was deleted")
	// ErrIdle says that no message of the mailbox is due.
	ErrIdle = errors.New("nothing is due")
	// ErrLost says that a claim is no longer the caller's.
	ErrLost = errors.New("the message is no longer claimed")
	// ErrNoFilter says that an action was to have no bounds.
	ErrNoFilter = errors.New("no messages were named")
	// ErrSize says that the content had another size than announced: it was cut
	// off, and nothing was taken.
	ErrSize = errors.New("the content has another size than announced")
)

// WaitError says that a mailbox may not submit now.
type WaitError struct {
	Mailbox string
	Until   time.Time // zero: the mailbox is held
	Probe   time.Time // when a held mailbox is tried by a sign-in; zero: it waits for somebody alone
	Pause   Pause     // "" when one of the mailbox's own limits is reached
	Reason  string    // in words
}

// Error gives the reason.
func (e *WaitError) Error() string { return fmt.Sprintf("%s waits: %s", e.Mailbox, e.Reason) }

// InputError is a message that cannot be taken as it is.
type InputError struct{ Field, Reason string }

// Error names field and reason.
func (e *InputError) Error() string { return e.Field + ": " + e.Reason }

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

// Primary result codes of SQLite.
const (
	sqliteBusy     = 5
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNoDB     = 26
)

// sqliteCode is the primary result code in err, 0 when there is none.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// named gives a database error the name that callers know.
func named(err error) error {
	name, ok := map[int]error{
		sqliteBusy: ErrBusy, sqliteIOErr: ErrBroken, sqliteCorrupt: ErrCorrupt, sqliteFull: ErrFull, sqliteNoDB: ErrCorrupt,
	}[sqliteCode(err)]
	if !ok || errors.Is(err, name) {
		return err
	}
	return fmt.Errorf("%w: %w", name, err)
}
