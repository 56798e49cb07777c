package observation

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Proposal is a settings file for the relay, and what is to be done beside it.
type Proposal struct {
	Text  string   // of the file, which holds
	Users []string // that need a password: who signed in
	Notes []string // what could not be said in the file, each a sentence without a full stop
}

// ProposeOptions say what is known beside what was seen.
type ProposeOptions struct {
	// File is the settings file in use, whose entries stay; nil: there is none.
	File *relayfile.File
	// Mailbox submits what has no sender of its own, where the file has none for it.
	// Zero: a note says that one is needed.
	Mailbox address.Address
}

// Propose makes a settings file that admits those clients whose mail was taken, each from
// its addresses or as its user, with the senders and to the domains that it used, and no
// one else. An error is one of this package: the file that was made does not hold.
func Propose(seen *Seen, o ProposeOptions) (*Proposal, error) {
	p := &proposal{seen: seen, options: o, base: o.File}
	if p.base == nil {
		p.base = &relayfile.File{}
	}
	p.sort()
	p.listeners()
	p.clients()
	return p.write()
}

// proposal is a Proposal in the making.
type proposal struct {
	seen     *Seen
	options  ProposeOptions
	base     *relayfile.File
	users    []*Client // that signed in
	places   []*Client // that did not
	file     relayfile.File
	names    map[string]bool // of clients, in lower case
	spare    bool            // a default mailbox is used
	proposal Proposal
}

func (p *proposal) note(format string, args ...any) {
	p.proposal.Notes = append(p.proposal.Notes, fmt.Sprintf(format, args...))
}

// sort tells clients by what they are to be admitted by.
func (p *proposal) sort() {
	if len(p.seen.Clients) == 0 {
		p.note("no one was seen")
	}
	if p.seen.Lost > 0 {
		p.note("%d sessions were too many to be looked at: clients may be missing here", p.seen.Lost)
	}
	for i := range p.seen.Clients {
		c := &p.seen.Clients[i]
		gotNothing := c.Learned && c.Messages == 0 && len(c.Senders) > 0
		switch {
		case gotNothing:
			p.note("%s wanted to send as %s, and no message of it was taken, so it is left out: \"smtpsend relay sessions --refused\" says why", strings.Join(c.Places, ", "), shown(c.Senders))
		case c.Messages == 0 || !c.Learned: // nothing to admit, or admitted by the file
		case c.User == "":
			if !p.placed(c) {
				p.places = append(p.places, c)
			}
		case !validUser(c.User):
			p.note("%s signed in as %q, which cannot be the name of a user: set another one at the device", strings.Join(c.Places, ", "), c.User)
		case slices.ContainsFunc(p.base.Clients, func(b relayfile.Client) bool { return b.User == c.User }):
			p.note("%s signed in as %q, whose client is in the file already, with another password or from another network", strings.Join(c.Places, ", "), c.User)
		default:
			p.users = append(p.users, c)
		}
	}
	byPlace := func(a, b *Client) int {
		return cmp.Or(a.addr().Compare(b.addr()), strings.Compare(a.Places[0], b.Places[0]))
	}
	slices.SortFunc(p.places, byPlace)
	slices.SortFunc(p.users, func(a, b *Client) int { return strings.Compare(a.User, b.User) })
}

// shown are senders in a sentence.
func shown(senders []string) string {
	texts := slices.Clone(senders)
	for i, s := range texts {
		texts[i] = cmp.Or(s, "<>")
	}
	return strings.Join(texts, ", ")
}

// placed reports that the file has the client's very address, and says so unless that
// is enough at the listeners it used.
func (p *proposal) placed(c *Client) bool {
	n, ok := network(c.Places[0])
	i := slices.IndexFunc(p.base.Clients, func(b relayfile.Client) bool { return ok && slices.Contains(b.Networks, n) })
	asks := func(v Visited) bool {
		return slices.ContainsFunc(p.base.Listeners, func(l relayfile.Listener) bool { return l.Address.String() == v.Address && !l.Policy.ByAddress() })
	}
	if i >= 0 && slices.ContainsFunc(c.Listeners, asks) {
		p.note("%s sent without signing in, and client %s has its address: the listener it used asks for a user", c.Places[0], p.base.Clients[i].Name)
	}
	return i >= 0
}

// addr is the address, for the order.
func (c *Client) addr() netip.Addr {
	a, _ := netip.ParseAddr(c.Places[0])
	return a
}

// validUser reports a name that the settings file takes.
func validUser(name string) bool {
	isOdd := func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }
	return len(name) <= maxName && !strings.ContainsFunc(name, isOdd)
}

// maxName is the longest name of a client, and of a user.
const maxName = 64

// network is an address as a network of itself.
func network(place string) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(place)
	if err != nil {
		return netip.Prefix{}, false
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), true
}

// uid is a local user.
func uid(place string) (uint32, bool) {
	text, ok := strings.CutPrefix(place, "uid ")
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), ok && err == nil
}

// listeners are those of the file, and those that were used, each with what its clients
// need and no more.
func (p *proposal) listeners() {
	needs := map[string]*need{}
	var used []string
	for _, c := range append(slices.Clone(p.places), p.users...) {
		for _, v := range c.Listeners {
			n := needs[v.Address]
			if n == nil {
				n = &need{}
				needs[v.Address] = n
				used = append(used, v.Address)
			}
			n.add(c, v)
		}
	}
	for _, l := range p.base.Listeners {
		if n := needs[l.Address.String()]; n != nil {
			n.change(&l, p)
		}
		delete(needs, l.Address.String())
		p.file.Listeners = append(p.file.Listeners, l)
	}
	slices.Sort(used)
	for _, text := range used {
		n := needs[text]
		if n == nil {
			continue
		}
		e, err := relayfile.ParseEndpoint(text)
		if err != nil { // never: it was a listener
			p.note("the listener %q cannot be written again", text)
			continue
		}
		l := relayfile.Listener{Address: e}
		n.change(&l, p)
		p.file.Listeners = append(p.file.Listeners, l)
	}
	if p.networksOfUsers() {
		p.bindUsers()
	}
}

// need is what the clients of a listener need.
type need struct {
	places, users, inClear bool
	oldest                 relayfile.TLSVersion
}

func (n *need) add(c *Client, v Visited) {
	signs := c.User != "" && v.SignedIn
	n.users = n.users || signs
	n.places = n.places || !signs
	if signs {
		n.inClear = n.inClear || v.InClear
	}
	if v.Oldest != 0 && (n.oldest == 0 || v.Oldest < n.oldest) {
		n.oldest = v.Oldest
	}
}

// change gives a listener what its clients need.
func (n *need) change(l *relayfile.Listener, p *proposal) {
	before := l.Policy
	places := n.places || before == relayfile.PolicyIP || before == relayfile.PolicyIPOrAuth
	hadUsers := before != "" && before != relayfile.PolicyIP
	users := n.users || hadUsers
	switch {
	case before == relayfile.PolicyIPAndAuth && !n.places: // has what users need
	case places && users:
		l.Policy = relayfile.PolicyIPOrAuth
	case places:
		l.Policy = relayfile.PolicyIP
	default:
		l.Policy = relayfile.PolicyAuth
	}
	if before == relayfile.PolicyIPAndAuth && l.Policy != before {
		p.note("%s has the policy %s now, because clients used it without signing in", l.Address, l.Policy)
	}
	isOld := n.oldest != 0 && n.oldest < cmp.Or(l.TLSMin, exchange.MinTLS)
	if l.OffersTLS() && isOld {
		l.TLSMin = n.oldest
	}
	if n.inClear && !l.AuthInClear() {
		l.AuthWithoutTLS = true
		p.note("a client signs in to %s without TLS: everyone on the network between can read its password; switch on TLS at the device, and take auth_without_tls out", l.Address)
	}
}

// networksOfUsers reports that users may be bound to their addresses: no listener admits
// by the address alone, which would then need no password.
func (p *proposal) networksOfUsers() bool {
	isWhole := func(c *Client) bool {
		inNetworks := !slices.ContainsFunc(c.Places, func(place string) bool { _, ok := network(place); return !ok })
		return inNetworks && !c.More.Places
	}
	return len(p.users) > 0 && !slices.ContainsFunc(p.file.Listeners, isOpen) &&
		!slices.ContainsFunc(p.users, func(c *Client) bool { return !isWhole(c) })
}

// bindUsers asks for both, user and address, where all who sign in have both.
func (p *proposal) bindUsers() {
	for i := range p.file.Listeners {
		l := &p.file.Listeners[i]
		isOld := slices.ContainsFunc(p.base.Listeners, func(b relayfile.Listener) bool { return b.Address == l.Address })
		if l.Policy == relayfile.PolicyAuth && !isOld {
			l.Policy = relayfile.PolicyIPAndAuth
		}
	}
}
