package store_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

const first = "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL); CREATE TABLE thing (id IDENTITY, at BIGINT NOT NULL);"

// steps are schema files with the texts.
func steps(texts ...string) fs.FS {
	files := make(fstest.MapFS)
	for i, text := range texts {
		files["schema/000"+string(rune('1'+i))+".sql"] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func open(t *testing.T, dir string, schema store.Schema, o store.Options) *store.DB {
	t.Helper()
	o.Reserve = -1
	db, err := store.Open(t.Context(), dir, schema, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// things reads the whole table.
func things(t *testing.T, db *store.DB) (list []int64) {
	t.Helper()
	err := store.Each(db.View(t.Context()), func(rows *sql.Rows) error {
		var at int64
		defer func() { list = append(list, at) }()
		return rows.Scan(&at)
	}, "SELECT at FROM thing ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func insert(at int64) func(*store.Tx) error {
	return func(t *store.Tx) error {
		_, err := t.Exec("INSERT INTO thing (at) VALUES (?1)", at)
		return err
	}
}

func TestWhatFailsLeavesNothing(t *testing.T) {
	db := open(t, t.TempDir(), store.Schema{Steps: steps(first)}, store.Options{})
	if err := db.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := db.Write(t.Context(), func(tx *store.Tx) error { return errors.Join(insert(2)(tx), broken) })
	if !errors.Is(err, broken) {
		t.Errorf("Write: %v", err)
	}
	if got := things(t, db); len(got) != 1 || got[0] != 1 {
		t.Errorf("the table holds %v", got)
	}
}

func TestANewDatabaseBeginsOnce(t *testing.T) {
	dir, begun := t.TempDir(), 0
	schema := store.Schema{Steps: steps(first), Begin: func(tx *store.Tx) error { begun++; return tx.SetMeta("tag", "abc") }}
	if store.Exists(dir) {
		t.Error("there is one already")
	}
	for range 2 {
		db := open(t, dir, schema, store.Options{})
		if tag, err := store.Meta(db.View(t.Context()), "tag"); tag != "abc" || err != nil {
			t.Errorf("tag %q, %v", tag, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if begun != 1 || !store.Exists(dir) {
		t.Errorf("begun %d times", begun)
	}
	schema.Steps = steps(first, "ALTER TABLE thing ADD COLUMN colour TEXT NOT NULL DEFAULT ''")
	open(t, dir, schema, store.Options{})
	var newer *store.SchemaError
	if _, err := store.Open(t.Context(), dir, store.Schema{Steps: steps(first)}, store.Options{}); !errors.As(err, &newer) || newer.Have != 2 || newer.Know != 1 {
		t.Errorf("the old schema: %v", err)
	}
	if begun != 1 {
		t.Errorf("begun %d times", begun)
	}
}

func TestOneProcessHasTheLock(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir, store.Schema{Steps: steps(first)}, store.Options{}), open(t, dir, store.Schema{Steps: steps(first)}, store.Options{})
	lock, err := one.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Lock(); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if lock, err = two.Lock(); err != nil {
		t.Fatal(err)
	}
	_ = lock.Unlock()
}

// The clock that goes back is told, by how much, and the own time goes on.
func TestAClockThatIsSetBack(t *testing.T) {
	now, running := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC), time.Duration(0)
	var back []int64
	schema := store.Schema{Steps: steps(first), SetBack: func(_ *store.Tx, by int64) error { back = append(back, by); return nil }}
	db := open(t, t.TempDir(), schema, store.Options{
		Clock: func() time.Time { return now }, Steady: func() (string, time.Duration) { return "boot", running },
	})
	look := func() (own int64) {
		err := db.Write(context.Background(), func(tx *store.Tx) (err error) {
			if err = tx.Look(0); err == nil {
				own, err = tx.Own()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return own
	}
	before := look()
	now, running = now.Add(-time.Hour), running+time.Minute
	if gone := look() - before; gone != time.Minute.Milliseconds() {
		t.Errorf("%d ms of its own time went by", gone)
	}
	now, running = now.Add(-time.Second), running+time.Second // a time service
	look()
	if len(back) != 1 || back[0] != time.Hour.Milliseconds() {
		t.Errorf("set back by %v", back)
	}
}

func TestWhereNumbersItsArguments(t *testing.T) {
	var w store.Where
	w.Add("a = ? ", 1)
	w.In("b", []any{2, 3})
	w.Add("(c = ? OR d = ? )", 4, 5)
	if got := w.String(); got != "a = ?1  AND b IN (?2,?3) AND (c = ?4 OR d = ?5 )" || len(w.Args) != 5 {
		t.Errorf("%s with %v", got, w.Args)
	}
	if text := store.Cut(strings.Repeat("é", 3), 5); text != "éé" {
		t.Errorf("cut: %q", text)
	}
}

// Another program has the database locked: the first transaction waits for as long as it
// may, and those after it do not.
func TestALockOfAnotherProgramIsWaitedForOnce(t *testing.T) {
	const wait, next = time.Second, 20
	dir := t.TempDir()
	db := open(t, dir, store.Schema{Steps: steps(first)}, store.Options{LockWait: wait})
	other := open(t, dir, store.Schema{Steps: steps(first)}, store.Options{})
	began := time.Now()
	err := other.Write(t.Context(), func(*store.Tx) error {
		for range 1 + next {
			if err := db.Write(t.Context(), insert(1)); !errors.Is(err, store.ErrBusy) {
				t.Errorf("written: %v", err)
			}
		}
		return nil
	})
	if took := time.Since(began); took > next*wait {
		t.Errorf("%d transactions took %v", 1+next, took)
	}
	if err == nil {
		err = db.Write(t.Context(), insert(1))
	}
	if err != nil {
		t.Error(err)
	}
}
