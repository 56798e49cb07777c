package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// mounted is a RAM disk of some size, which only root may mount.
func mounted(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("cmd-test", dir, "tmpfs", 0, "size=600m,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestEveryVerbThatLooksReadsAReadOnlyDisk: as a kernel leaves one after an I/O
// error. What writes says why it cannot.
func TestEveryVerbThatLooksReadsAReadOnlyDisk(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	disk := mounted(t)
	env := []string{
		"SMTPSEND_STATE_DIR=" + filepath.Join(disk, "state"), "SMTPSEND_MAIL_SENDER=a@contoso.example", "SMTPSEND_DEFAULT_DOMAIN=contoso.example",
		"SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555", "SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_CLIENT_SECRET=S3cr3t~of.contoso",
	}
	call := func(args ...string) (int, string) {
		var stdout, stderr strings.Builder
		code := run(t.Context(), &process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: env}, args)
		return code, stdout.String() + stderr.String()
	}
	if code, said := call("send", "--queue", "--to", "b@contoso.example", "-s", "hello", "--text", "y"); code != exit.OK {
		t.Fatalf("%d: %s", code, said)
	}
	_, listed := call("queue", "ls", "--json")
	_, id, _ := strings.Cut(listed, `"queue_id": "`)
	id, _, _ = strings.Cut(id, `"`)
	if err := unix.Mount("cmd-test", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	text := written(t, t.TempDir(), "text.txt", "y\n")
	rows := written(t, t.TempDir(), "rows.csv", "email\nb@contoso.example\n")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"queue", "ls"}, exit.OK, id},
		{[]string{"queue", "show", id}, exit.OK, "b@contoso.example"},
		{[]string{"queue", "why"}, exit.OK, "1 waiting"},
		{[]string{"queue", "history"}, exit.OK, id},
		{[]string{"queue", "stats"}, exit.OK, "1 waiting"},
		{[]string{"queue", "cat", id}, exit.OK, "Subject: hello"},
		{[]string{"queue", "backup", filepath.Join(t.TempDir(), "copy.db")}, exit.OK, "copied to"},
		{[]string{"sendmail", "-bp"}, exit.OK, id},
		{[]string{"batch", "--check", "-s", "x", "--text-file", text, "--to", "{{.email}}", rows}, exit.OK, "1 message"},
		{[]string{"queue", "cancel", id}, exit.CannotCreate, "read-only file system"},
		{[]string{"queue", "hold", "--mailbox", "a@contoso.example"}, exit.CannotCreate, "read-only file system"},
		{[]string{"queue", "run"}, exit.CannotCreate, "read-only file system"},
		{[]string{"send", "--queue", "--to", "b@contoso.example", "-s", "x", "--text", "y"}, exit.CannotCreate, "read-only file system"},
		{[]string{"batch", "-s", "x", "--text-file", text, "--to", "{{.email}}", rows}, exit.CannotCreate, "read-only file system"},
	} {
		code, said := call(tt.args...)
		if code != tt.code || !strings.Contains(said, tt.says) {
			t.Errorf("%q ended with %d, want %d and %q: %s", tt.args, code, tt.code, tt.says, said)
		}
		if looks := tt.code == exit.OK; looks != strings.Contains(said, "it is shown as it is, and nothing can be changed") && tt.args[0] != "batch" {
			t.Errorf("%q: %s", tt.args, said)
		}
	}
}
