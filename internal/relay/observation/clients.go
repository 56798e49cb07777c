package observation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// clients are those of the file, and an entry for each that was seen.
func (p *proposal) clients() {
	p.file.Clients = slices.Clone(p.base.Clients)
	p.names = map[string]bool{}
	for _, c := range p.base.Clients {
		p.names[strings.ToLower(c.Name)] = true
	}
	bound := p.networksOfUsers()
	for _, c := range p.places {
		p.addClient(c, true)
	}
	for _, c := range p.users {
		p.addClient(c, bound)
		p.proposal.Users = append(p.proposal.Users, c.User)
		p.note("the user %q needs a password (smtpsend relay user add)", c.User)
	}
}

// addClient makes the entry of a client, with its places where they count.
func (p *proposal) addClient(c *Client, placed bool) {
	e := relayfile.Client{Name: p.nameOf(c), User: c.User}
	for _, place := range c.Places {
		if n, ok := network(place); ok && placed {
			e.Networks = append(e.Networks, n)
		}
		if id, ok := uid(place); ok && c.User == "" {
			e.UIDs = append(e.UIDs, id)
		}
	}
	var ok bool
	if e.Senders, ok = p.senders(c, e.Name); !ok {
		p.note("client %s is left out: without a sender that the file can name, it might use any", e.Name)
		return
	}
	e.RecipientDomains = p.domains(c, e.Name)
	p.file.Clients = append(p.file.Clients, e)
}

// nameOf is a name that no other client has: the user, the name in EHLO without its
// domain, or the address.
func (p *proposal) nameOf(c *Client) string {
	names := []string{c.User}
	if len(c.Hellos) == 1 && !strings.ContainsAny(c.Hellos[0], "[:") {
		first, _, _ := strings.Cut(c.Hellos[0], ".")
		names = append(names, first)
	}
	names = append(names, c.Places[0], c.User+"-"+c.Places[0])
	for _, name := range names {
		clean := plainName(name)
		isNumber := strings.Trim(clean, "0123456789.") == "" && clean != c.Places[0]
		if lower := strings.ToLower(clean); clean != "" && !isNumber && lower != "localhost" && !p.names[lower] {
			p.names[lower] = true
			return clean
		}
	}
	for i := 2; ; i++ {
		name := fmt.Sprintf("client-%d", i)
		if !p.names[name] {
			p.names[name] = true
			return name
		}
	}
}

// plainName is a text as the name of a client.
func plainName(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return '-'
	}, text)
	return strings.Trim(text[:min(len(text), maxName)], "-")
}

// senders are the addresses that a client used in MAIL and From. Where it has none of its
// own, it gets that of the default mailbox, which its mail then has. It is not ok when there
// are some, and the file can name none.
func (p *proposal) senders(c *Client, name string) (list []address.Pattern, ok bool) {
	var bare, odd bool
	for _, text := range append(slices.Clone(c.Senders), c.Authors...) {
		a, public := publicAddress(text)
		pattern, err := address.ParsePattern("senders", a.Addr())
		isOdd := err != nil || pattern != a.Pattern() // one with a * in it
		switch {
		case !public:
			bare = true
		case c.More.Senders:
			list = appendNew(list, "*@"+a.Domain())
		case isOdd:
			odd = true
			p.note("client %s used the sender %q, which the file cannot name: it may not use it", name, text)
		default:
			list = appendNew(list, a.Addr())
		}
	}
	if c.More.Senders {
		p.note("client %s used more senders than were kept: it may use all of their domains", name)
	}
	if odd && len(list) == 0 {
		return nil, false
	}
	isOne := len(list) == 1 && !list[0].IsDomain() // which then stands for none, too
	if !bare || isOne {
		return list, true
	}
	p.spare = true
	mailbox := p.mailbox()
	switch {
	case mailbox.IsZero():
		p.note("client %s sends without a sender, or with one that has no domain: set default_mailbox, and write that address into its senders", name)
	case len(list) == 0:
		list = appendNew(list, mailbox.Addr())
	}
	return list, true
}

// mailbox submits what has no sender.
func (p *proposal) mailbox() address.Address {
	if !p.base.DefaultMailbox.IsZero() {
		return p.base.DefaultMailbox
	}
	return p.options.Mailbox
}

// publicAddress is an address that Exchange Online could have.
func publicAddress(text string) (address.Address, bool) {
	a, err := address.Parse("sender", text)
	return a, err == nil && a.HasPublicDomain()
}

func appendNew(list []address.Pattern, text string) []address.Pattern {
	pattern, err := address.ParsePattern("senders", text)
	if err != nil || slices.Contains(list, pattern) {
		return list
	}
	return append(list, pattern)
}

// domains are those of recipients, as the file has them; none when it would not have all.
func (p *proposal) domains(c *Client, name string) (list []string) {
	for _, text := range c.Domains {
		d, err := address.ParseDomain("recipient_domains", text)
		switch {
		case text == "": // a name without a domain, which is passed on alone
		case err != nil:
			p.note("client %s wrote to %q, which the file cannot name: it may not write there", name, text)
		case !slices.Contains(list, d):
			list = append(list, d)
		}
	}
	switch {
	case c.More.Domains, len(list) > limits.RelayList:
		p.note("client %s wrote to more domains than were kept: it may write to any", name)
		return nil
	case len(list) == 0:
		p.note("client %s may write to any domain: it wrote to none that the file can name", name)
	}
	return list
}
