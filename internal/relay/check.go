package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Check says whether the relay works: that each of its listeners accepts a connection and
// greets it before ctx ends, and that the outbox can be read. No one is told of these
// visits.
func (r *Relay) Check(ctx context.Context) error {
	if _, err := mailbox.All(r.opts.Outbox.DB().View(ctx), "-"); err != nil { // no mailbox has that name
		return fmt.Errorf("reading the outbox: %w", err)
	}
	r.reloading.Lock()
	ports := slices.Collect(maps.Values(r.ports))
	r.reloading.Unlock()
	for _, p := range ports {
		if err := p.check(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.entry.Load().Address, err)
		}
	}
	return nil
}

// check is a client that reads the greeting and leaves. One that is turned away, because
// there are as many as may be, has seen that the listener works.
func (p *port) check(ctx context.Context) error {
	at, refused := p.socket.Addr(), p.places.Refused()
	var d net.Dialer
	c, err := d.DialContext(ctx, at.Network(), reachable(at))
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	p.relay.checks.Store(c.LocalAddr().String(), true)
	defer p.relay.checks.Delete(c.LocalAddr().String())
	l := p.entry.Load()
	if own, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil && l.ProxyFrom.Contain(own.Addr()) {
		_, _ = io.WriteString(c, proxyLocal) // what is not taken is seen at once
	}
	stream := c
	if l.Address.Scheme == relayfile.SchemeSMTPS {
		stream = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // by which nothing but a greeting is read
	}
	r := bufio.NewReader(stream)
	greeting, err := r.ReadString('\n')
	isFull := strings.HasPrefix(greeting, "421") || p.places.Refused() > refused // which before TLS is said by no word
	switch {
	case isFull: // there are as many clients as may be: it works
		return nil
	case err != nil:
		return fmt.Errorf("waiting for the greeting: %w", err)
	}
	_, err = io.WriteString(stream, "QUIT\r\n")
	if err == nil {
		_, err = r.ReadString('\n')
	}
	if err == nil {
		_, _ = io.Copy(io.Discard, r) // to the end, after which the session is over
	}
	return err
}

// proxyLocal is the header of the PROXY protocol, version 2, for a connection that is the
// proxy's own (LOCAL).
const proxyLocal = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"

// reachable is where to connect to what listens at an address.
func reachable(at net.Addr) string {
	ap, err := netip.ParseAddrPort(at.String())
	switch {
	case err != nil || !ap.Addr().IsUnspecified():
		return at.String()
	case ap.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), ap.Port()).String()
}

// isCheck reports a connection of check.
func (r *Relay) isCheck(at net.Addr) bool {
	if p, ok := at.(place); ok {
		at = p.Addr
	}
	if user, ok := at.(listener.LocalUser); ok {
		return user.PID == os.Getpid() && user.UID == os.Geteuid()
	}
	_, found := r.checks.Load(at.String())
	return found
}
