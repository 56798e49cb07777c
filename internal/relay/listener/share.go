package listener

import (
	"net"
	"sync"
)

// Share is another way to accept the connections of l: each goes to one of those who
// call Accept. Closing it ends its own Accept alone, and loses no connection. So a server
// with new settings takes over from an old one without a moment in which no one accepts:
// it serves a share of its own, and then the old one's is closed.
func (l *Listener) Share() net.Listener { return &share{of: l, closed: make(chan struct{})} }

// share is a listener over another.
type share struct {
	of     *Listener
	closed chan struct{}
	once   sync.Once
}

// Accept is as that of the Listener.
func (s *share) Accept() (net.Conn, error) { return s.of.accept(s.closed) }

// Addr is that of the Listener.
func (s *share) Addr() net.Addr { return s.of.Addr() }

// Close ends Accept, with net.ErrClosed.
func (s *share) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}
