package relayfile

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/smtpsend/smtpsend/internal/address"
)

// private are the networks that the internet has no way to: those of this host (RFC
// 1122 3.2.1.3, RFC 4291 2.5.3), of a site (RFC 1918, RFC 4193), of a link (RFC 3927,
// RFC 4291 2.5.6), and of a provider's address translation (RFC 6598).
var private = []string{
	"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10", "100.64.0.0/10",
}

// isPrivate reports that all of a network is in one of them.
func isPrivate(p netip.Prefix) bool { return within(p, private) }

// within reports that all of p is in one of the networks.
func within(p netip.Prefix, networks []string) bool {
	return slices.ContainsFunc(networks, func(text string) bool {
		outer := netip.MustParsePrefix(text)
		return outer.Bits() <= p.Bits() && outer.Contains(p.Addr())
	})
}

// embedding are the networks of IPv6 that hold all of IPv4 after so many bits: those of
// NAT64 (RFC 6052 2.1, RFC 8215) and of 6to4 (RFC 3056 2).
var embedding = []struct {
	network string
	after   int
}{{"64:ff9b::/96", 96}, {"64:ff9b:1::/48", 96}, {"2002::/16", 16}}

// breadth says how much of the internet a network is: the bits that it leaves free of
// an address of IPv4, or of the 64 that tell networks of IPv6 apart.
func breadth(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 32 - p.Bits()
	}
	for _, e := range embedding {
		if p.Overlaps(netip.MustParsePrefix(e.network)) {
			return 32 - min(max(p.Bits()-e.after, 0), 32)
		}
	}
	// A site has a /48, as an office has a /24: both are breadth 8. An address is 0.
	return max(0, 56-p.Bits())
}

// The breadth of what may be admitted by its address alone without being private.
const (
	maxBreadth  = 16 // a /16 of IPv4, a /40 of IPv6: more is a provider, not one's own
	warnBreadth = 8  // a /24 of IPv4, a /48 of IPv6
)

// checkOpenness refuses what lets strangers submit: the relay would be found within
// hours, and the mailbox blocked by Exchange Online.
func (k *checker) checkOpenness() {
	var alone, beyond, counted bool // an address is enough, and that for other hosts; it counts
	for i := range k.file.Listeners {
		l := &k.file.Listeners[i]
		switch {
		case l.Address.IsUnix() || l.Policy == "" || l.Policy == PolicyAuth:
		case l.Policy.ByAddress():
			alone, counted = true, true
			beyond = beyond || !l.Local()
		default:
			counted = true
		}
	}
	if !counted {
		return
	}
	for i := range k.file.Clients {
		c, key := &k.file.Clients[i], fmt.Sprintf("clients[%d]", i)
		for _, n := range c.Networks {
			o := openness{k, key, networkText(n), n, k.has(key + ".senders")}
			switch {
			case n.Bits() == 0:
				o.everyone(alone)
			case beyond && isPrivate(n):
				o.private()
			case beyond:
				o.public()
			}
		}
	}
}

// openness judges one network of a client.
type openness struct {
	k       *checker
	key     string // of the client
	text    string
	network netip.Prefix
	limited bool // the client has senders
}

func (o openness) refuse(format string, args ...any) {
	o.k.refuse(o.key+".networks", o.text, "makes this an open relay: "+format, args...)
}

func (o openness) warn(format string, args ...any) {
	o.k.warn(o.key+".networks", o.text, format, args...)
}

func (o openness) everyone(alone bool) {
	if alone {
		o.refuse("it is every address there is, and the address alone admits; write the networks of the devices, or give the client a user and the listeners the policy auth")
		return
	}
	o.warn("is every address there is: with ip-and-auth it asks for no more than auth does")
}

func (o openness) public() {
	switch wide := breadth(o.network); {
	case wide > maxBreadth:
		o.refuse("it is so much of the internet that strangers are in it, and the address alone admits; write the addresses of the devices, or give the client a user and the listeners the policy auth or ip-and-auth")
	case !o.limited:
		o.refuse("it is of the internet, the address alone admits, and the client may use any sender: behind such an address may be more than one device; write its senders, or give it a user and the listeners the policy auth or ip-and-auth")
	case wide > warnBreadth:
		o.warn("is a large part of the internet, and the address alone admits: is all of it yours?")
	}
}

// containers are the networks that Docker and Podman have for a host, unless they are
// told otherwise.
var containers = []string{"172.17.0.0/16", "10.88.0.0/16"}

func (o openness) private() {
	// A site's 10.0.0.0/8 has them by chance.
	inContainers := breadth(o.network) <= 20 && slices.ContainsFunc(containers, func(text string) bool { return o.network.Overlaps(netip.MustParsePrefix(text)) })
	switch {
	case inContainers:
		o.warn("has the addresses that containers have: when the relay runs in one, or is reached through one, every client may come from its gateway's address, strangers included")
	case !o.limited && breadth(o.network) > warnBreadth && !overlapsLoopback(o.network):
		o.warn("is more than one office, and each host in it may use any sender: write the senders of the client, or smaller networks")
	}
}

// checkProxies refuses proxies that anyone could be: they say which address a client
// has.
func (k *checker) checkProxies(key string, l *Listener) {
	if l.Address.IsUnix() && k.has(key+".proxy_protocol_from") {
		k.refuse(key+".proxy_protocol_from", "", "has no use on a Unix socket")
		return
	}
	key += ".proxy_protocol_from"
	for _, n := range l.ProxyFrom {
		const forge = "each of them may say that it is any client; write the addresses of the proxies"
		switch {
		case n.Bits() == 0:
			k.refuse(key, networkText(n), "makes this an open relay: every address there is is a proxy, and %s", forge)
		case !isPrivate(n) && breadth(n) > 0:
			k.refuse(key, networkText(n), "makes this an open relay: it is a network of the internet, and %s", forge)
		case breadth(n) > warnBreadth && !overlapsLoopback(n) && l.Policy != PolicyAuth:
			k.warn(key, networkText(n), "is more than the proxies, and %s", forge)
		}
	}
}

// networkText is a network as people write it: an address without /32.
func networkText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// domainOf is the rule for the domain of an address.
func domainOf(s Sender) (Sender, bool) {
	if s.IsNull() || s.IsDomain() {
		return Sender{}, false
	}
	p, err := address.ParsePattern("", "*@"+s.Domain())
	return Sender{p}, err == nil
}
