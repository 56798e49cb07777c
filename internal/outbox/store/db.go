// Package store is the database of the outbox: one SQLite file in a directory, with
// its settings, migrations, locks and errors. It knows nothing of mail: tables and
// statements are its callers'. Of the tables one is its own, meta (name, value).
//
// Everything that differs between databases is in this package: another database is
// another Open here.
//
// A DB is safe for concurrent use, and any number of processes may have the same
// one open.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// DB is an open database: one connection that writes, a few that read.
type DB struct {
	dir     string
	o       Options
	schema  Schema
	dialect dialect
	pool    *sql.DB // of the writing connection; nil when nothing can be written
	readers *sql.DB
	closed  func() error // of one that was opened to read as it is: what is left to do

	mu     sync.Mutex // guards what follows: one transaction at a time
	writer *sql.Conn
	stmts  map[string]*sql.Stmt // prepared on writer
	broken error                // set once by an I/O error
	locked bool                 // the last transaction waited for another program's lock in vain
}

// settings of a connection that writes. synchronous=FULL syncs the log at every
// commit: with NORMAL a power cut loses messages that were taken (the power-cut
// test shows it). The cache is 2 MiB, a bigger one was not faster.
func (o Options) settings(file string) []string {
	sync := "FULL"
	if o.Synchronous != "" {
		sync = o.Synchronous
	}
	pragmas := []string{
		o.busyTimeout(), "journal_mode(WAL)", "synchronous(" + sync + ")",
		"foreign_keys(ON)", "cache_size(-2000)", "journal_size_limit(67108864)", "mmap_size(0)",
		// macOS: fsync leaves data in the drive's cache unless told.
		"fullfsync(ON)", "checkpoint_fullfsync(ON)",
	}
	if info, err := os.Stat(file); err == nil && info.Size() == 0 {
		// Before the first table; in a file that has some it would write once more.
		pragmas = slices.Insert(pragmas, 1, "auto_vacuum(INCREMENTAL)")
	}
	if o.Checkpoint != 0 {
		pragmas = append(pragmas, fmt.Sprintf("wal_autocheckpoint(%d)", o.Checkpoint))
	}
	return pragmas
}

// address is the data source name of file with settings. The mode is never one in
// which SQLite would make a file: prepareFile has, and it shall not make another
// one, wherever.
func address(file string, mode url.Values, pragmas []string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(file), OmitHost: true}
	if u.Path[0] != '/' { // C:/...
		u.Path = "/" + u.Path
	}
	query := maps.Clone(mode)
	query["_pragma"] = pragmas
	u.RawQuery = query.Encode()
	return u.String()
}

// busyTimeout is the setting of how long a lock is waited for.
func (o Options) busyTimeout() string {
	return fmt.Sprintf("busy_timeout(%d)", o.LockWait.Milliseconds())
}

var readWrite = url.Values{"mode": {"rw"}}

// connectAll opens the connections to the file of dir.
func connectAll(ctx context.Context, dir string, schema Schema, o Options) (db *DB, err error) {
	name := filepath.Join(dir, file)
	db = newDB(dir, schema, o)
	if db.pool, err = sql.Open("sqlite", address(name, readWrite, o.settings(name))); err != nil {
		return nil, err
	}
	if db.readers, err = sql.Open("sqlite", address(name, readWrite, []string{o.busyTimeout(), "query_only(ON)", "cache_size(-500)"})); err != nil {
		return nil, err
	}
	db.readers.SetMaxOpenConns(4)
	if db.writer, err = db.connect(ctx); err != nil {
		_ = db.Close()
		return nil, named(err)
	}
	return db, nil
}

func newDB(dir string, schema Schema, o Options) *DB {
	return &DB{dir: dir, o: o, schema: schema, dialect: sqliteDialect(), stmts: make(map[string]*sql.Stmt)}
}

// connect tries for as long as Options.LockWait while another process makes the file:
// the switch to WAL does not wait for a lock by itself.
func (db *DB) connect(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, db.o.LockWait)
	defer cancel()
	for {
		conn, err := db.pool.Conn(ctx)
		if sqliteCode(err) != sqliteBusy {
			return conn, err
		}
		if backoff.Sleep(ctx, 20*time.Millisecond) != nil {
			return nil, err
		}
	}
}

// Close ends the connections. Calls that run meanwhile may fail. The error is
// ErrChanged when another program has written to what was read as it is.
func (db *DB) Close() error {
	err := db.disconnect()
	if db.closed != nil {
		err = errors.Join(err, db.closed())
	}
	return err
}

func (db *DB) disconnect() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, stmt := range db.stmts {
		_ = stmt.Close()
	}
	clear(db.stmts)
	err := db.readers.Close()
	if db.writer != nil {
		_ = db.writer.Close()
	}
	if db.pool == nil {
		return err
	}
	if e := db.pool.Close(); e != nil {
		err = e
	}
	return err
}

// Tx is a transaction that writes. It is for one goroutine, and lasts as long as the
// one call of DB.Write that made it: so it may keep that call's context, as sql.Tx
// does.
type Tx struct {
	// Now is the time of all that the transaction does, ms since 1970 by the clock.
	Now int64

	ctx context.Context
	db  *DB
}

// Write runs do in a transaction. Its commit is on disk when Write returns nil.
// A context that ends does not interrupt a transaction that has begun: they are
// short, and half of one has no use. The error wraps ErrBusy, ErrFull, ErrBroken or
// ErrReadOnly, or what do returned; then nothing was written.
func (db *DB) Write(ctx context.Context, do func(*Tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.broken != nil {
		return db.broken
	}
	if db.writer == nil {
		return ErrReadOnly
	}
	ctx = context.WithoutCancel(ctx)
	t := &Tx{ctx: ctx, db: db}
	if err := t.begin(); err != nil {
		return db.note(err)
	}
	t.Now = db.Now()
	err := do(t)
	if err == nil {
		if _, err = t.Exec("COMMIT"); err == nil {
			return nil
		}
	}
	_, _ = t.Exec("ROLLBACK") // fails when SQLite has done so already
	return db.note(err)
}

// lockedWait is how long the lock of another program is waited for after it was waited for
// in vain: longer than a commit of another smtpsend takes.
const lockedWait = 100 * time.Millisecond

// begin takes the lock. When another program has kept it for all of Options.LockWait,
// those who come next wait for lockedWait each: they may be hundreds, one after the other,
// and each has a client that waits for a reply.
func (t *Tx) begin() error {
	_, err := t.Exec(t.db.dialect.begin)
	if isLocked := sqliteCode(err) == sqliteBusy; isLocked != t.db.locked {
		wait := t.db.o.LockWait
		if isLocked {
			wait = min(wait, lockedWait)
		}
		if _, e := t.db.writer.ExecContext(t.ctx, t.db.dialect.lockWait+strconv.FormatInt(wait.Milliseconds(), 10)); e != nil {
			return errors.Join(err, e)
		}
		t.db.locked = isLocked
	}
	return err
}

// note names err and remembers an I/O error: nothing is written after it.
func (db *DB) note(err error) error {
	err = named(err)
	if sqliteCode(err) == sqliteIOErr {
		db.broken = err
	}
	return err
}

// Now is the clock of the database, ms since 1970: of this host for a file, of the
// server for a database that several hosts share.
func (db *DB) Now() int64 { return db.o.Clock().UnixMilli() }

// stmt prepares a statement once.
func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := t.db.stmts[query]; ok {
		return stmt, nil
	}
	t.db.o.Statement(query, true)
	stmt, err := t.db.writer.PrepareContext(t.ctx, t.db.dialect.statement(query))
	if err != nil {
		return nil, fmt.Errorf("preparing %.40q: %w", query, err)
	}
	t.db.stmts[query] = stmt
	return stmt, nil
}

// Exec runs a statement, and returns how many rows changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Query runs a statement that returns rows; see Each.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(t.ctx, args...)
}

// Row scans the first row into dest. The error wraps sql.ErrNoRows when there is none.
func (t *Tx) Row(query string, args []any, dest ...any) error {
	stmt, err := t.stmt(query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(t.ctx, args...).Scan(dest...)
}

// Reader is what a query needs: inside a transaction or beside all of them.
type Reader interface {
	Query(query string, args ...any) (*sql.Rows, error)
}

// View reads beside the writer, also while it writes. It is made for the length of
// one call, whose context it keeps: so one Reader is in a transaction or beside all.
type View struct {
	ctx context.Context
	db  *DB
}

// View returns one for as long as ctx lasts.
func (db *DB) View(ctx context.Context) View { return View{ctx, db} }

// Query runs a statement that returns rows; see Each.
func (v View) Query(query string, args ...any) (*sql.Rows, error) {
	v.db.o.Statement(query, false)
	rows, err := v.db.readers.QueryContext(v.ctx, v.db.dialect.statement(query), args...)
	return rows, named(err)
}

// Vacuum gives some free pages back to the file system.
func (db *DB) Vacuum(ctx context.Context) error {
	if db.dialect.vacuum == "" {
		return nil
	}
	return db.Write(ctx, func(t *Tx) error {
		_, err := db.writer.ExecContext(t.ctx, db.dialect.vacuum)
		return err
	})
}

// Each calls scan for every row of a query.
func Each(r Reader, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := r.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return named(rows.Err())
}

// Millis is a time as it is stored; the zero time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Moment is the reverse of Millis.
func Moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Line is how many octets are kept of a text that is shown in lists.
const Line = 1000

// Cut shortens text to n octets without leaving half a character.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

// Flag is a truth value as it is stored.
func Flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
