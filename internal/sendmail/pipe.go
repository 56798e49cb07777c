package sendmail

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// pipeListener gives one connection, and ends when that has ended.
type pipeListener struct {
	conn  *pipeConn
	given bool
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.conn.closed
	return nil, net.ErrClosed
}

func (l *pipeListener) Close() error   { return l.conn.Close() }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "standard input" }

// pipeConn is standard input and output as a connection. It has no deadlines: a
// person may sit at the other end.
type pipeConn struct {
	in     io.Reader
	out    io.Writer
	once   sync.Once
	closed chan struct{}

	firstLineEnded, bareLF bool   // the first line has ended, and with LF alone
	crs                    int    // CRs before the next octet
	buffer, left           []byte // converted; what of it is not handed on
}

// Read makes every line of a person, who cannot type CR, end with CRLF. A
// program is known by its first line: what it sends later with LF alone is
// content and must not end it, lest the content of one message become the next.
// CRs before an LF are one, for a program whose CRLF went through text mode.
func (c *pipeConn) Read(p []byte) (int, error) {
	for len(c.left) == 0 {
		n, err := c.read(p)
		c.buffer = c.lines(c.buffer[:0], p[:n])
		if err != nil {
			c.buffer = c.giveCRs(c.buffer)
		}
		if c.left = c.buffer; len(c.left) == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

// lines appends in to out with its line ends converted.
func (c *pipeConn) lines(out, in []byte) []byte {
	for _, b := range in {
		switch {
		case b == '\r':
			if c.crs++; c.crs == limits.CRs {
				out = c.giveCRs(out)
			}
			continue
		case b == '\n':
			if !c.firstLineEnded {
				c.firstLineEnded, c.bareLF = true, c.crs == 0
			}
			if c.bareLF || c.crs > 0 {
				c.crs = 1
			}
		}
		out = append(c.giveCRs(out), b)
	}
	return out
}

// giveCRs appends the CRs that were held back.
func (c *pipeConn) giveCRs(out []byte) []byte {
	for ; c.crs > 0; c.crs-- {
		out = append(out, '\r')
	}
	return out
}

// read can be ended by Close, which a read of standard input itself cannot.
func (c *pipeConn) read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		buffer := make([]byte, len(p))
		n, err := c.in.Read(buffer)
		done <- result{buffer[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.data), r.err
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *pipeConn) Write(p []byte) (int, error) { return c.out.Write(p) }

// Close ends Accept, and a Read that waits when a signal ends us.
func (c *pipeConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *pipeConn) LocalAddr() net.Addr              { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr             { return pipeAddr{} }
func (c *pipeConn) SetDeadline(time.Time) error      { return nil }
func (c *pipeConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pipeConn) SetWriteDeadline(time.Time) error { return nil }
