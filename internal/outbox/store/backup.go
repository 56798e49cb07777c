package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// Backup writes a copy of the database to a file that must not exist, mode 0600,
// while everything goes on. Where there is room beside the outbox, a copy is made
// there first, which leaves out what is empty: SQLite opens a file by its name, and
// in another directory that name could be another user's file by then.
func (db *DB) Backup(ctx context.Context, name string) error {
	return named(db.backup(ctx, name))
}

func (db *DB) backup(ctx context.Context, name string) (err error) {
	to, err := ownfile.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, to.Close()); err != nil {
			_ = os.Remove(name)
		}
	}()
	if err := db.copyTo(ctx, to); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	info, err := to.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Lstat(name); err != nil || !os.SameFile(now, info) {
		return fmt.Errorf("%s was replaced meanwhile by another file", name)
	}
	return ownfile.SyncDir(filepath.Dir(name))
}

// copyTo writes the whole database to a file. Where there is no room for a copy beside
// it, or nothing can be written, what goes out is the file as it is.
func (db *DB) copyTo(ctx context.Context, to io.Writer) error {
	if db.pool == nil {
		return db.copyPages(ctx, to)
	}
	db.sweepCopies()
	copied := filepath.Join(db.dir, copyPrefix+rand.Text()) // 26 letters
	from, err := ownfile.Create(copied)
	if err == nil {
		defer func() { _ = errors.Join(from.Close(), os.Remove(copied)) }()
		// VACUUM INTO takes an empty file, whose mode stays.
		_, err = db.pool.ExecContext(ctx, "VACUUM INTO ?1", copied)
	}
	if isFull(named(err)) || isReadOnly(err) {
		return db.copyPages(ctx, to)
	}
	if err == nil {
		_, err = io.Copy(to, until.Between(ctx, from))
	}
	return err
}

// copyPrefix begins the name of a copy that is being made, which copyPattern is.
const (
	copyPrefix  = ".smtpsend-copy-"
	copyPattern = copyPrefix + "??????????????????????????"
)

// sweepCopies removes copies of processes that were killed.
func (db *DB) sweepCopies() {
	names, _ := filepath.Glob(filepath.Join(db.dir, copyPattern)) // an error is for a pattern in the directory's name
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(name)
		}
	}
}

// copyPages writes the pages of the database, as one transaction sees them: where
// the disk cannot be written there is no room for a copy beside it.
func (db *DB) copyPages(ctx context.Context, to io.Writer) error {
	return Each(db.View(ctx), func(rows *sql.Rows) error {
		var page []byte
		err := rows.Scan(&page)
		if err == nil {
			_, err = to.Write(page)
		}
		return err
	}, "SELECT data FROM sqlite_dbpage ORDER BY pgno")
}
