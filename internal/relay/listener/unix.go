package listener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Everyone may connect to the socket: who it is decides what is allowed.
const (
	socketMode = 0o666
	dirMode    = 0o755
)

// openUnix listens on a Unix socket in a directory of this user, which is made when it
// does not exist. What a relay left that has ended is removed; a lock beside the socket
// says that it has. release gives the lock back.
func openUnix(ctx context.Context, path string) (l net.Listener, release func() error, err error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, nil, err
	}
	lock, locked, err := ownfile.TryLock(path + ".lock")
	switch {
	case err != nil:
		return nil, nil, err
	case !locked:
		return nil, nil, errors.New("another relay listens there")
	}
	if l, err = listenUnix(ctx, path); err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	return l, lock.Unlock, nil
}

// makeDir makes a directory that everyone may enter, or checks the one that is there.
func makeDir(dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return ownfile.CheckDir(dir)
	}
	if err := ownfile.MakeDir(dir); err != nil {
		return err
	}
	return ownfile.SetMode(dir, dirMode)
}

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := ownfile.SetMode(path, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes a socket that no one listens on.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return errors.New("another program listens there")
	case !isRefused(err):
		return err
	}
	return os.Remove(path)
}
