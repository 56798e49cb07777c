package outbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// stopped is a disk with an outbox of two messages, of which SQLite's log has one,
// as a process leaves it that was killed.
func stopped(t *testing.T) (dir string, taken []queueid.ID) {
	t.Helper()
	dir = smallDisk(t, "size=8m")
	live := t.TempDir()
	ob, err := outbox.Open(t.Context(), live, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	taken = append(taken, f.put(mail()))
	if err := ob.Close(); err != nil {
		t.Fatal(err)
	}
	if ob, err = outbox.Open(t.Context(), live, outbox.Options{Reserve: -1}); err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	f.queue = on(ob)
	taken = append(taken, f.put(mail()))
	for _, name := range []string{"queue.db", "queue.db-wal", "queue.db-shm"} {
		data, err := os.ReadFile(filepath.Join(live, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, taken
}

func readOnly(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("outbox-test", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

// full leaves no room for another octet.
func full(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

func remove(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func openAndClose(t *testing.T, dir string) {
	t.Helper()
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
	if err == nil {
		err = ob.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An outbox can be looked at, and saved, where nothing can be written. What is in
// SQLite's log alone is not missing.
func TestReadingWhereNothingCanBeWritten(t *testing.T) {
	for name, tt := range map[string]struct {
		left func(t *testing.T, dir string)
		stop func(*testing.T, string)
	}{
		"closed, read-only":           {openAndClose, readOnly},
		"killed, read-only":           {func(*testing.T, string) {}, readOnly},
		"killed, no index, read-only": {func(t *testing.T, dir string) { remove(t, dir+"/queue.db-shm") }, readOnly},
		"killed, empty index, read-only": {func(t *testing.T, dir string) {
			remove(t, dir+"/queue.db-shm")
			_ = os.WriteFile(dir+"/queue.db-shm", nil, 0o600)
		}, readOnly},
		"killed, broken index, read-only": {func(t *testing.T, dir string) {
			_ = os.WriteFile(dir+"/queue.db-shm", bytes.Repeat([]byte{7}, 32768), 0o600)
		}, readOnly},
		"closed, full":           {openAndClose, full},
		"killed, full":           {func(*testing.T, string) {}, full},
		"killed, no index, full": {func(t *testing.T, dir string) { remove(t, dir+"/queue.db-shm") }, full},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			dir, taken := stopped(t)
			tt.left(t, dir)
			tt.stop(t, dir)
			var warnings []string
			ob, err := outbox.OpenToRead(t.Context(), dir, outbox.Options{Warn: func(s string) { warnings = append(warnings, s) }})
			if err != nil {
				t.Fatal(err)
			}
			saved := filepath.Join(t.TempDir(), "queue.db")
			holdsBoth(t, ob, taken)
			if err := ob.Backup(t.Context(), saved); err != nil {
				t.Errorf("Backup: %v", err)
			}
			if last := warnings[len(warnings)-1]; strings.Contains(name, "full") != strings.Contains(last, "full") && name != "killed, full" {
				t.Errorf("warnings: %q", warnings)
			}
			if err := ob.Close(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
				t.Errorf("left in the directory for temporary files: %v, %v", left, err)
			}
			again, err := outbox.Open(t.Context(), filepath.Dir(saved), outbox.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			holdsBoth(t, again, taken)
			if err := unix.Mount("outbox-test", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
			healed, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer healed.Close()
			holdsBoth(t, healed, taken)
			(&fixture{t: t, ctx: t.Context(), queue: on(healed)}).put(mail())
		})
	}
}

// beside shows dir at another name, where it cannot be written.
func beside(t *testing.T, dir string) string {
	t.Helper()
	other := t.TempDir()
	if err := unix.Mount(dir, other, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(other, unix.MNT_DETACH) })
	if err := unix.Mount("", other, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return other
}

// A read-only mount may show an outbox that lives elsewhere.
func TestReadingBesideOneWhoWrites(t *testing.T) {
	dir, taken := stopped(t)
	live, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	ob, err := outbox.OpenToRead(t.Context(), beside(t, dir), outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	holdsBoth(t, ob, taken)
	(&fixture{t: t, ctx: t.Context(), queue: on(live)}).put(mail())
	if list, err := on(ob).List(t.Context(), operator.Filter{}); err != nil || len(list) != 3 {
		t.Errorf("%d messages, %v, want 3", len(list), err)
	}
	if err := ob.Close(); err != nil {
		t.Error(err)
	}
}

func TestWritingMeanwhileIsNoticed(t *testing.T) {
	dir := smallDisk(t, "size=8m")
	openAndClose(t, dir)
	ob, err := outbox.OpenToRead(t.Context(), beside(t, dir), outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	live, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	(&fixture{t: t, ctx: t.Context(), queue: on(live)}).put(mail())
	if err := ob.Close(); !errors.Is(err, store.ErrChanged) {
		t.Errorf("Close: %v, want ErrChanged", err)
	}
}

// What an older version has left can be read where it cannot be brought up to
// date.
func TestReadingAnOlderOutboxThatCannotBeWritten(t *testing.T) {
	dump, err := os.ReadFile("testdata/v1.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir := smallDisk(t, "size=8m")
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
	readOnly(t, dir)
	ob, err := outbox.OpenToRead(t.Context(), dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	if list, err := on(ob).List(t.Context(), operator.Filter{}); err != nil || len(list) != 7 {
		t.Errorf("%d messages, %v, want 7", len(list), err)
	}
}

func TestNothingToReadIsToldOf(t *testing.T) {
	dir := smallDisk(t, "size=1m")
	readOnly(t, dir)
	if _, err := outbox.OpenToRead(t.Context(), filepath.Join(dir, "outbox"), outbox.Options{}); !errors.Is(err, unix.EROFS) {
		t.Errorf("without an outbox: %v", err)
	}
}

// holdsBoth looks in every way.
func holdsBoth(t *testing.T, ob *outbox.Outbox, taken []queueid.ID) {
	t.Helper()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	for _, q := range taken {
		if got, err := f.read(q); got != content || err != nil {
			t.Errorf("content of %s: %q, %v", q, got, err)
		}
	}
	boxes, err := on(ob).Mailboxes(t.Context())
	if err != nil || len(boxes) != 1 || boxes[0].Counts[outbox.Ready] != 2 {
		t.Errorf("mailboxes: %+v, %v", boxes, err)
	}
	if list, err := on(ob).History(t.Context(), operator.Filter{}); err != nil || len(list) != 2 {
		t.Errorf("history: %d, %v", len(list), err)
	}
}

func TestNothingIsWrittenToWhatWasOpenedToRead(t *testing.T) {
	dir, _ := stopped(t)
	readOnly(t, dir)
	ob, err := outbox.OpenToRead(t.Context(), dir, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	if _, _, err := ob.Accept(t.Context(), mail(), strings.NewReader(content)); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Accept: %v", err)
	}
	if _, err := on(ob).Act(t.Context(), outbox.Cancel, operator.Filter{All: true}); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Act: %v", err)
	}
}

// A sender that only looks what is due goes on where nothing can be written.
func TestLookingForDueMailNeedsNoRoom(t *testing.T) {
	dir := smallDisk(t, "size=8m")
	c := &clock{now: time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)}
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1, Clock: c.Now, Steady: c.steady})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	f.put(mail())
	f.lock()
	full(t, dir)
	c.add(2 * time.Hour)
	if due, err := f.sender.Due(t.Context()); err != nil || len(due) != 1 {
		t.Errorf("%+v, %v", due, err)
	}
}
