package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
)

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

// isReadOnly reports an error of a disk that is not to be written.
func isReadOnly(err error) bool {
	code := sqliteCode(err)
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) || code == sqliteReadOnly || code == sqliteCantOpen
}

// isFull reports an error of a disk that has no room: SQLite has no other word for
// a file of shared memory that cannot be made as large as it has to be.
func isFull(err error) bool {
	const sizeOfSharedMemory = sqliteIOErr | 19<<8
	var e *sqlite.Error
	ofSharedMemory := errors.As(err, &e) && e.Code() == sizeOfSharedMemory
	return ofSharedMemory || errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC)
}
