package outbox_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// smallDisk mounts a RAM disk, which only root may.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("outbox-test", dir, "tmpfs", 0, options+",mode=0700"); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func growDisk(t *testing.T, dir, options string) {
	t.Helper()
	if err := unix.Mount("outbox-test", dir, "tmpfs", unix.MS_REMOUNT, options); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, "size=8m")
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := ob.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("outbox-test", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := outbox.Open(t.Context(), dir, outbox.Options{}); err == nil || !isReadOnly(err) {
		t.Errorf("Open on a read-only disk: %v", err)
	}
}

func TestARAMDiskIsKnown(t *testing.T) {
	dir := smallDisk(t, "size=1m")
	if kind, level := store.FileSystem(dir); kind != "a RAM disk" || level != store.Doubtful {
		t.Errorf("a RAM disk is %q, %d", kind, level)
	}
}

func TestOverlay(t *testing.T) {
	base := smallDisk(t, "size=1m")
	for _, d := range []string{"/lower", "/upper", "/work", "/merged"} {
		if err := os.Mkdir(base+d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	merged := base + "/merged"
	if err := unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+base+"/lower,upperdir="+base+"/upper,workdir="+base+"/work"); err != nil {
		t.Skipf("mounting an overlay: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	if kind, level := store.FileSystem(merged); kind != "overlayfs" || level != store.Doubtful {
		t.Errorf("an overlay is %q, %d", kind, level)
	}
}
