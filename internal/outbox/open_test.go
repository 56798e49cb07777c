package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// openAndLock makes all files of an outbox, until the test ends.
func openAndLock(t *testing.T, dir string) {
	t.Helper()
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ob.Close() })
	s, _, err := ob.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Release() })
}

func TestOnlyTheOwnerCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir := filepath.Join(t.TempDir(), "state", "outbox")
	openAndLock(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if got := strings.Join(names, " "); got != "lock queue.db queue.db-shm queue.db-wal" {
		t.Errorf("the directory holds %s", got)
	}
}

func TestDirectoryThatOthersReadIsToldOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir := filepath.Join(t.TempDir(), "outbox")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Warn: func(s string) { warnings = append(warnings, s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	if len(warnings) != 1 || !strings.HasSuffix(warnings[0], "may be read by others (mode 0755): mail waits there in plain text") {
		t.Errorf("warnings: %q", warnings)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may write everywhere; TestReadOnlyDisk covers it")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := outbox.Open(t.Context(), dir, outbox.Options{}); !isReadOnly(err) {
		t.Errorf("Open: %v", err)
	}
}

func TestNetworkFileSystemIsRefused(t *testing.T) {
	on := func(o outbox.Options, kind string, level store.Trust) outbox.Options {
		return o.OnFileSystem(func() (string, store.Trust) { return kind, level })
	}
	var warnings []string
	warn := outbox.Options{Warn: func(s string) { warnings = append(warnings, s) }}
	_, err := outbox.Open(t.Context(), t.TempDir(), on(warn, "NFS", store.Refused))
	var refused *store.FileSystemError
	if !errors.As(err, &refused) || refused.Kind != "NFS" || len(warnings) != 0 {
		t.Errorf("on NFS: %v, warnings %q", err, warnings)
	}
	for _, o := range []outbox.Options{
		on(outbox.Options{Warn: warn.Warn, AnyFileSystem: true}, "NFS", store.Refused),
		on(warn, "overlayfs", store.Doubtful),
	} {
		warnings = nil
		ob, err := outbox.Open(t.Context(), filepath.Join(t.TempDir(), "outbox"), o)
		if err != nil || len(warnings) != 1 {
			t.Fatalf("%v, warnings %q", err, warnings)
		}
		_ = ob.Close()
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ob.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := outbox.Raw(t, dir).Exec("UPDATE meta SET value = '99' WHERE name = 'schema'"); err != nil {
		t.Fatal(err)
	}
	_, err = outbox.Open(t.Context(), dir, outbox.Options{})
	var newer *store.SchemaError
	if !errors.As(err, &newer) || newer.Have != 99 {
		t.Errorf("Open: %v", err)
	}
}

// An outbox as the first version wrote it, with a message in each state, must be
// usable for ever.
func TestOutboxOfTheFirstVersion(t *testing.T) {
	dump, err := os.ReadFile("testdata/v1.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "queue.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := outbox.Raw(t, dir)
	if _, err := db.Exec(string(dump)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	if r := f.lock(); r != (outbox.Recovered{Again: 1, InDoubt: 1}) {
		t.Errorf("recovered %+v", r)
	}
	states := make(map[outbox.State]int)
	list, err := on(ob).List(t.Context(), operator.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		states[m.State]++
	}
	if states[outbox.Ready] != 3 || states[outbox.Held] != 1 || states[outbox.Dead] != 1 || states[outbox.Sent] != 1 || states[outbox.Cancelled] != 1 {
		t.Errorf("states: %v", states)
	}
	c := f.allowed()
	if got, err := f.read(c.QID); err != nil || got != content {
		t.Errorf("content: %q, %v", got, err)
	}
	f.finish(c, all(c, smtp.Accepted))
}

func TestDamagedContentIsNoticed(t *testing.T) {
	for name, damage := range map[string]string{
		"another octet": "UPDATE body SET data = CAST(replace(CAST(data AS TEXT), 'well', 'ill?') AS BLOB)",
		"cut off":       "UPDATE body SET data = substr(data, 1, 10)",
		"more of it":    "UPDATE body SET data = data || 'x'",
	} {
		dir := t.TempDir()
		ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
		q := f.put(mail())
		if _, err := outbox.Raw(t, dir).Exec(damage); err != nil {
			t.Fatal(err)
		}
		if _, err := f.read(q); !errors.Is(err, spool.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		_ = ob.Close()
	}
}

func TestMigrationIsAllOrNothing(t *testing.T) {
	present, err := fs.Glob(outbox.Schema, "schema/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	steps := func(next string) fs.FS {
		all := fstest.MapFS{"schema/9999.sql": {Data: []byte(next)}}
		for _, name := range present {
			all[name] = &fstest.MapFile{} // has been taken
		}
		return all
	}
	ob, err := outbox.Open(t.Context(), t.TempDir(), outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	q := f.put(mail())
	err = ob.Migrate(context.Background(), steps("ALTER TABLE mail ADD COLUMN colour TEXT NOT NULL DEFAULT ''; CREATE TABLE mail (id INTEGER);"))
	if err == nil || !strings.Contains(err.Error(), "applying schema/9999.sql") {
		t.Fatalf("a step that cannot work: %v", err)
	}
	// The column is not there, or this would fail.
	if err := ob.Migrate(context.Background(), steps("ALTER TABLE mail ADD COLUMN colour TEXT NOT NULL DEFAULT ''")); err != nil {
		t.Fatal(err)
	}
	if got, err := f.read(q); got != content || err != nil {
		t.Errorf("after the migration: %q, %v", got, err)
	}
	var newer *store.SchemaError
	if err := ob.Migrate(context.Background(), outbox.Schema); !errors.As(err, &newer) {
		t.Errorf("the old program on the new schema: %v", err)
	}
}

func TestManyProcessesOpenANewOutboxAtOnce(t *testing.T) {
	dir := t.TempDir()
	errs := make(chan error)
	for range 4 {
		go func() {
			ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
			if err == nil {
				_, _, err = ob.Accept(t.Context(), mail(), strings.NewReader(content))
				_ = ob.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestClosedOutboxTakesNothing(t *testing.T) {
	ob, err := outbox.Open(t.Context(), t.TempDir(), outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ob.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ob.Accept(t.Context(), mail(), strings.NewReader(content)); err == nil {
		t.Error("a closed outbox took a message")
	}
}

// Looking needs no turn among those who write.
func TestOpeningDoesNotWaitForWhoWrites(t *testing.T) {
	dir := t.TempDir()
	openAndLock(t, dir)
	foreign, err := outbox.Raw(t, dir).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if _, err := foreign.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ob, err := outbox.Open(ctx, dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	if _, err := on(ob).List(ctx, operator.Filter{}); err != nil || ctx.Err() != nil {
		t.Errorf("listing: %v, %v", err, ctx.Err())
	}
}

func TestDamagedFileIsTold(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"no database": func([]byte) []byte { return []byte(strings.Repeat("no database ", 1000)) },
		"overwritten": func(b []byte) []byte { return append(b[:4096:4096], bytes.Repeat([]byte("x"), len(b)-4096)...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
			if err == nil {
				err = ob.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "queue.db")
			b, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, damage(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if ob, err = outbox.Open(t.Context(), dir, outbox.Options{}); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("Open: %v, want ErrCorrupt", err)
			}
			if err == nil {
				_ = ob.Close()
			}
		})
	}
}
