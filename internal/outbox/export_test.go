package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// with adds a change to what the options of the database would be.
func (o Options) with(change func(*store.Options)) Options {
	before := o.tests
	o.tests = func(s *store.Options) {
		if before != nil {
			before(s)
		}
		change(s)
	}
	return o
}

// Synchronous sets how hard commits are synced; FULL is what the product uses.
func (o Options) Synchronous(level string) Options {
	return o.with(func(s *store.Options) { s.Synchronous = level })
}

// Checkpoint sets the pages of log between checkpoints.
func (o Options) Checkpoint(pages int) Options {
	return o.with(func(s *store.Options) { s.Checkpoint = pages })
}

// OnFileSystem pretends that the outbox is on another file system.
func (o Options) OnFileSystem(judge func() (string, store.Trust)) Options {
	return o.with(func(s *store.Options) { s.FileSystem = func(string) (string, store.Trust) { return judge() } })
}

// Statements tells the texts of the statements that are prepared to write, and of
// those that read beside.
func (o Options) Statements(tell func(text string, writes bool)) Options {
	return o.with(func(s *store.Options) { s.Statement = tell })
}

// Migrate takes steps from other schema files.
func (ob *Outbox) Migrate(ctx context.Context, from fs.FS) error { return ob.db.Migrate(ctx, from) }

// Schema is the text of the steps.
var Schema fs.FS = schemaFiles

// Raw opens the file of the outbox in dir beside it.
func Raw(t testing.TB, dir string) *sql.DB {
	t.Helper()
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "foreign_keys(ON)"}}
	db, err := sql.Open("sqlite", fmt.Sprintf("file:%s?%s", filepath.ToSlash(filepath.Join(dir, "queue.db")), query.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// SetMeta writes one of the values that the outbox keeps about itself.
func (ob *Outbox) SetMeta(ctx context.Context, name, value string) error {
	return ob.db.Write(ctx, func(t *store.Tx) error { return t.SetMeta(name, value) })
}
