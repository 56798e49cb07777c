package listener_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
)

func TestUnixSocketKnowsItsClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "relay.sock")
	l, _ := open(t, listener.Options{Address: listener.Address{Kind: listener.Unix, Path: path}})
	dial(t, l, "")
	addr := accept(t, l).RemoteAddr()
	if user, ok := addr.(listener.LocalUser); !ok || user.UID != os.Getuid() || user.PID != os.Getpid() || addr.String() != "uid "+strconv.Itoa(os.Getuid()) {
		t.Errorf("got %+v", addr)
	}
	for name, mode := range map[string]os.FileMode{path: 0o666, filepath.Dir(path): 0o755} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if _, err := listener.Open(t.Context(), listener.Options{Address: listener.Address{Kind: listener.Unix, Path: path}}); err == nil || !strings.Contains(err.Error(), "another relay listens there") {
		t.Errorf("got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestUnixSocketOfAnotherUser: another user may connect, and is known.
func TestUnixSocketOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: another user")
	}
	const perl = "/usr/bin/perl" // one that another user can run
	if _, err := os.Stat(perl); err != nil {
		t.Skip("needs perl")
	}
	dir, err := os.MkdirTemp("", "relay") // whose parents everyone may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "run", "relay.sock")
	l, _ := open(t, listener.Options{Address: listener.Address{Kind: listener.Unix, Path: path}})
	cmd := exec.Command(perl, "-MIO::Socket::UNIX", "-e", "my $s = IO::Socket::UNIX->new(Peer => shift) or die $!; $s->read(my $b, 1)", path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := accept(t, l)
	if got := c.RemoteAddr().String(); got != "uid 12345" {
		t.Errorf("got %s", got)
	}
	_ = c.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSocketOfADeadRelayIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.sock")
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	o := listener.Options{Address: listener.Address{Kind: listener.Unix, Path: path}}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if _, err := listener.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("got %v while it lives", err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ := open(t, o)
	dial(t, l, "")
	accept(t, l)
}

func TestWhatIsNotASocketStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := listener.Options{Address: listener.Address{Kind: listener.Unix, Path: path}}
	if _, err := listener.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("%q, %v", data, err)
	}
	if err := errors.Join(os.Remove(path), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	var unsafe *ownfile.Error
	if _, err := listener.Open(t.Context(), o); !errors.As(err, &unsafe) {
		t.Errorf("got %v in a directory that others may write", err)
	}
}
