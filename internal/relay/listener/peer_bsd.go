//go:build darwin || freebsd

package listener

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// levelLocal is SOL_LOCAL.
const levelLocal = 0

// peerOf asks the kernel who connected (LOCAL_PEERCRED).
func peerOf(c *net.UnixConn) (LocalUser, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return LocalUser{}, err
	}
	var cred *unix.Xucred
	var asked error
	err = raw.Control(func(fd uintptr) { cred, asked = unix.GetsockoptXucred(int(fd), levelLocal, unix.LOCAL_PEERCRED) })
	if err = errors.Join(err, asked); err != nil {
		return LocalUser{}, err
	}
	return LocalUser{UID: int(cred.Uid)}, nil
}

// isRefused reports that no one listens on a socket.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
