package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// OpenToRead is Open for those who only look. Where the disk cannot be written, because
// it is full or a kernel has made it read-only after an error, the database is read
// as it is, and Warn is told so: that is when an operator wants to see and save what
// waits. Then nothing can be changed: what writes returns ErrReadOnly. Close
// returns ErrChanged when another program has written meanwhile after all.
func OpenToRead(ctx context.Context, dir string, schema Schema, o Options) (*DB, error) {
	o = o.withDefaults()
	db, err := open(ctx, dir, schema, o)
	if full := isFull(err); err != nil && (full || isReadOnly(err)) {
		return openAsItIs(ctx, dir, schema, o, full, err)
	}
	return db, err
}

// openAsItIs opens what is there without writing. The reason why it cannot be
// opened as usual is the error, when there is nothing to open.
func openAsItIs(ctx context.Context, dir string, schema Schema, o Options, full bool, reason error) (*DB, error) {
	dir, err := trustedDir(dir)
	if err != nil || !Exists(dir) {
		return nil, reason
	}
	if err := checkFiles(dir); err != nil {
		return nil, err
	}
	db, err := readable(ctx, dir, schema, o, full)
	if err == nil && db == nil {
		db, err = openCopy(ctx, dir, schema, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; reading it as it is: %w", reason, err)
	}
	why := "is on a disk that cannot be written"
	if full {
		why = "is on a disk that is full"
	}
	o.Warn(fmt.Sprintf("%s %s: it is shown as it is, and nothing can be changed", dir, why))
	return db, nil
}

// readable opens the file in its place; nothing when that is not possible.
func readable(ctx context.Context, dir string, schema Schema, o Options, full bool) (db *DB, err error) {
	hasLog, hasIndex := filled(filepath.Join(dir, walFile)), filled(filepath.Join(dir, shmFile))
	db = newDB(dir, schema, o)
	switch {
	case full:
		// Without a file of shared memory, for which there is no room; so others wait
		// meanwhile. Who has the database open has made that file, and we are not here.
		err = db.connectReader(ctx, readWrite, "locking_mode(EXCLUSIVE)")
	case hasLog && hasIndex:
		err = db.connectReader(ctx, url.Values{"mode": {"ro"}})
	case hasLog:
		return nil, nil // what is in the log alone must not be missing
	default:
		err = db.connectReader(ctx, url.Values{"mode": {"ro"}, "immutable": {"1"}})
		db.closed = unchanged(dir)
	}
	if err != nil {
		return nil, err
	}
	if present, err := db.isPresent(ctx); err != nil || !present {
		return nil, errors.Join(err, db.disconnect())
	}
	return db, nil
}

// connectReader opens one connection, which only reads.
func (db *DB) connectReader(ctx context.Context, mode url.Values, pragmas ...string) (err error) {
	name := filepath.Join(db.dir, file)
	if db.readers, err = sql.Open("sqlite", address(name, mode, append(pragmas, db.o.busyTimeout(), "query_only(ON)"))); err != nil {
		return err
	}
	db.readers.SetMaxOpenConns(1)
	if err := db.readers.PingContext(ctx); err != nil {
		return errors.Join(named(err), db.disconnect())
	}
	return nil
}

// isPresent reports that the schema is the present one. A newer one is a
// *SchemaError.
func (db *DB) isPresent(ctx context.Context) (bool, error) {
	have, know, err := db.version(db.View(ctx), db.schema.Steps)
	return have == len(know), err
}

// filled reports a file that is not empty.
func filled(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Size() > 0
}

// unchanged remembers how the file is, and returns what says whether it is so
// still. SQLite does not look for changes, nor for a log, in what is immutable.
func unchanged(dir string) func() error {
	before, err := os.Lstat(filepath.Join(dir, file))
	return func() error {
		now, e := os.Lstat(filepath.Join(dir, file))
		if err = errors.Join(err, e); err != nil {
			return err
		}
		if !os.SameFile(before, now) || before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime()) || filled(filepath.Join(dir, walFile)) {
			return ErrChanged
		}
		return nil
	}
}

// openCopy opens a copy in a directory for temporary files, which Close removes: for
// a log without its index, which SQLite would have to write, and for what an older
// version has left.
func openCopy(ctx context.Context, dir string, schema Schema, o Options) (db *DB, err error) {
	temp, err := ownfile.MakeTempDir("smtpsend-outbox-*")
	if err != nil {
		return nil, err
	}
	remove := func() error { return os.RemoveAll(temp) }
	for _, name := range []string{file, walFile} {
		if err == nil {
			err = copyFile(ctx, filepath.Join(dir, name), filepath.Join(temp, name))
		}
	}
	if err == nil {
		o.Warn = func(string) {}
		db, err = open(ctx, temp, schema, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copying it to %s: %w", temp, err), remove())
	}
	db.closed = remove
	return db, nil
}

// copyFile copies a file that may be missing.
func copyFile(ctx context.Context, from, to string) error {
	in, err := ownfile.OpenPrivate(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := ownfile.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, until.Between(ctx, in))
	return errors.Join(err, out.Close())
}
