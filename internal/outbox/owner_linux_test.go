package outbox_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

const nobody = 65534

// What others may have planted is refused, and nothing of it is touched.
func TestPlantedFilesAreRefused(t *testing.T) {
	root := os.Geteuid() == 0
	for name, tt := range map[string]struct {
		plant     func(dir, target string) error
		part      string
		needsRoot bool
	}{
		"a link in the place of the database": {func(dir, target string) error { return os.Symlink(target, filepath.Join(dir, "queue.db")) }, "queue.db is a link", false},
		"a link in the place of the lock":     {func(dir, target string) error { return os.Symlink(target, filepath.Join(dir, "lock")) }, "lock is a link", false},
		"a hard link as the database":         {func(dir, target string) error { return os.Link(target, filepath.Join(dir, "queue.db")) }, "hard link", false},
		"a hard link as the lock":             {func(dir, target string) error { return os.Link(target, filepath.Join(dir, "lock")) }, "hard link", false},
		"a dangling link": {func(dir, target string) error {
			return errors.Join(os.Remove(target), os.Symlink(target, filepath.Join(dir, "queue.db")))
		}, "queue.db is a link", false},
		"a log of another user": {func(dir, _ string) error {
			name := filepath.Join(dir, "queue.db-wal")
			return errors.Join(os.WriteFile(name, nil, 0o666), os.Chown(name, nobody, nobody))
		}, "queue.db-wal belongs to user 65534", true},
		"a directory with the sticky bit that is not empty": {func(dir, _ string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "x"), nil, 0o600), os.Chmod(dir, 0o777|fs.ModeSticky))
		}, "may be written by every user", false},
		"a directory that all may write": {func(dir, _ string) error { return os.Chmod(dir, 0o777) }, "may be written by every user", false},
		"a directory of another user":    {func(dir, _ string) error { return os.Chown(dir, nobody, nobody) }, "belongs to user 65534", true},
		"a database of another user": {func(dir, _ string) error {
			name := filepath.Join(dir, "queue.db")
			return errors.Join(os.WriteFile(name, nil, 0o600), os.Chown(name, nobody, nobody))
		}, "belongs to user 65534", true},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.needsRoot && !root {
				t.Skip("needs root, to have files of another user")
			}
			dir, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
			if err := os.WriteFile(target, nil, 0o644); err != nil { // empty, as a database may be that SQLite makes
				t.Fatal(err)
			}
			if err := tt.plant(dir, target); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(target)
			err := openAndLockOnce(t.Context(), dir)
			var refused *ownfile.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.part) {
				t.Errorf("got %v; want an *ownfile.Error with %q", err, tt.part)
			}
			after, err := os.Lstat(target)
			if before == nil {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a file was made where the link leads: %v", err)
				}
				return
			}
			if err != nil || after.Mode() != before.Mode() || after.Size() != 0 || !os.SameFile(before, after) {
				t.Errorf("what the link leads to is %v now (%v), was %v", after, err, before)
			}
		})
	}
}

func openAndLockOnce(ctx context.Context, dir string) error {
	ob, err := outbox.Open(ctx, dir, outbox.Options{Reserve: -1})
	if err != nil {
		return err
	}
	s, _, err := ob.Lock(ctx)
	if err == nil {
		err = s.Release()
	}
	return errors.Join(err, ob.Close())
}

// The directory may be reached by another name: there is one lock all the same.
func TestTwoNamesOfADirectoryAreOneOutbox(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	s, _, err := ob.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if err := openAndLockOnce(t.Context(), link); !errors.Is(err, store.ErrLocked) {
		t.Errorf("by the other name: %v, want ErrLocked", err)
	}
}
