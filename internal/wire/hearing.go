package wire

import (
	"errors"
	"net"
	"os"
	"time"
)

// recordTime is how long a TLS record that has begun to arrive may take to turn
// out to hold a reply.
const recordTime = 100 * time.Millisecond

// past is a deadline that ends reading at once.
var past = time.Unix(1, 0)

// Audible reports whether something was received, or the connection ended, that
// was not read yet: as far as it was read from the socket, which may still lie in
// crypto/tls, because that reads a record and what follows it at once. It moves
// the read deadline.
func (w *Wire) Audible() bool { return w.audible(past) }

// Spoken is Audible for what lies in the socket's receive buffer too, where the
// system can tell.
func (w *Wire) Spoken() bool {
	return w.Audible() || (pending(w.conn) && w.audible(time.Now().Add(recordTime)))
}

// Heard waits until the server says something or the connection ends, and reports
// true then; false when the read deadline came first. Another goroutine may write
// meanwhile.
func (w *Wire) Heard() bool {
	_, err := w.in.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// audible reports whether what arrives until then holds words, or is the end of
// the connection, rather than something of TLS's own such as a new ticket.
func (w *Wire) audible(then time.Time) bool {
	if w.conn.SetReadDeadline(then) != nil {
		return true
	}
	return w.Heard()
}

// pending reports whether something has arrived on the TCP connection under conn
// that was not read yet, its end included. Where that cannot be told without
// waiting it reports false.
func pending(conn net.Conn) bool {
	if b, ok := conn.(interface{ Buffered() int }); ok && b.Buffered() > 0 {
		return true
	}
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS, or what was read with a proxy's answer
		return pending(over.NetConn())
	}
	return arrived(conn)
}
