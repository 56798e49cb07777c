//go:build unix

package wire

import (
	"errors"
	"net"
	"syscall"
)

// arrived looks into the socket's receive buffer and leaves it as it is.
func arrived(conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	blocked := true
	_ = raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		blocked = errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
	})
	return !blocked
}
