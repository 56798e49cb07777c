package loopback_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/smtpsend/smtpsend/internal/loopback"
)

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "localhost.contoso.example": false, "127.0.0.1.contoso.example": false,
		"0.0.0.0": false, "::": false, "192.0.2.1": false, "::ffff:192.0.2.1": false, "[::1]": false,
	} {
		if got := loopback.Host(host); got != want {
			t.Errorf("Host(%q) is %v", host, got)
		}
	}
	for addr, want := range map[string]bool{"127.0.0.1:25": true, "[::1]:25": true, "[::ffff:127.0.0.1]:25": true, "192.0.2.1:25": false} {
		if got := loopback.Addr(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("Addr(%s) is %v", addr, got)
		}
	}
	if loopback.Addr(&net.UnixAddr{Name: "/run/localhost"}) {
		t.Error("a socket without an IP address is taken for one of this machine's")
	}
}
