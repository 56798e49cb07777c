// Package admission decides who may submit by a listener of the relay, as which client,
// from which senders and to which domains. The truth table is Decide; its rows are in
// the manual. Nothing is opened or asked: whether a password was right is known before.
package admission

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Peer is who is on the other end of a connection.
type Peer struct {
	Unix bool       // on a Unix socket: UID counts, and not Addr
	Addr netip.Addr // as the PROXY protocol says where there is a proxy; one that is not valid is in no network
	UID  uint32
	User string // that signed in with the right password; "" = none
}

// place is where the peer is, for people.
func (p Peer) place() string {
	if p.Unix {
		return fmt.Sprintf("uid %d", p.UID)
	}
	return p.Addr.Unmap().String()
}

// Refusal is why a peer may not submit. It is an error.
type Refusal struct {
	Reason Reason
	Peer   Peer
	Client string // that the user belongs to; "" = none
}

// Error says what is wrong in a sentence without a full stop, which names the address
// and the user.
func (r *Refusal) Error() string {
	switch r.Reason {
	case AuthRequired:
		return r.Peer.place() + " has to sign in (AUTH) before it may submit"
	case UserWithoutClient:
		return fmt.Sprintf("the user %q belongs to no client", r.Peer.User)
	case WrongNetworkForUser:
		return fmt.Sprintf("%s is not in the networks of client %s, whose user is %q", r.Peer.place(), r.Client, r.Peer.User)
	}
	return r.Peer.place() + " belongs to no client, and may not submit here"
}

// Table finds the clients of a settings file. It may be used concurrently.
type Table struct {
	users    map[string]*relayfile.Client
	uids     map[uint32]*relayfile.Client
	networks map[netip.Prefix]*relayfile.Client
	lengths  map[bool][]int // of the prefixes, the longest first; by whether they are of IPv4
}

// New makes the table of a file, which must not change afterwards.
func New(f *relayfile.File) *Table {
	t := &Table{
		users: map[string]*relayfile.Client{}, uids: map[uint32]*relayfile.Client{}, networks: map[netip.Prefix]*relayfile.Client{}, lengths: map[bool][]int{},
	}
	for i := range f.Clients {
		c := &f.Clients[i]
		if c.User != "" {
			t.users[c.User] = c
		}
		// Several clients may share a place where the user tells them apart; the first
		// stands for them.
		for _, uid := range c.UIDs {
			t.uids[uid] = cmp.Or(t.uids[uid], c)
		}
		for _, n := range c.Networks {
			t.networks[n] = cmp.Or(t.networks[n], c)
			if is4 := n.Addr().Is4(); !slices.Contains(t.lengths[is4], n.Bits()) {
				t.lengths[is4] = append(t.lengths[is4], n.Bits())
			}
		}
	}
	for _, lengths := range t.lengths {
		slices.SortFunc(lengths, func(a, b int) int { return b - a })
	}
	return t
}

// At is the client whose network the peer's address is in, the smallest network that
// there is, or whose uid the peer has; nil when there is none.
func (t *Table) At(p Peer) *relayfile.Client {
	if p.Unix {
		return t.uids[p.UID]
	}
	a := p.Addr.Unmap() // Prefix leaves out the zone
	for _, bits := range t.lengths[a.Is4()] {
		if n, err := a.Prefix(bits); err == nil && t.networks[n] != nil {
			return t.networks[n]
		}
	}
	return nil
}

// Admit is the client that the peer may submit as by the listener, or why it may not:
// one of both is nil.
func (t *Table) Admit(l *relayfile.Listener, p Peer) (*relayfile.Client, *Refusal) {
	at, user := t.At(p), t.users[p.User]
	verdict := Decide(l.Policy, place(at), t.login(p))
	switch verdict.By {
	case ByPlace:
		return at, nil
	case ByUser:
		return user, nil
	}
	r := &Refusal{Reason: verdict.Reason, Peer: p}
	if user != nil {
		r.Client = user.Name
	}
	if r.Reason == AuthRequired && !l.TakesUsers() { // which it could not do
		r.Reason = NotAllowedHere
	}
	return nil, r
}

// OffersAuth reports whether the reply to EHLO offers AUTH to the peer, where the
// connection is one that may carry a password (relayfile.Listener.AuthInClear, or TLS).
// Strangers are not asked for a password that would not help them.
func (t *Table) OffersAuth(l *relayfile.Listener, p Peer) bool {
	return l.TakesUsers() && Decide(l.Policy, place(t.At(p)), NoUser).OffersAuth
}

func place(at *relayfile.Client) Place {
	if at == nil {
		return Unknown
	}
	return Known
}

// login is what the user of the peer says.
func (t *Table) login(p Peer) Login {
	c := t.users[p.User]
	switch {
	case p.User == "":
		return NoUser
	case c == nil:
		return UserWithoutEntry
	case p.Unix && slices.Contains(c.UIDs, p.UID), !p.Unix && c.Networks.Contain(p.Addr):
		return UserAtHome
	}
	return UserElsewhere
}

// MaySend reports whether the client may use the address as a sender. The null
// reverse-path and names without a domain are completed before.
func MaySend(c *relayfile.Client, sender address.Address) bool {
	return len(c.Senders) == 0 || slices.ContainsFunc(c.Senders, func(p address.Pattern) bool { return p.Matches(sender) })
}

// MayWriteTo reports whether the client may write to the recipient. One without a
// domain is at none.
func MayWriteTo(c *relayfile.Client, recipient address.Address) bool {
	return len(c.RecipientDomains) == 0 || slices.Contains(c.RecipientDomains, strings.ToLower(recipient.Domain()))
}
