package store

import (
	"fmt"
	"runtime"
)

// Trust is how far a file system can be relied on.
type Trust int

// The levels of trust.
const (
	Good     Trust = iota // also what we do not know
	Doubtful              // it works, but what it holds is soon gone
	Refused               // locks or syncs cannot be relied on
)

// FileSystem names the file system of dir, "" when it has no name here, and says how
// far it can be relied on.
func FileSystem(dir string) (kind string, level Trust) { return fileSystem(dir) }

// modesMean says whether file modes keep others out.
const modesMean = runtime.GOOS != "windows"

// Room checks that size octets more leaves the reserve on the disk: the
// error wraps ErrFull. What is stored is written twice, to the log and to the file.
func (db *DB) Room(size int64) error {
	if db.o.Reserve < 0 {
		return nil
	}
	free, known := freeSpace(db.dir)
	if need := max(db.o.Reserve, 2*size); known && free < need {
		return fmt.Errorf("%w: %d MiB are free in %s, %d MiB are needed", ErrFull, free>>20, db.dir, need>>20)
	}
	return nil
}
