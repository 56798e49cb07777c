package relayfile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Local reports that no other host can reach the listener: it is a Unix socket or on
// loopback, and no proxy brings others.
func (l *Listener) Local() bool { return l.Address.IsLoopback() && len(l.ProxyFrom) == 0 }

// OffersTLS reports a listener with a certificate.
func (l *Listener) OffersTLS() bool {
	return l.Address.Scheme == SchemeSTARTTLS || l.Address.Scheme == SchemeSMTPS
}

// AuthInClear reports that AUTH is taken without TLS: on a local listener always, on
// others where the file says so.
func (l *Listener) AuthInClear() bool { return l.AuthWithoutTLS || l.Local() }

// TakesUsers reports that a client can sign in at all: the policy asks for users, and
// there is a way to send a password.
func (l *Listener) TakesUsers() bool {
	hasWay := l.OffersTLS() || l.AuthInClear()
	return hasWay && l.Policy != PolicyIP
}

// Admits reports whether the client could get through: it has what the policy asks
// for, and can reach the listener.
func (l *Listener) Admits(c *Client) bool {
	placed, signed := l.placed(c), c.User != "" && l.TakesUsers()
	switch l.Policy {
	case PolicyIP:
		return placed
	case PolicyAuth:
		return signed
	case PolicyIPOrAuth:
		return placed || signed
	case PolicyIPAndAuth:
		return placed && signed
	}
	return false
}

// placed reports that the client has networks, or on a Unix socket uids, from where it
// can reach the listener.
func (l *Listener) placed(c *Client) bool {
	switch {
	case l.Address.IsUnix():
		return len(c.UIDs) > 0
	case l.Local():
		return slices.ContainsFunc(c.Networks, overlapsLoopback)
	}
	return len(c.Networks) > 0
}

func overlapsLoopback(p netip.Prefix) bool {
	return p.Overlaps(netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)) || p.Contains(netip.IPv6Loopback())
}

// checker looks at what one value alone does not show. It skips what was wrong by
// itself.
type checker struct {
	*findings
	file *File
}

func (k *checker) check() {
	for i := range k.file.Listeners {
		key := fmt.Sprintf("listeners[%d]", i)
		l := &k.file.Listeners[i]
		if l.Address == (Endpoint{}) {
			continue
		}
		k.checkPolicy(key, l)
		k.checkTLS(key, l)
		k.checkProxies(key, l)
	}
	k.checkListenersDiffer()
	k.checkClientsDiffer()
	for i := range k.file.Clients {
		k.checkClient(i)
	}
	k.checkOpenness()
	k.checkReach()
	k.checkRules()
}

// checkPolicy fills in the policy of a local listener. Beyond that a default would
// open to others what was not thought about.
func (k *checker) checkPolicy(key string, l *Listener) {
	switch {
	case k.has(key + ".policy"):
	case l.Local():
		l.Policy = PolicyIP
	default:
		k.refuse(key, "", "has no policy, which a listener that other hosts can reach must have: %s", strings.Join(policies, ", "))
	}
	if l.Policy == "" || l.Policy == PolicyIP {
		return
	}
	const noPasswords = "no client can sign in here: AUTH is taken after TLS alone, and %s:// has none; use starttls:// or smtps://, or, where everyone on the network may see the passwords, auth_without_tls: true"
	switch {
	case l.TakesUsers():
	case l.Policy == PolicyIPOrAuth:
		k.warn(key+".policy", "", noPasswords, l.Address.Scheme)
	default:
		k.refuse(key+".policy", "", noPasswords, l.Address.Scheme)
	}
}

func (k *checker) checkTLS(key string, l *Listener) {
	for _, name := range []string{"certificate", "key", "tls_min"} {
		if k.has(key+"."+name) && !l.OffersTLS() {
			k.refuse(key+"."+name, "", "has no use: %s:// has no TLS; use starttls:// or smtps://", l.Address.Scheme)
		}
	}
	switch certificate, privateKey := k.has(key+".certificate"), k.has(key+".key"); {
	case certificate && !privateKey:
		k.refuse(key+".certificate", "", "needs key, the file of its private key; leave both out for a self-made certificate")
	case privateKey && !certificate:
		k.refuse(key+".key", "", "needs certificate, the file of the chain; leave both out for a self-made certificate")
	}
	if l.TLSMin == 0 && l.OffersTLS() {
		l.TLSMin = DefaultTLSMin
	}
	if l.OffersTLS() && l.TLSMin < DefaultTLSMin {
		k.warn(key+".tls_min", "", "permits TLS %s and its old cipher suites, which someone on the network between may break: passwords and mail are then as good as in the clear; give the devices that need it a listener of their own", l.TLSMin)
	}
	if l.AuthWithoutTLS && !l.Local() {
		k.warn(key+".auth_without_tls", "", "lets passwords travel in the clear: everyone on the network between can read and use them")
	}
}

func (k *checker) checkListenersDiffer() {
	lines := map[string]int{}
	for i, l := range k.file.Listeners {
		if l.Address == (Endpoint{}) {
			continue
		}
		key := fmt.Sprintf("listeners[%d]", i)
		place := l.Address.Path + l.Address.Addr.String()
		if first, twice := lines[place]; twice {
			k.refuse(key+".address", "", "is that of the listener in line %d", first)
		}
		lines[place] = l.Line
		if socket := "socket " + l.Socket; l.Socket != "" {
			if first, twice := lines[socket]; twice {
				k.refuse(key+".socket", "", "is that of the listener in line %d", first)
			}
			lines[socket] = l.Line
		}
	}
}

// checkClientsDiffer refuses what would make two clients of one peer.
func (k *checker) checkClientsDiffer() {
	var onTCP, onUnix bool // that a network, a uid alone names the client
	for _, l := range k.file.Listeners {
		switch {
		case !l.Policy.ByAddress():
		case l.Address.IsUnix():
			onUnix = true
		default:
			onTCP = true
		}
	}
	names, users, networks, uids := firsts[string]{}, firsts[string]{}, firsts[netip.Prefix]{}, firsts[uint32]{}
	const alone = "is that of client %q in line %d, too, and the %s alone would have to say which it is: take it out of one, or give every listener the policy auth or ip-and-auth"
	for i := range k.file.Clients {
		c, key := &k.file.Clients[i], fmt.Sprintf("clients[%d]", i)
		if first := names.claim(strings.ToLower(c.Name), c); first != nil && c.Name != "" {
			k.refuse(key+".name", "", "is that of the client in line %d", first.Line)
		}
		if first := users.claim(c.User, c); first != nil && c.User != "" {
			k.refuse(key+".user", "", "is that of client %q in line %d", first.Name, first.Line)
		}
		for _, n := range c.Networks {
			if first := networks.claim(n, c); first != nil && onTCP {
				k.refuse(key+".networks", networkText(n), alone, first.Name, first.Line, "address")
			}
		}
		for _, uid := range c.UIDs {
			if first := uids.claim(uid, c); first != nil && onUnix {
				k.refuse(key+".uids", fmt.Sprint(uid), alone, first.Name, first.Line, "uid")
			}
		}
	}
}

// firsts are the clients that had a value first.
type firsts[K comparable] map[K]*Client

// claim returns the client that has k already, nil after it was given to c.
func (f firsts[K]) claim(k K, c *Client) *Client {
	first := f[k]
	if first == nil {
		f[k] = c
	}
	return first
}

// checkClient is for one client by itself.
func (k *checker) checkClient(i int) {
	c, key := &k.file.Clients[i], fmt.Sprintf("clients[%d]", i)
	written := k.has(key+".networks") || k.has(key+".user") || k.has(key+".uids")
	if !written {
		k.refuse(key, "", "names no one, and so everyone: give it networks, a user or uids")
	}
	if c.User != "" && !k.has("users_file") {
		k.refuse(key+".user", "", "needs users_file, which has the password")
	}
	if b := c.Budget; b.PerDay > 0 && b.PerHour > b.PerDay {
		k.warn(key+".budget.per_hour", "", "is more than per_day, and so has no effect")
	}
}

// checkReach refuses a client that gets through nowhere, and warns of what has no
// effect.
func (k *checker) checkReach() {
	complete := len(k.file.Listeners) > 0
	for _, l := range k.file.Listeners {
		complete = complete && l.Policy != "" && l.Address != Endpoint{}
	}
	if !complete {
		return
	}
	for i := range k.file.Listeners {
		l := &k.file.Listeners[i]
		if !slices.ContainsFunc(k.file.Clients, func(c Client) bool { return l.Admits(&c) }) {
			k.warn(fmt.Sprintf("listeners[%d]", i), "", "admits none of the clients")
		}
	}
	for i := range k.file.Clients {
		k.checkClientReach(fmt.Sprintf("clients[%d]", i), &k.file.Clients[i])
	}
}

func (k *checker) checkClientReach(key string, c *Client) {
	if k.bad[key] {
		return // what is wrong may be why
	}
	var admitted, byNetwork, byUser, byUID bool
	for i := range k.file.Listeners {
		l := &k.file.Listeners[i]
		admitted = admitted || l.Admits(c)
		byUser = byUser || l.TakesUsers()
		switch {
		case l.Policy == PolicyAuth || !l.placed(c):
		case l.Address.IsUnix():
			byUID = true
		default:
			byNetwork = true
		}
	}
	if !admitted {
		k.refuse(key, "", "no listener admits it: networks count with the policies ip, ip-or-auth and ip-and-auth, a user with auth, ip-or-auth and ip-and-auth (which asks for both) where passwords are taken, uids on a Unix socket, and a listener on loopback has clients from loopback alone")
		return
	}
	for _, part := range []struct {
		name  string
		works bool
	}{{"networks", byNetwork}, {"user", byUser}, {"uids", byUID}} {
		if k.has(key+"."+part.name) && !part.works {
			k.warn(key+"."+part.name, "", "has no effect: no listener has a policy that asks for it")
		}
	}
}

// checkRules refuses a rule that an earlier one hides.
func (k *checker) checkRules() {
	lines := map[Sender]int{}
	for i, rule := range k.file.Senders {
		key := fmt.Sprintf("senders[%d].from", i)
		if !k.has(key) || k.bad[key] {
			continue
		}
		first, hidden := lines[rule.From]
		if domain, ok := domainOf(rule.From); ok && !hidden {
			first, hidden = lines[domain]
		}
		if hidden {
			k.refuse(key, "", "is never reached: line %d matches before it; put the rule for the address before that for the domain", first)
			continue
		}
		lines[rule.From] = k.lines[key]
	}
}
