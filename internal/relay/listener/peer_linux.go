package listener

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who connected (unix(7), SO_PEERCRED).
func peerOf(c *net.UnixConn) (LocalUser, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return LocalUser{}, err
	}
	var cred *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, asked); err != nil {
		return LocalUser{}, err
	}
	return LocalUser{UID: int(cred.Uid), PID: int(cred.Pid)}, nil
}

// isRefused reports that no one listens on a socket.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
