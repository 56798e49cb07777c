package outbox_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/outbox"
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

func TestFileSystemsAreJudged(t *testing.T) {
	for magic, want := range map[int64]int{
		0x6969: outbox.Refused, 0xff534d42: outbox.Refused, 0x65735546: outbox.Refused, 0x01021997: outbox.Refused,
		0x794c7630: outbox.Doubtful, 0x01021994: outbox.Doubtful,
		0xef53: outbox.Good, 0x58465342: outbox.Good, 0x9123683e: outbox.Good, // ext4, XFS, Btrfs
	} {
		if kind, level := outbox.Judge(magic); level != want || (kind == "") != (want == outbox.Good) {
			t.Errorf("%#x is %q, %d, want %d", magic, kind, level, want)
		}
	}
	dir := smallDisk(t, "size=1m")
	if kind, level := outbox.FileSystem(dir); kind != "a RAM disk" || level != outbox.Doubtful {
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
	if kind, level := outbox.FileSystem(merged); kind != "overlayfs" || level != outbox.Doubtful {
		t.Errorf("an overlay is %q, %d", kind, level)
	}
}
