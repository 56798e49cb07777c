package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/smtpsend/smtpsend/internal/lazy"
)

// store is the database: one connection that writes, a few that read.
type store struct {
	dialect dialect
	clock   func() time.Time
	steady  func() (era string, at time.Duration)
	pool    *sql.DB // of the writing connection
	readers *sql.DB

	mu     sync.Mutex // guards what follows: one transaction at a time
	writer *sql.Conn
	stmts  map[string]*sql.Stmt // prepared on writer
	broken error                // set once by an I/O error
}

// settings of a connection that writes. synchronous=FULL syncs the log at every
// commit: with NORMAL a power cut loses messages that were taken (the power-cut
// test shows it). The cache is 2 MiB, a bigger one was not faster.
func (o Options) settings(file string) []string {
	sync := "FULL"
	if o.synchronous != "" {
		sync = o.synchronous
	}
	pragmas := []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(" + sync + ")",
		"foreign_keys(ON)", "cache_size(-2000)", "journal_size_limit(67108864)", "mmap_size(0)",
		// macOS: fsync leaves data in the drive's cache unless told.
		"fullfsync(ON)", "checkpoint_fullfsync(ON)",
	}
	if info, err := os.Stat(file); err == nil && info.Size() == 0 {
		// Before the first table; in a file that has some it would write once more.
		pragmas = slices.Insert(pragmas, 1, "auto_vacuum(INCREMENTAL)")
	}
	if o.checkpoint != 0 {
		pragmas = append(pragmas, fmt.Sprintf("wal_autocheckpoint(%d)", o.checkpoint))
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

var readWrite = &lazy.Value[url.Values]{Make: func() url.Values {
	return url.Values{"mode": {"rw"}}
}}

func openStore(ctx context.Context, file string, o Options) (s *store, err error) {
	s = newStore(o)
	if s.pool, err = sql.Open("sqlite", address(file, readWrite.Get(), o.settings(file))); err != nil {
		return nil, err
	}
	if s.readers, err = sql.Open("sqlite", address(file, readWrite.Get(), []string{"busy_timeout(10000)", "query_only(ON)", "cache_size(-500)"})); err != nil {
		return nil, err
	}
	s.readers.SetMaxOpenConns(4)
	if s.writer, err = s.connect(ctx); err != nil {
		s.close()
		return nil, named(err)
	}
	return s, nil
}

func newStore(o Options) *store {
	return &store{dialect: sqliteDialect(), clock: o.Clock, steady: o.Steady, stmts: make(map[string]*sql.Stmt)}
}

// connect tries for ten seconds while another process makes the file: the
// switch to WAL does not wait for a lock by itself.
func (s *store) connect(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := s.pool.Conn(ctx)
		if sqliteCode(err) != sqliteBusy {
			return conn, err
		}
		if backoff.Sleep(ctx, 20*time.Millisecond) != nil {
			return nil, err
		}
	}
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.stmts {
		_ = stmt.Close()
	}
	clear(s.stmts)
	err := s.readers.Close()
	if s.writer != nil {
		_ = s.writer.Close()
	}
	if s.pool == nil {
		return err
	}
	if e := s.pool.Close(); e != nil {
		err = e
	}
	return err
}

// tx is a transaction that writes. Its now is the time for all it does.
type tx struct {
	ctx context.Context
	s   *store
	now int64
}

// write runs do in a transaction. Its commit is on disk when write returns nil.
// A context that ends does not interrupt a transaction that has begun: they are
// short, and half of one has no use.
func (s *store) write(ctx context.Context, do func(*tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if s.writer == nil {
		return ErrReadOnly
	}
	ctx = context.WithoutCancel(ctx)
	t := &tx{ctx: ctx, s: s}
	if _, err := t.exec(s.dialect.begin); err != nil {
		return s.note(err)
	}
	t.now = s.now()
	err := do(t)
	if err == nil {
		if _, err = t.exec("COMMIT"); err == nil {
			return nil
		}
	}
	_, _ = t.exec("ROLLBACK") // fails when SQLite has done so already
	return s.note(err)
}

// note names err and remembers an I/O error: nothing is written after it.
func (s *store) note(err error) error {
	err = named(err)
	if sqliteCode(err) == sqliteIOErr {
		s.broken = err
	}
	return err
}

// now is the clock of the database: of this host for a file, of the server for
// a database that several hosts share.
func (s *store) now() int64 { return s.clock().UnixMilli() }

// stmt prepares a statement once.
func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := t.s.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.s.writer.PrepareContext(t.ctx, t.s.dialect.statement(query))
	if err != nil {
		return nil, fmt.Errorf("preparing %.40q: %w", query, err)
	}
	t.s.stmts[query] = stmt
	return stmt, nil
}

// exec returns how many rows changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
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

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(t.ctx, args...)
}

// row scans the first row into dest; sql.ErrNoRows when there is none.
func (t *tx) row(query string, args []any, dest ...any) error {
	stmt, err := t.stmt(query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(t.ctx, args...).Scan(dest...)
}

// reader is what a query needs: inside a transaction or beside all of them.
type reader interface {
	query(query string, args ...any) (*sql.Rows, error)
}

// view reads beside the writer, also while it writes.
type view struct {
	ctx context.Context
	s   *store
}

func (v view) query(query string, args ...any) (*sql.Rows, error) {
	rows, err := v.s.readers.QueryContext(v.ctx, v.s.dialect.statement(query), args...)
	return rows, named(err)
}

// each scans every row with scan.
func each(r reader, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := r.query(query, args...)
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

// millis is a time as it is stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the reverse of millis.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
