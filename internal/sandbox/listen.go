package sandbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
)

// listenLoopback refuses addresses that others could reach: who asks for a
// token here shows a secret, and what is sent here is shown to all.
func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("reading address %q: %w", addr, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("address %q is not on loopback: the sandbox is for this machine only", addr)
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", net.JoinHostPort(host, port))
}

// sniffListener accepts TLS and plain HTTP on one port.
type sniffListener struct {
	net.Listener
	config *tls.Config
}

func (l *sniffListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sniffConn{Conn: c, config: l.config}, nil
}

// sniffConn decides at its first octet: 0x16 begins a TLS handshake (RFC 8446
// 5.1) and no HTTP method.
type sniffConn struct {
	net.Conn
	config *tls.Config

	mu    sync.Mutex // guards inner, which is nil before the first octet
	inner net.Conn
}

const recordHandshake = 0x16

func (c *sniffConn) Read(p []byte) (int, error) {
	inner := c.layer()
	if inner == nil {
		var first [1]byte
		if _, err := io.ReadFull(c.Conn, first[:]); err != nil {
			return 0, err
		}
		inner = &prefixConn{Conn: c.Conn, prefix: first[:]}
		if first[0] == recordHandshake {
			inner = tls.Server(inner, c.config)
		}
		c.mu.Lock()
		c.inner = inner
		c.mu.Unlock()
	}
	return inner.Read(p)
}

func (c *sniffConn) Write(p []byte) (int, error) {
	if inner := c.layer(); inner != nil {
		return inner.Write(p)
	}
	return c.Conn.Write(p)
}

// Close closes the socket itself: waiting to say goodbye in TLS could block.
func (c *sniffConn) Close() error {
	if t, ok := c.layer().(*tls.Conn); ok {
		return t.Close()
	}
	return c.Conn.Close()
}

func (c *sniffConn) layer() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inner
}

func (c *sniffConn) secure() bool {
	_, ok := c.layer().(*tls.Conn)
	return ok
}

// prefixConn gives back the octet that was looked at.
type prefixConn struct {
	net.Conn
	prefix []byte
}

func (c *prefixConn) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
