package outbox

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
	"syscall"

	"modernc.org/sqlite"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// OpenToRead is Open for who only looks. Where the disk cannot be written, because
// it is full or a kernel has made it read-only after an error, the outbox is read
// as it is, and Warn is told so: that is when somebody wants to see and save what
// waits. Then nothing can be changed: what writes returns ErrReadOnly. Close
// returns ErrChanged when another program has written meanwhile after all.
func OpenToRead(ctx context.Context, dir string, o Options) (*Outbox, error) {
	o = o.withDefaults()
	ob, err := open(ctx, dir, o)
	if full := isFull(err); err != nil && (full || isReadOnly(err)) {
		ob, err = openAsItIs(ctx, dir, o, full, err)
	}
	return begun(dir, ob, err)
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
	return errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.As(err, &e) && e.Code() == sizeOfSharedMemory
}

// openAsItIs opens what is there without writing. The reason why it cannot be
// opened as usual is the error, when there is nothing to open.
func openAsItIs(ctx context.Context, dir string, o Options, full bool, reason error) (*Outbox, error) {
	dir, err := trustedDir(dir)
	if err != nil || !Exists(dir) {
		return nil, reason
	}
	if err := checkFiles(dir); err != nil {
		return nil, err
	}
	ob, err := readable(ctx, dir, o, full)
	if err == nil && ob == nil {
		ob, err = openCopy(ctx, dir, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; reading it as it is: %w", reason, err)
	}
	why := "is on a disk that cannot be written"
	if full {
		why = "is on a disk that is full"
	}
	o.Warn(fmt.Sprintf("%s %s: it is shown as it is, and nothing can be changed", dir, why))
	return ob, nil
}

// readable opens the file in its place; nothing when that is not possible.
func readable(ctx context.Context, dir string, o Options, full bool) (*Outbox, error) {
	name := filepath.Join(dir, file)
	hasLog, hasIndex := filled(filepath.Join(dir, walFile)), filled(filepath.Join(dir, shmFile))
	var s *store
	var closed func() error
	var err error
	switch {
	case full:
		// Without a file of shared memory, for which there is no room; so others wait
		// meanwhile. Who has the outbox open has made that file, and we are not here.
		s, err = openReader(ctx, name, o, readWrite.Get(), "locking_mode(EXCLUSIVE)")
	case hasLog && hasIndex:
		s, err = openReader(ctx, name, o, url.Values{"mode": {"ro"}})
	case hasLog:
		return nil, nil // what is in the log alone must not be missing
	default:
		s, err = openReader(ctx, name, o, url.Values{"mode": {"ro"}, "immutable": {"1"}})
		closed = unchanged(dir)
	}
	if err != nil {
		return nil, err
	}
	ob := newOutbox(dir, o, s)
	ob.closed = closed
	if present, err := ob.isPresent(ctx); err != nil || !present {
		return nil, errors.Join(err, s.close())
	}
	return ob, nil
}

// openReader opens one connection that only reads.
func openReader(ctx context.Context, name string, o Options, mode url.Values, pragmas ...string) (s *store, err error) {
	s = newStore(o)
	if s.readers, err = sql.Open("sqlite", address(name, mode, append(pragmas, "busy_timeout(10000)", "query_only(ON)"))); err != nil {
		return nil, err
	}
	s.readers.SetMaxOpenConns(1)
	if err := s.readers.PingContext(ctx); err != nil {
		return nil, errors.Join(named(err), s.close())
	}
	return s, nil
}

// isPresent reports that the schema is the present one, and reads the tag. A newer
// one is a *SchemaError.
func (ob *Outbox) isPresent(ctx context.Context) (bool, error) {
	steps, err := fs.Glob(schemas, "schema/*.sql")
	if err != nil {
		return false, err
	}
	v := view{ctx, ob.store}
	have, err := ob.version(v)
	if err != nil {
		return false, fmt.Errorf("reading schema version: %w", err)
	}
	if have > len(steps) {
		return false, &SchemaError{have, len(steps)}
	}
	ob.tag, err = meta(v, "tag")
	return have == len(steps), err
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
func openCopy(ctx context.Context, dir string, o Options) (ob *Outbox, err error) {
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
		ob, err = open(ctx, temp, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copying it to %s: %w", temp, err), remove())
	}
	ob.closed = remove
	return ob, nil
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

// copyPages writes the pages of the database, as one transaction sees them: where
// the disk cannot be written there is no room for a copy beside it.
func (ob *Outbox) copyPages(ctx context.Context, to io.Writer) error {
	return each(view{ctx, ob.store}, func(rows *sql.Rows) error {
		var page []byte
		err := rows.Scan(&page)
		if err == nil {
			_, err = to.Write(page)
		}
		return err
	}, "SELECT data FROM sqlite_dbpage ORDER BY pgno")
}
