package outbox

import (
	"context"
	"database/sql"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Synchronous sets how hard commits are synced; FULL is what the product uses.
func (o Options) Synchronous(level string) Options { o.synchronous = level; return o }

// Checkpoint sets the pages of log between checkpoints.
func (o Options) Checkpoint(pages int) Options { o.checkpoint = pages; return o }

// OnFileSystem pretends that the outbox is on a file system with the magic
// number.
func (o Options) OnFileSystem(judge func() (string, int)) Options {
	o.fileSystem = func(string) (string, trust) {
		kind, level := judge()
		return kind, trust(level)
	}
	return o
}

// The levels of trust.
const (
	Good     = int(good)
	Doubtful = int(doubtful)
	Refused  = int(refused)
)

// FileSystem is the real judgement.
func FileSystem(dir string) (string, int) {
	kind, level := fileSystem(dir)
	return kind, int(level)
}

// Migrate takes steps from other schema files.
func (ob *Outbox) Migrate(ctx context.Context, from fs.FS) error { return ob.migrate(ctx, from) }

// Schema is the text of the steps.
var Schema fs.FS = schemaFiles

// Raw opens the file of the outbox in dir beside it.
func Raw(t testing.TB, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", address(filepath.Join(dir, file), readWrite.Get(), []string{"busy_timeout(10000)", "foreign_keys(ON)"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Prepared are the texts of all statements that were run on the writing
// connection so far, and those that run beside it.
func (ob *Outbox) Prepared() []string {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	to, _ := sameAddress("r.addr", "a@b")
	list := []string{dueQuery, waitingQuery, "SELECT m.id FROM mail m WHERE " + strings.ReplaceAll(toQuery(to), "? ", "?1 ")}
	for text := range ob.stmts {
		list = append(list, text)
	}
	return list
}

// SetMeta writes one of the values that the outbox keeps about itself.
func (ob *Outbox) SetMeta(ctx context.Context, name, value string) error {
	return ob.write(ctx, func(t *tx) error { return t.setMeta(name, value) })
}
