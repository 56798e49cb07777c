//go:build linux

package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// smallDisk mounts one of so many MiB, in memory.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		lacking(t, "this machine mounts no tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

const localListener = `listeners: [{address: 'smtp://127.0.0.1:0'}]
clients: [{name: this-host, networks: [127.0.0.1]}]
`

// TestRelayOnAFullOrReadOnlyDisk fills the disk of a relay: clients hear 4yz, what was
// answered with 250 arrives, and mail is taken again without a restart when the disk takes
// it. On a read-only disk the relay does not start, and says why.
func TestRelayOnAFullOrReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, 300) // the outbox keeps 256 MiB free
	box := start(t, sandbox.Options{TimeScale: 1000})
	state := filepath.Join(disk, "state")
	r := startOurRelay(t, box, func(string) string { return localListener }, []string{"SMTPSEND_STATE_DIR=" + state}, nil)
	host, port := r.at(t, "smtp://127.0.0.1:0")
	send := func(to, want string) {
		t.Helper()
		err := smtp.SendMail(fmt.Sprintf("%s:%d", host, port), nil, "a@contoso.example", []string{to}, []byte("Subject: x\r\n\r\ntext\r\n"))
		got := ""
		if err != nil {
			got = err.Error()
			if reply, ok := errors.AsType[*textproto.Error](err); ok {
				got = fmt.Sprintf("%d %s", reply.Code, reply.Msg)
			}
		}
		if got != want {
			t.Errorf("%s: the relay said %q, want %q", to, got, want)
		}
	}
	send("1@fabrikam.example", "")
	r.arrived(t, "1@fabrikam.example")

	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte("x"), 100<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	send("full@fabrikam.example", "452 4.3.1 the relay's disk is full: try again later")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	send("2@fabrikam.example", "")
	r.arrived(t, "2@fabrikam.example")
	r.await(t, "mail is taken again")

	r.stop(t)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	environ := []string{"SMTPSEND_STATE_DIR=" + state}
	if done := finish(t, r.command(t, environ, nil, "relay")); done.code != exit.CannotCreate || !strings.Contains(done.stderr, "read-only file system") {
		t.Errorf("with a read-only disk: %v", done)
	}
	remount(0)
	r.server, _ = serve(t, r.command(t, environ, nil, "relay"), "msg=listening")
	host, port = r.at(t, "smtp://127.0.0.1:0")
	send("3@fabrikam.example", "")
	r.arrived(t, "3@fabrikam.example")
}
