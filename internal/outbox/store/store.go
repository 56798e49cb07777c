package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The files of the directory, with SQLite's own companions of the first.
const (
	file     = "queue.db"
	walFile  = file + "-wal"
	shmFile  = file + "-shm"
	lockFile = "lock"
)

// Options say how a database is opened. The zero value is the default of each.
type Options struct {
	Reserve int64 // octets of disk that stay free: 256 MiB; negative: none

	// LockWait is how long a transaction, or a look, waits while another program keeps the
	// database locked: 10 s. After one that waited in vain the next ones wait for 0.1 s,
	// until the lock is free: who waits for them hears so soon.
	LockWait time.Duration
	// AnyFileSystem turns the refusal of a network file system into a warning.
	AnyFileSystem bool
	// Warn, when set, is told oddities that do not stop anything.
	Warn func(string)
	// Clock is time.Now when nil.
	Clock func() time.Time
	// Steady names the running of the machine, in one word, and says how long it has
	// lasted whatever the clock is set to; nil: the system's. One that is named "-" is
	// not known: only the clock counts.
	Steady func() (era string, at time.Duration)

	// The rest is for tests and measurements.

	Synchronous string                                      // how hard commits are synced: FULL
	Checkpoint  int                                         // pages of log between checkpoints: SQLite's 1000
	FileSystem  func(dir string) (kind string, level Trust) // nil: the real one
	Statement   func(text string, writes bool)              // is told what is prepared to write, and what reads beside
}

func (o Options) withDefaults() Options {
	if o.Reserve == 0 {
		o.Reserve = 256 << 20
	}
	if o.LockWait == 0 {
		o.LockWait = 10 * time.Second
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Steady == nil {
		o.Steady = steady()
	}
	if o.FileSystem == nil {
		o.FileSystem = FileSystem
	}
	if o.Statement == nil {
		o.Statement = func(string, bool) {}
	}
	return o
}

// Schema is what the caller keeps in a database.
type Schema struct {
	// Steps has the numbered steps from an empty database to the present one, in
	// schema/*.sql. The first makes the table meta (name, value). A step is never
	// changed once released; a change is a further one.
	Steps fs.FS
	// Begin, when set, writes what a new database begins with.
	Begin func(*Tx) error
	// SetBack, when set, moves the times that were written in the future by the clock,
	// which was set back by so many ms.
	SetBack func(t *Tx, by int64) error
}

// Exists reports whether there is a database in dir, or something that keeps us
// from knowing, of which Open says what it is.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, file))
	return !errors.Is(err, fs.ErrNotExist)
}

// Open opens the database in dir, which is made, with mode 0700, when it does not
// exist. It brings an older schema up to date; a newer one is a *SchemaError. It
// refuses network and FUSE file systems with *FileSystemError, and with
// *ownfile.Error a directory of another user and links or files of others in it:
// root has to become the directory's owner first.
func Open(ctx context.Context, dir string, schema Schema, o Options) (*DB, error) {
	return open(ctx, dir, schema, o.withDefaults())
}

func open(ctx context.Context, dir string, schema Schema, o Options) (*DB, error) {
	dir, err := trustedDir(dir)
	if err != nil {
		return nil, err
	}
	if err := checkFileSystem(dir, o); err != nil {
		return nil, err
	}
	if err := prepareFile(dir, o); err != nil {
		return nil, err
	}
	db, err := connectAll(ctx, dir, schema, o)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, schema.Steps); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}
