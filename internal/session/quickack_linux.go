package session

import (
	"net"
	"syscall"
)

// quickAck makes reads acknowledge at once while a session is set up. A server
// that writes its TLS tickets and its EHLO reply separately, with Nagle's
// algorithm on, holds the second back until the first is acknowledged, which
// Linux would delay by 40 ms.
func quickAck(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return &quickAckConn{TCPConn: tcp, raw: raw, reads: 32}
}

type quickAckConn struct {
	*net.TCPConn
	raw   syscall.RawConn
	reads int // reads left that matter; later ones save the system call
}

// Read sets the option before each read, because Linux takes it back by itself
// (tcp(7), TCP_QUICKACK). That it cannot be set costs time, not correctness.
func (c *quickAckConn) Read(p []byte) (int, error) {
	if c.reads > 0 {
		c.reads--
		_ = c.raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
	return c.TCPConn.Read(p)
}
