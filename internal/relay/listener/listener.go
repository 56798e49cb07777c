// Package listener opens what the relay's clients connect to: a TCP port or a Unix
// socket, or the sockets that a service manager opened. A connection that it accepts has
// the address of who is at its other end: that which a proxy says (PROXY protocol version
// 2), or the user of the program on a Unix socket.
package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/loopback"
)

// Kind is how a listener's clients come to TLS.
type Kind string

// The kinds, by their word in an address.
const (
	Clear    Kind = "smtp"     // without TLS
	StartTLS Kind = "starttls" // STARTTLS (RFC 3207)
	Implicit Kind = "smtps"    // TLS from the first octet (RFC 8314)
	Unix     Kind = "unix"     // without TLS, on this machine
)

// Address is where a listener listens.
type Address struct {
	Kind Kind
	Host string // host name or IP address, without brackets; "" for all addresses
	Port string
	Path string // of a Unix socket, absolute
}

// defaultPorts are those of RFC 5321, 6409 and 8314.
var defaultPorts = map[Kind]string{Clear: "25", StartTLS: "587", Implicit: "465"}

// ParseAddress reads smtp://HOST:PORT, starttls://HOST:PORT, smtps://HOST:PORT and
// unix:///PATH. Without a port it is 25, 587 or 465. The error is a predicate of the text.
func ParseAddress(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, errors.New("is not smtp://HOST:PORT, starttls://HOST:PORT, smtps://HOST:PORT or unix:///PATH")
	}
	a := Address{Kind: Kind(strings.ToLower(u.Scheme)), Host: u.Hostname(), Port: u.Port(), Path: u.Path}
	extra := u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != ""
	port, network := defaultPorts[a.Kind]
	switch {
	case !network && a.Kind != Unix:
		return Address{}, errors.New("does not begin with smtp://, starttls://, smtps:// or unix://")
	case extra:
		return Address{}, errors.New("has more than a host and a port, or a path")
	case a.Kind == Unix && u.Host != "":
		return Address{}, fmt.Errorf("needs a third slash before the path: unix:///%s%s", u.Host, u.Path)
	case a.Kind == Unix && (len(a.Path) < 2 || strings.HasSuffix(a.Path, "/")):
		return Address{}, errors.New("has no path of a socket")
	case a.Kind == Unix:
		return a, nil
	case a.Path != "" && a.Path != "/":
		return Address{}, errors.New("has a path")
	}
	a.Path = ""
	if a.Port == "" {
		a.Port = port
	}
	return a, nil
}

// String is the address as ParseAddress reads it.
func (a Address) String() string {
	if a.Kind == Unix {
		return "unix://" + a.Path
	}
	return string(a.Kind) + "://" + net.JoinHostPort(a.Host, a.Port)
}

// network is that of a TCP address: with "tcp" 0.0.0.0 and [::] would both be all addresses
// of both versions of IP, and a rule for the one would be asked about clients of the other.
func (a Address) network() string {
	switch ip, err := netip.ParseAddr(a.Host); {
	case err != nil: // a host name, or all
		return "tcp"
	case ip.Unmap().Is4():
		return "tcp4"
	}
	return "tcp6"
}

// IsLocal reports an address that programs of this machine alone can reach: a Unix
// socket, a loopback address, or localhost.
func (a Address) IsLocal() bool { return a.Kind == Unix || loopback.Host(a.Host) }

// Options describe a listener.
type Options struct {
	Address Address
	// Inherited are open sockets, used in place of opening Address, whose Kind counts
	// alone then. The listener closes them.
	Inherited []net.Listener
	// ProxyFrom are networks of proxies. A connection from them must begin with a header
	// of the PROXY protocol, version 2; from elsewhere it must not. SetProxyFrom changes
	// them.
	ProxyFrom []netip.Prefix
	// ProxyTimeout is how long the header may take; 0: 5 seconds.
	ProxyTimeout time.Duration
	// Refused is told of a connection that was closed without being accepted; remote is
	// the address of the socket. The error wraps ErrProxyHeader, ErrProxyBusy or
	// ErrPeer. It is called concurrently and must not wait. Nil: no one is told.
	Refused func(remote net.Addr, err error)
}

// Why a connection was refused. ErrUnexpectedProxy comes from reading a connection that
// was accepted.
var (
	ErrProxyHeader     = errors.New("listener: no valid header of the PROXY protocol, version 2, from a proxy")
	ErrProxyBusy       = errors.New("listener: too many connections of proxies that wait for their header")
	ErrUnexpectedProxy = errors.New("listener: a header of the PROXY protocol from an address that is not a proxy's")
	ErrPeer            = errors.New("listener: the user at the other end is not known")
)

// Listener is a net.Listener whose connections know who is at their other end. What
// Accept returns is, or wraps, a *net.TCPConn or *net.UnixConn. Its methods are safe for
// concurrent use.
type Listener struct {
	opts    Options
	sockets []net.Listener
	release func() error // of a Unix socket's lock
	proxies atomic.Pointer[[]netip.Prefix]

	accepted chan accepted
	closed   chan struct{}
	once     sync.Once
	wg       sync.WaitGroup
	pending  chan struct{} // a place for each connection that waits for its header
}

type accepted struct {
	conn net.Conn
	err  error
}

// maxPending is how many connections of proxies wait for their header at once.
const maxPending = 256

const defaultProxyTimeout = 5 * time.Second

// Open opens a listener. The error names the address.
func Open(ctx context.Context, o Options) (*Listener, error) {
	if o.ProxyTimeout == 0 {
		o.ProxyTimeout = defaultProxyTimeout
	}
	if o.Refused == nil {
		o.Refused = func(net.Addr, error) {}
	}
	l := &Listener{opts: o, sockets: o.Inherited, accepted: make(chan accepted), closed: make(chan struct{}), pending: make(chan struct{}, maxPending)}
	l.SetProxyFrom(o.ProxyFrom)
	if len(l.sockets) == 0 {
		if err := l.open(ctx); err != nil {
			return nil, fmt.Errorf("listening on %s: %w", o.Address, err)
		}
	}
	for _, socket := range l.sockets {
		l.wg.Go(func() { l.serve(socket) })
	}
	return l, nil
}

func (l *Listener) open(ctx context.Context) error {
	a := l.opts.Address
	if a.Kind == Unix {
		socket, release, err := openUnix(ctx, a.Path)
		if err != nil {
			return err
		}
		l.sockets, l.release = []net.Listener{socket}, release
		return nil
	}
	var config net.ListenConfig
	socket, err := config.Listen(ctx, a.network(), net.JoinHostPort(a.Host, a.Port))
	if err != nil {
		return err
	}
	l.sockets = []net.Listener{socket}
	return nil
}

// serve accepts the connections of one socket.
func (l *Listener) serve(socket net.Listener) {
	for {
		conn, err := socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.hand(accepted{err: err}) // whoever calls Accept waits before the next one
			continue
		}
		l.take(conn)
	}
}

// take hands a connection on, when it is known who it is.
func (l *Listener) take(conn net.Conn) {
	switch c := conn.(type) {
	case *net.UnixConn:
		peer, err := peerOf(c)
		if err != nil {
			l.refuse(conn, fmt.Errorf("%w: %w", ErrPeer, err))
			return
		}
		l.hand(accepted{conn: &localConn{c, peer}})
	case *net.TCPConn:
		if l.isProxy(c.RemoteAddr()) {
			l.await(c)
			return
		}
		l.hand(accepted{conn: &directConn{TCPConn: c}})
	default:
		l.hand(accepted{conn: conn})
	}
}

// SetProxyFrom changes Options.ProxyFrom for the connections that come from now on.
func (l *Listener) SetProxyFrom(networks []netip.Prefix) { l.proxies.Store(&networks) }

// isProxy reports an address of a proxy.
func (l *Listener) isProxy(addr net.Addr) bool {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return false
	}
	ip := ap.Addr().Unmap().WithZone("")
	for _, network := range *l.proxies.Load() {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// await reads a proxy's header beside the loop that accepts: a slow proxy keeps no one
// waiting.
func (l *Listener) await(c *net.TCPConn) {
	select {
	case l.pending <- struct{}{}:
	default:
		l.refuse(c, ErrProxyBusy)
		return
	}
	l.wg.Go(func() {
		client, err := l.readHeader(c)
		<-l.pending
		if err != nil {
			l.refuse(c, err)
			return
		}
		l.hand(accepted{conn: &proxiedConn{c, client}})
	})
}

// readHeader is the client that a proxy names.
func (l *Listener) readHeader(c *net.TCPConn) (net.Addr, error) {
	stop := make(chan struct{})
	defer close(stop)
	go func() { // Close does not wait for the header
		select {
		case <-l.closed:
			_ = c.Close()
		case <-stop:
		}
	}()
	if err := c.SetReadDeadline(time.Now().Add(l.opts.ProxyTimeout)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxyHeader, err)
	}
	client, err := readProxy(c, c.RemoteAddr())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxyHeader, err)
	}
	return client, c.SetReadDeadline(time.Time{})
}

func (l *Listener) refuse(conn net.Conn, err error) {
	_ = conn.Close()
	select {
	case <-l.closed:
	default:
		l.opts.Refused(conn.RemoteAddr(), err)
	}
}

// hand gives a connection, or an error, to Accept.
func (l *Listener) hand(a accepted) {
	select {
	case l.accepted <- a:
	case <-l.closed:
		if a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

// Accept returns the next connection. Its error is net.ErrClosed after Close, or that of
// a socket, after which it may be called again.
func (l *Listener) Accept() (net.Conn, error) { return l.accept(nil) }

// accept ends with stop, too.
func (l *Listener) accept(stop <-chan struct{}) (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.closed:
	case <-stop:
	}
	return nil, fmt.Errorf("accepting on %s: %w", l.opts.Address, net.ErrClosed)
}

// Addr is the address of the first socket.
func (l *Listener) Addr() net.Addr { return l.sockets[0].Addr() }

// IsLocal reports that programs of this machine alone can connect. For sockets that were
// inherited the sockets decide, whatever the address says.
func (l *Listener) IsLocal() bool {
	for _, socket := range l.sockets {
		addr := socket.Addr()
		if addr.Network() != "unix" && !loopback.Addr(addr) {
			return false
		}
	}
	return true
}

// Close closes the sockets, and connections that were not accepted yet. The file of a
// Unix socket that was opened here is removed.
func (l *Listener) Close() error {
	var errs []error
	l.once.Do(func() {
		close(l.closed)
		for _, socket := range l.sockets {
			errs = append(errs, socket.Close())
		}
		l.wg.Wait()
		if l.release != nil {
			errs = append(errs, l.release())
		}
	})
	return errors.Join(errs...)
}
