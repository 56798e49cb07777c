package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// port is an open socket. Its options may change: connections go to the server of the
// present ones, while those of an older one go on, so that no reload refuses or cuts one.
type port struct {
	relay  *Relay
	key    string
	proxy  relayfile.Networks // that the socket was opened with
	socket net.Listener
	entry  atomic.Pointer[relayfile.Listener] // of the file in force, or the last that had it
	server atomic.Pointer[served]             // of the present options

	shown   shown // guarded by Relay.reloading, as is shape
	shape   shape
	started bool

	mu      sync.Mutex // guards servers
	servers map[*served]bool
	done    chan struct{} // closed when the port accepts nothing more
	once    sync.Once
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

// served is a server and the connections that it is handed. It is its net.Listener.
type served struct {
	server *smtpserver.Server
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept returns the next connection. After Close the error is net.ErrClosed.
func (s *served) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept, and nothing else.
func (s *served) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr is the socket's.
func (s *served) Addr() net.Addr { return s.addr }

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
	p := &port{relay: r, key: keyOf(l), proxy: l.ProxyFrom, servers: map[*served]bool{}, done: make(chan struct{})}
	p.entry.Store(l)
	o := listener.Options{Address: at, ProxyFrom: l.ProxyFrom, Refused: p.connectionRefused}
	if l.Socket != "" {
		if o.Inherited, err = r.inherited(l); err != nil {
			return nil, err
		}
	}
	if p.socket, err = listener.Open(ctx, o); err != nil {
		return nil, err
	}
	delete(r.opts.Inherited, l.Socket)
	return p, nil
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
	e.Session = event.Session{Time: p.relay.opts.Now(), Listener: p.entry.Load().Address.String(), Unix: who.Unix, Address: who.Addr, UID: who.UID}
	p.relay.opts.Refused(e)
}

// configure puts an entry of the file in force.
func (p *port) configure(l *relayfile.Listener, s shown) {
	p.entry.Store(l)
	p.shown = s
	next := shape{l.Address.Scheme, l.Limits, l.TLSMin, s.certificate}
	if p.server.Load() != nil && next == p.shape {
		return
	}
	p.shape = next
	o := smtpserver.Options{
		NewSession:      func(_ context.Context, peer *smtpserver.Peer) smtpserver.Session { return newSession(p, peer) },
		ImplicitTLS:     l.Address.Scheme == relayfile.SchemeSMTPS,
		IdleTimeout:     l.Limits.Idle,
		MaxConnections:  l.Limits.Connections,
		MaxPerAddress:   l.Limits.ConnectionsPerAddress,
		MaxCommands:     l.Limits.Commands,
		MaxRecipients:   mostRecipients, // the session says it in words, by its own limit
		MaxMessageBytes: limits.Message, // so, too
		LineEnds:        smtpserver.ConvertBare,
		Tolerant:        true,
		Broken:          p.sessionBroke,
	}
	if s.certificate != nil {
		o.TLSConfig = s.certificate.Config(uint16(l.TLSMin))
	}
	new := &served{server: smtpserver.New(o), addr: p.socket.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
	p.mu.Lock()
	p.servers[new] = true
	p.mu.Unlock()
	if p.started {
		p.serve(new)
	}
	if old := p.server.Swap(new); old != nil {
		_ = old.Close() // it ends when its last connection does
	}
}

// mostRecipients is above what a listener may let a message have.
const mostRecipients = 1000

// start begins to accept. Relay.reloading is held.
func (r *Relay) start(p *port) {
	p.started = true
	p.serve(p.server.Load())
	r.serving.Go(func() { p.accept(r.run) })
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

// accept hands connections to the server of the present options.
func (p *port) accept(ctx context.Context) {
	pause := time.Duration(0)
	for {
		c, err := p.socket.Accept()
		switch {
		case err == nil:
			pause = 0
			p.hand(c)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of file descriptors, most likely
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			_ = backoff.Sleep(ctx, pause)
		}
	}
}

// connection is one with its session, once there is one.
type connection struct {
	net.Conn
	session *session // for the goroutine that serves it
}

// CloseWrite lets a client read what it was told last.
func (c *connection) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// hand gives a connection to a server that takes it.
func (p *port) hand(accepted net.Conn) {
	c := &connection{Conn: accepted}
	for {
		s := p.server.Load()
		select {
		case s.conns <- c:
			return
		case <-s.closed: // there is another
		case <-p.done:
			_ = c.Close()
			return
		}
	}
}

// remove stops accepting. Those who are connected go on.
func (p *port) remove() {
	p.once.Do(func() { close(p.done) })
	_ = p.socket.Close()
	_ = p.server.Load().Close()
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
	p.once.Do(func() { close(p.done) })
	_ = p.socket.Close()
	p.mu.Lock()
	var all sync.WaitGroup
	for s := range p.servers {
		all.Go(func() { _ = s.server.Shutdown(ctx) })
	}
	p.mu.Unlock()
	all.Wait()
}
