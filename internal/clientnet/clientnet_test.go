package clientnet_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/smtpsend/smtpsend/internal/clientnet"
)

func TestKeyIsTheClient(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:25": "192.0.2.1", "192.0.2.1:26": "192.0.2.1", "[::ffff:192.0.2.1]:25": "192.0.2.1",
		"[2001:db8:1:2::1]:25": "2001:db8:1:2::/64", "[2001:db8:1:2:ff::9]:1": "2001:db8:1:2::/64", "[2001:db8:1:3::1]:25": "2001:db8:1:3::/64",
		"[fe80::1%eth0]:25": "fe80::/64",
	} {
		if got := clientnet.Key(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))); got != want {
			t.Errorf("%s: got %q; want %q", address, got, want)
		}
	}
	if got := clientnet.Key(&net.UnixAddr{Name: "uid 33", Net: "unix"}); got != "uid 33" {
		t.Errorf("got %q", got)
	}
}
