package listener_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/relay/listener"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"smtp://127.0.0.1":            "smtp://127.0.0.1:25",
		"SMTP://127.0.0.1:2525/":      "smtp://127.0.0.1:2525",
		"starttls://relay.example":    "starttls://relay.example:587",
		"smtps://[2001:db8::1]":       "smtps://[2001:db8::1]:465",
		"smtps://:465":                "smtps://:465",
		"unix:///run/smtpsend/a b":    "unix:///run/smtpsend/a b",
		"unix://run/relay.sock":       "needs a third slash before the path: unix:///run/relay.sock",
		"unix:///":                    "has no path of a socket",
		"unix:///run/":                "has no path of a socket",
		"http://a":                    "does not begin with",
		"127.0.0.1:25":                "is not smtp://HOST:PORT",
		"smtp://u:p@127.0.0.1":        "has more than a host and a port",
		"smtp://127.0.0.1?x=1":        "has more than a host and a port",
		"smtp://127.0.0.1/mail":       "has a path",
		"smtp:127.0.0.1":              "has more than a host and a port",
		"smtp://127.0.0.1:submission": "is not smtp://HOST:PORT",
	} {
		a, err := listener.ParseAddress(text)
		switch {
		case err != nil && !strings.HasPrefix(err.Error(), want):
			t.Errorf("%s: got %v; want %s", text, err, want)
		case err == nil && a.String() != want:
			t.Errorf("%s: got %s; want %s", text, a, want)
		}
	}
	for text, want := range map[string]bool{"smtp://127.9.9.9": true, "smtp://localhost": true, "smtps://[::1]": true, "unix:///run/a": true, "smtp://:25": false, "smtp://0.0.0.0": false, "smtp://192.0.2.1": false} {
		if a, err := listener.ParseAddress(text); err != nil || a.IsLocal() != want {
			t.Errorf("%s: %v, %v", text, a.IsLocal(), err)
		}
	}
}

// refusal is what a listener told of a connection.
type refusal struct {
	remote net.Addr
	err    error
}

// open opens a listener on loopback. Proxies are at 127.0.0.1.
func open(t *testing.T, o listener.Options) (*listener.Listener, chan refusal) {
	t.Helper()
	told := make(chan refusal, 1000)
	o.Refused = func(remote net.Addr, err error) { told <- refusal{remote, err} }
	if o.Address == (listener.Address{}) {
		o.Address = listener.Address{Kind: listener.Clear, Host: "127.0.0.1", Port: "0"}
	}
	l, err := listener.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, told
}

var proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

// dial connects from an address of this machine.
func dial(t *testing.T, l net.Listener, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	if l.Addr().Network() == "unix" {
		d.LocalAddr = nil
	}
	c, err := d.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	type result struct {
		c   net.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		done <- result{c, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatal(r.err)
		}
		t.Cleanup(func() { _ = r.c.Close() })
		_ = r.c.SetDeadline(time.Now().Add(time.Minute))
		return r.c
	case <-time.After(time.Minute):
		t.Fatal("nothing was accepted")
		return nil
	}
}

// header is one of version 2: command and version, family and transport, and a body.
func header(command, transport byte, body ...[]byte) string {
	all := []byte{}
	for _, part := range body {
		all = append(all, part...)
	}
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, transport)
	h = binary.BigEndian.AppendUint16(h, uint16(len(all)))
	return string(append(h, all...))
}

// addresses are those of a body.
func addresses(from, to string, fromPort, toPort uint16) []byte {
	b := append(netip.MustParseAddr(from).AsSlice(), netip.MustParseAddr(to).AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, fromPort), toPort)
}

func TestProxyNamesTheClient(t *testing.T) {
	l, told := open(t, listener.Options{ProxyFrom: proxies})
	v4 := addresses("192.0.2.17", "192.0.2.10", 4711, 25)
	tlv := append([]byte{0x04, 0x10, 0x00}, make([]byte, 4096)...)
	for name, tt := range map[string]struct{ header, want string }{
		"IPv4":                    {header(0x21, 0x11, v4), "192.0.2.17:4711"},
		"IPv4 with values":        {header(0x21, 0x11, v4, tlv), "192.0.2.17:4711"},
		"IPv6":                    {header(0x21, 0x21, addresses("2001:db8::17", "2001:db8::10", 4711, 25)), "[2001:db8::17]:4711"},
		"IPv4 in IPv6":            {header(0x21, 0x21, addresses("::ffff:192.0.2.17", "2001:db8::10", 4711, 25)), "192.0.2.17:4711"},
		"the proxy itself":        {header(0x20, 0x00), "127.0.0.1"},
		"the proxy with a family": {header(0x20, 0x11, v4), "127.0.0.1"},
		"not known to the proxy":  {header(0x21, 0x00, []byte("xyz")), "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, l, "127.0.0.1")
			for i := range len(tt.header) { // each octet in a packet of its own, perhaps
				if _, err := io.WriteString(c, tt.header[i:i+1]); err != nil {
					t.Fatal(err)
				}
			}
			_, _ = io.WriteString(c, "EHLO me\r\n")
			server := accept(t, l)
			if got := server.RemoteAddr().String(); got != tt.want && !strings.HasPrefix(got, tt.want+":") {
				t.Errorf("got %s; want %s", got, tt.want)
			}
			got := make([]byte, 9)
			if _, err := io.ReadFull(server, got); err != nil || string(got) != "EHLO me\r\n" {
				t.Errorf("got %q, %v after the header", got, err)
			}
		})
	}
	if len(told) > 0 {
		t.Errorf("refused %+v", <-told)
	}
}

func TestBadHeadersAreRefused(t *testing.T) {
	l, told := open(t, listener.Options{ProxyFrom: proxies, ProxyTimeout: 100 * time.Millisecond})
	v4 := addresses("192.0.2.17", "192.0.2.10", 4711, 25)
	for name, sent := range map[string]string{
		"none":                  "",
		"a client's words":      "EHLO printer.example\r\n",
		"a client's first word": "E",
		"version 1":             "PROXY TCP4 192.0.2.17 192.0.2.10 4711 25\r\n",
		"version 3":             header(0x31, 0x11, v4),
		"an unknown command":    header(0x22, 0x11, v4),
		"datagrams":             header(0x21, 0x12, v4),
		"a Unix socket":         header(0x21, 0x31, make([]byte, 216)),
		"no addresses":          header(0x21, 0x11),
		"half of them":          header(0x21, 0x11, v4[:6]),
		"values that end early": header(0x21, 0x11, v4, make([]byte, 100))[:60],
		"half a signature":      "\r\n\r\n\x00\r\nQU",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, l, "127.0.0.1")
			_, _ = io.WriteString(c, sent)
			var got refusal
			select {
			case got = <-told:
			case <-time.After(time.Minute):
				t.Fatal("nothing was told")
			}
			if !errors.Is(got.err, listener.ErrProxyHeader) || got.remote.String() != c.LocalAddr().String() {
				t.Errorf("got %+v", got)
			}
			if rest, _ := io.ReadAll(c); len(rest) > 0 {
				t.Errorf("the client got %q", rest)
			}
		})
	}
}

// TestSlowProxyKeepsNoOneWaiting: neither its other clients, nor the others.
func TestSlowProxyKeepsNoOneWaiting(t *testing.T) {
	l, _ := open(t, listener.Options{ProxyFrom: proxies, ProxyTimeout: time.Hour})
	for range 20 {
		_, _ = io.WriteString(dial(t, l, "127.0.0.1"), "\r\n\r\n")
	}
	direct := dial(t, l, "127.0.0.2")
	if got := accept(t, l).RemoteAddr().String(); got != direct.LocalAddr().String() {
		t.Errorf("got %s", got)
	}
	_, _ = io.WriteString(dial(t, l, "127.0.0.1"), header(0x21, 0x11, addresses("192.0.2.17", "192.0.2.10", 1, 25)))
	if got := accept(t, l).RemoteAddr().String(); got != "192.0.2.17:1" {
		t.Errorf("got %s", got)
	}
	if err := l.Close(); err != nil { // which waits for no one
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestTooManySlowConnectionsOfProxies(t *testing.T) {
	l, told := open(t, listener.Options{ProxyFrom: proxies, ProxyTimeout: time.Hour})
	for range 257 {
		dial(t, l, "127.0.0.1")
	}
	select {
	case got := <-told:
		if !errors.Is(got.err, listener.ErrProxyBusy) {
			t.Errorf("got %v", got.err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing was told")
	}
}

// TestProxiesChange: those that are proxies no longer are clients like others.
func TestProxiesChange(t *testing.T) {
	l, told := open(t, listener.Options{ProxyFrom: proxies})
	l.SetProxyFrom([]netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")})
	direct := dial(t, l, "127.0.0.1")
	if got := accept(t, l).RemoteAddr().String(); got != direct.LocalAddr().String() {
		t.Errorf("got %s", got)
	}
	_, _ = io.WriteString(dial(t, l, "127.0.0.2"), header(0x21, 0x11, addresses("192.0.2.17", "192.0.2.10", 1, 25)))
	if got := accept(t, l).RemoteAddr().String(); got != "192.0.2.17:1" {
		t.Errorf("got %s", got)
	}
	if len(told) > 0 {
		t.Errorf("refused %+v", <-told)
	}
}

// TestEachVersionOfIPIsAnAddressOfItsOwn: 0.0.0.0 does not open [::] too.
func TestEachVersionOfIPIsAnAddressOfItsOwn(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("needs IPv6: ", err)
	}
	probe.Close()
	four, _ := open(t, listener.Options{Address: listener.Address{Kind: listener.Clear, Host: "0.0.0.0", Port: "0"}})
	_, port, _ := net.SplitHostPort(four.Addr().String())
	if c, err := net.Dial("tcp6", net.JoinHostPort("::1", port)); err == nil {
		c.Close()
		t.Error("0.0.0.0 took a connection over IPv6")
	}
	six, _ := open(t, listener.Options{Address: listener.Address{Kind: listener.Clear, Host: "::", Port: port}})
	if c, err := net.Dial("tcp6", net.JoinHostPort("::1", port)); err != nil {
		t.Error(err)
	} else {
		c.Close()
		accept(t, six)
	}
	dial(t, four, "127.0.0.1")
	accept(t, four)
}

// session accepts a MAIL and says who the client is.
type session struct {
	smtpserver.Session
	peer *smtpserver.Peer
}

func (s session) Greeting(context.Context) smtpserver.Reply {
	return smtpserver.Say(220, s.peer.RemoteAddr().String())
}

func (s session) Hello(context.Context, string, bool) smtpserver.Reply {
	return smtpserver.Say(250, "hello")
}

func (s session) Mail(context.Context, smtpserver.Mail) smtpserver.Reply {
	return smtpserver.Say(250, "ok")
}

func (s session) Reset()  {}
func (s session) Logout() {}

// TestServerSeesTheClient: the address before the proxy is what smtpserver works with, and
// a header from elsewhere ends the session before a command is read.
func TestServerSeesTheClient(t *testing.T) {
	l, _ := open(t, listener.Options{ProxyFrom: proxies})
	told := make(chan smtpserver.Broken, 10)
	s := smtpserver.New(smtpserver.Options{
		MaxPerAddress: 1,
		NewSession:    func(_ context.Context, p *smtpserver.Peer) smtpserver.Session { return session{peer: p} },
		Broken:        func(_ *smtpserver.Peer, b smtpserver.Broken) { told <- b },
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	said := func(from, sent, want string) net.Conn {
		t.Helper()
		c := dial(t, l, from)
		_, _ = io.WriteString(c, sent)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		return c
	}
	proxied := func(client string) string { return header(0x21, 0x11, addresses(client, "192.0.2.10", 7, 25)) }
	said("127.0.0.1", proxied("192.0.2.17"), "220 192.0.2.17:7\r\n")
	said("127.0.0.1", proxied("192.0.2.18"), "220 192.0.2.18:7\r\n")
	said("127.0.0.1", proxied("192.0.2.17"), "421 4.7.0 Too many connections from your address")
	if got := <-told; got.Cause != smtpserver.CauseAddressConnections {
		t.Errorf("got %+v", got)
	}
	for i, sent := range []string{proxied("192.0.2.17"), "PROXY TCP4 192.0.2.17 192.0.2.10 4711 25\r\n"} {
		c := said(fmt.Sprintf("127.0.0.%d", 2+i), sent+"EHLO me\r\nMAIL FROM:<a@b>\r\n", "220 127.0.0.")
		rest, _ := io.ReadAll(c)
		if strings.Contains(string(rest), "250 ") {
			t.Errorf("%q: a command after it was read: %q", sent, rest)
		}
		if got := <-told; got.Cause != smtpserver.CauseLost || !errors.Is(got.Err, listener.ErrUnexpectedProxy) {
			t.Errorf("got %+v", got)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Error(err)
	}
}

func TestInheritedSocketsAreServedTogether(t *testing.T) {
	var inherited []net.Listener
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		inherited = append(inherited, l)
	}
	l, _ := open(t, listener.Options{Address: listener.Address{Kind: listener.Clear, Host: "192.0.2.1", Port: "1"}, Inherited: inherited})
	for _, one := range inherited {
		c := dial(t, one, "127.0.0.1")
		if got := accept(t, l).RemoteAddr().String(); got != c.LocalAddr().String() {
			t.Errorf("got %s", got)
		}
	}
	if !l.IsLocal() {
		t.Error("sockets of this machine are taken for others")
	}
}

// TestServersTakeOverUnderLoad: a new server takes over the socket again and again, and
// no client is refused or cut.
func TestServersTakeOverUnderLoad(t *testing.T) {
	l, _ := open(t, listener.Options{})
	served := make(chan error, 100)
	next := func() (net.Listener, *smtpserver.Server) {
		s := smtpserver.New(smtpserver.Options{NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
			return secure{session{peer: p}}
		}})
		shared := l.Share()
		go func() { served <- s.Serve(context.Background(), shared) }()
		return shared, s
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var sessions atomic.Int64
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := visit(l.Addr().String()); err != nil {
					t.Error(err)
					return
				}
				sessions.Add(1)
			}
		})
	}
	shared, old := next()
	for range 50 {
		before := sessions.Load()
		newShare, s := next()
		_ = shared.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) { // after its last session
			t.Errorf("the old server ended with %v", err)
		}
		_ = old.Close()
		shared, old = newShare, s
		for sessions.Load() == before {
			runtime.Gosched()
		}
	}
	close(stop)
	clients.Wait()
	_ = old.Close()
	<-served
}

// visit is a whole session.
func visit(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "EHLO me\r\nQUIT\r\n"); err != nil {
		return err
	}
	said, err := io.ReadAll(c)
	if err == nil && !strings.HasSuffix(string(said), "221 bye\r\n") {
		err = fmt.Errorf("got %q", said)
	}
	return err
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(header(0x21, 0x11, addresses("192.0.2.17", "192.0.2.10", 4711, 25))))
	f.Add([]byte(header(0x20, 0x00)))
	f.Add([]byte(header(0x21, 0x21, addresses("2001:db8::17", "2001:db8::10", 1, 2), []byte{1, 2, 3})))
	f.Fuzz(func(t *testing.T, sent []byte) {
		read, rest, err := listener.ReadHeader(sent)
		if err != nil {
			return
		}
		size := 16 + int(binary.BigEndian.Uint16(sent[14:]))
		if len(rest) != len(sent)-size || read == "" {
			t.Errorf("%q: %q and %q", sent, read, rest)
		}
	})
}
