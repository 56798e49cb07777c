package listener

import (
	"bytes"
	"net"
	"strconv"
)

// LocalUser is the program at the other end of a Unix socket, as the kernel knows it. It
// is the RemoteAddr of its connection.
type LocalUser struct {
	UID int
	PID int // 0 where the system does not tell
}

// Network is "unix".
func (LocalUser) Network() string { return "unix" }

// String is "uid 33".
func (u LocalUser) String() string { return "uid " + strconv.Itoa(u.UID) }

// localConn is a connection of a Unix socket.
type localConn struct {
	*net.UnixConn
	user LocalUser
}

// RemoteAddr is a LocalUser.
func (c *localConn) RemoteAddr() net.Addr { return c.user }

// proxiedConn is a connection through a proxy.
type proxiedConn struct {
	*net.TCPConn
	client net.Addr
}

// RemoteAddr is the client's, as the proxy says it.
func (c *proxiedConn) RemoteAddr() net.Addr { return c.client }

// directConn is a connection that no proxy may stand behind: a header that was let
// through would give every client the proxy's address.
type directConn struct {
	*net.TCPConn
	head   [len(signature)]byte // the first octets
	seen   int                  // of them
	judged bool                 // they are no header
}

// versionOne begins a header of the PROXY protocol, version 1.
const versionOne = "PROXY "

// Read fails with ErrUnexpectedProxy at a header of the PROXY protocol.
func (c *directConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.judged || n == 0 {
		return n, err
	}
	c.seen += copy(c.head[c.seen:], p[:n])
	head := c.head[:c.seen]
	switch {
	case bytes.HasPrefix(head, []byte(versionOne)), string(head) == signature:
		return 0, ErrUnexpectedProxy
	case bytes.HasPrefix([]byte(versionOne), head), bytes.HasPrefix([]byte(signature), head): // perhaps
	default:
		c.judged = true
	}
	return n, err
}
