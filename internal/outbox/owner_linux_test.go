package outbox_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox"
)

const nobody = 65534

func TestWhatRootQueuesBelongsToTheDirectorysOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	openAndLock(t, dir)
	for _, name := range []string{"queue.db", "queue.db-wal", "queue.db-shm", "lock"} {
		if uid := owner(t, filepath.Join(dir, name)); uid != nobody {
			t.Errorf("%s belongs to %d, want the directory's owner", name, uid)
		}
	}
}

func TestRootGivesNothingAwayThroughALink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "root's")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, "queue.db")); err != nil {
		t.Fatal(err)
	}
	if ob, err := outbox.Open(t.Context(), dir, outbox.Options{}); err == nil {
		defer ob.Close()
	}
	if uid := owner(t, target); uid != 0 {
		t.Errorf("what the link leads to belongs to %d now", uid)
	}
}

func owner(t *testing.T, name string) uint32 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}
