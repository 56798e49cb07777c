// Package clientnet says which addresses count as one client, for limits that are
// per client.
package clientnet

import (
	"net"
	"net/netip"
)

// ipv6Bits is the network that a site gives to one host or link (RFC 4291 2.5.4): all
// its addresses are at the command of whoever has one.
const ipv6Bits = 64

// Key names the client that an address belongs to: an IPv4 address, the /64 of an
// IPv6 address, and the text of another address, such as a local user. An IPv4
// address within IPv6 (::ffff:192.0.2.1) is the IPv4 address.
func Key(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(ipv6Bits)
	if err != nil { // never for an IPv6 address
		return ip.String()
	}
	return network.String()
}
