// Package loopback tells whether a host is this machine, where alone a token or a
// secret may travel in the clear.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Host reports whether a host name or IP address, without brackets and port, is this
// machine. It decides by the name alone: one other than localhost could resolve to
// anything later.
func Host(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Addr reports whether the IP address of a connection's end is this machine's.
func Addr(addr net.Addr) bool {
	ap, err := netip.ParseAddrPort(addr.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}
