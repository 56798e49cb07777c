package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/internal/smtpserver/places"
)

// port is an open socket. When its options change, a server with the new ones takes over
// the socket, and the connections of the old one go on, so that no reload refuses or cuts
// one.
type port struct {
	relay  *Relay
	key    string
	socket *listener.Listener
	places places.Places                      // of all that are connected, whichever server they came to
	entry  atomic.Pointer[relayfile.Listener] // of the file in force, or the last that had it

	shown   shown // guarded by Relay.reloading, as are the next three
	shape   shape
	current *served // of the present options
	started bool

	mu      sync.Mutex // guards servers
	servers map[*served]bool
}

// certificateSource is where a certificate comes from.
type certificateSource struct{ file, key, name string }

// shown is what a port shows.
type shown struct {
	certificate *certificate.Certificate
	from        certificateSource
}

// shape is what the options of a server are made of.
type shape struct {
	scheme      relayfile.Scheme
	limits      relayfile.Limits
	lowest      relayfile.TLSVersion
	certificate *certificate.Certificate
}

// served is a server and its share of the socket's connections.
type served struct {
	server *smtpserver.Server
	net.Listener
	port *port
}

// Accept returns the next connection, with a place for its session.
func (s *served) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s.port.relay.connections.Add(1)
	return &connection{Conn: c, relay: s.port.relay}, nil
}

// place is the address of a client, by which its session is found.
type place struct {
	net.Addr
	connection *connection
}

// RemoteAddr is a place.
func (c *connection) RemoteAddr() net.Addr { return place{c.Conn.RemoteAddr(), c} }

// connection is one with its session, once there is one.
type connection struct {
	net.Conn
	relay   *Relay
	closed  atomic.Bool
	session *session // for the goroutine that serves it
}

// Close closes the connection, which then counts no more.
func (c *connection) Close() error {
	if !c.closed.Swap(true) {
		c.relay.connections.Add(-1)
	}
	return c.Conn.Close()
}

// CloseWrite lets a client read what it was told last.
func (c *connection) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// keyOf names the socket of a listener: two entries with one key are one socket.
func keyOf(l *relayfile.Listener) string {
	switch {
	case l.Socket != "":
		return "socket " + l.Socket
	case l.Address.IsUnix():
		return l.Address.Path
	}
	return l.Address.Addr.String()
}

// openPort opens the socket of a listener, or takes that of the service manager.
func (r *Relay) openPort(ctx context.Context, l *relayfile.Listener) (*port, error) {
	if p := r.spare[keyOf(l)]; p != nil {
		delete(r.spare, p.key)
		return p, nil
	}
	at, err := listener.ParseAddress(l.Address.String())
	if err != nil {
		return nil, err
	}
	p := &port{relay: r, key: keyOf(l), servers: map[*served]bool{}}
	p.entry.Store(l)
	o := listener.Options{Address: at, ProxyFrom: l.ProxyFrom, Refused: p.connectionRefused}
	if l.Socket != "" {
		if o.Inherited, err = r.inherited(l); err != nil {
			return nil, err
		}
	}
	if p.socket, err = listener.Open(ctx, o); err != nil {
		return nil, unopened(err, l)
	}
	if l.Socket != "" {
		delete(r.opts.Inherited, l.Socket)
	}
	return p, nil
}

// unopened says what helps where that is known.
func unopened(err error, l *relayfile.Listener) error {
	if l.Address.IsUnix() {
		return err
	}
	for _, known := range []struct {
		errno syscall.Errno
		words string
	}{
		{syscall.EADDRINUSE, "another program, or another relay, listens there"},
		{syscall.EADDRNOTAVAIL, "this host does not have that address"},
		{syscall.EACCES, "a port below 1024 needs a right that this process does not have; let systemd open it (socket: NAME), or write a port from 1024"},
	} {
		if errors.Is(err, known.errno) {
			return fmt.Errorf("%s: %w", known.words, known.errno)
		}
	}
	return err
}

// inherited are the sockets of a listener that the service manager opened.
func (r *Relay) inherited(l *relayfile.Listener) ([]net.Listener, error) {
	sockets := r.opts.Inherited[l.Socket]
	if len(sockets) == 0 {
		return nil, fmt.Errorf("the service manager has opened no socket %q, or an earlier reload closed it", l.Socket)
	}
	for _, socket := range sockets {
		at := socket.Addr()
		isLocal := at.Network() == "unix" || loopback.Addr(at)
		if l.Address.IsLoopback() && !isLocal { // what the file permits on loopback is not meant for others
			return nil, fmt.Errorf("socket %q is %s, which other hosts can reach: write the address that it has", l.Socket, at)
		}
	}
	return sockets, nil
}

// connectionRefused is told by the socket of connections that no session is for.
func (p *port) connectionRefused(remote net.Addr, err error) {
	code := event.ProxyHeader
	switch {
	case errors.Is(err, listener.ErrProxyBusy):
		code = event.ProxyBusy
	case errors.Is(err, listener.ErrPeer):
		code = event.PeerUnknown
	}
	who := peerAt(remote)
	e := event.Refusal{Stage: event.StageConnection, Code: code, Reply: line(err.Error())}
	l := p.entry.Load()
	e.Session = event.Session{Time: p.relay.opts.Now(), Listener: l.Address.String(), Lowest: uint16(l.TLSMin), Unix: who.Unix, Address: who.Addr, UID: who.UID}
	p.relay.opts.Logger.Warn("broken", "listener", e.Listener, "address", e.Place(), "code", string(e.Code), "err", err.Error())
	p.relay.opts.Refused(e)
}

// configure puts an entry of the file in force.
func (p *port) configure(l *relayfile.Listener, s shown) {
	p.entry.Store(l)
	p.socket.SetProxyFrom(l.ProxyFrom)
	p.shown = s
	next := shape{l.Address.Scheme, l.Limits, l.TLSMin, s.certificate}
	if p.current != nil && next == p.shape {
		return
	}
	p.shape = next
	o := smtpserver.Options{
		NewSession:      func(_ context.Context, peer *smtpserver.Peer) smtpserver.Session { return newSession(p, peer) },
		ImplicitTLS:     l.Address.Scheme == relayfile.SchemeSMTPS,
		IdleTimeout:     l.Limits.Idle,
		MaxConnections:  l.Limits.Connections,
		MaxPerAddress:   l.Limits.ConnectionsPerAddress,
		Places:          &p.places,
		MaxCommands:     l.Limits.Commands,
		MaxRecipients:   relayfile.MaxRecipients + 1, // the session says it in words, by its own limit
		MaxMessageBytes: limits.Message,              // so, too
		LineEnds:        smtpserver.ConvertBare,
		Tolerant:        true,
		Broken:          p.sessionBroke,
	}
	if s.certificate != nil {
		o.TLSConfig = s.certificate.Config(uint16(l.TLSMin))
	}
	old := p.current
	p.current = &served{smtpserver.New(o), p.socket.Share(), p}
	p.mu.Lock()
	p.servers[p.current] = true
	p.mu.Unlock()
	if p.started {
		p.serve(p.current)
	}
	if old != nil {
		_ = old.Close() // it ends when its last connection does
	}
}

// start begins to accept. Relay.reloading is held.
func (r *Relay) start(p *port) {
	p.started = true
	p.serve(p.current)
}

// serve runs a server until its last connection has ended.
func (p *port) serve(s *served) {
	ctx := p.relay.run
	p.relay.serving.Go(func() {
		_ = s.server.Serve(ctx, s) // ends because the port ends, or the options change
		p.mu.Lock()
		delete(p.servers, s)
		p.mu.Unlock()
	})
}

// remove stops accepting. Those who are connected go on.
func (p *port) remove() {
	_ = p.current.Close()
	_ = p.socket.Close()
}

// isOver reports a removed port without clients.
func (p *port) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.servers) == 0
}

// shutdown ends the port: who waits for a command is told, who is in the middle of a
// message may end it until ctx ends.
func (p *port) shutdown(ctx context.Context) {
	_ = p.socket.Close()
	p.mu.Lock()
	var all sync.WaitGroup
	for s := range p.servers {
		all.Go(func() { _ = s.server.Shutdown(ctx) })
	}
	p.mu.Unlock()
	all.Wait()
}
