package observation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// write makes the text, and reads it again.
func (p *proposal) write() (*Proposal, error) {
	p.dropOpen()
	var b strings.Builder
	top := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, quoted(value))
		}
	}
	top("hostname", p.base.Hostname)
	usersFile := p.base.UsersFile
	if usersFile == "" && len(p.users) > 0 {
		usersFile = "relay-users"
	}
	top("users_file", usersFile)
	top("domain", p.base.Domain)
	if mailbox := p.mailbox(); !mailbox.IsZero() && (p.spare || !p.base.DefaultMailbox.IsZero()) {
		top("default_mailbox", mailbox.Addr())
	}
	listeners, err := relayfile.Entries(p.file.Listeners...)
	if err != nil {
		return nil, err
	}
	clients, err := relayfile.Entries(p.file.Clients...)
	if err != nil {
		return nil, err
	}
	senders, err := relayfile.Entries(p.base.Senders...)
	if err != nil {
		return nil, err
	}
	for _, list := range []struct{ key, lines string }{{"listeners", listeners}, {"clients", clients}, {"senders", senders}} {
		if list.lines != "" {
			b.WriteString(list.key + ":\n" + list.lines)
		}
	}
	p.proposal.Text = b.String()
	if len(p.file.Listeners) == 0 {
		return &p.proposal, nil // nothing was seen
	}
	f, err := relayfile.Parse([]byte(p.proposal.Text))
	if err != nil {
		return nil, fmt.Errorf("what was observed makes no settings file: %w", err)
	}
	for _, w := range f.Warnings {
		w.Line = 0 // it counts from the first line of Text, before which others are shown
		p.proposal.Notes = append(p.proposal.Notes, w.String())
	}
	return &p.proposal, nil
}

// quoted is a text as YAML has it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// isOpen reports a listener at which an address alone admits.
func isOpen(l relayfile.Listener) bool { return l.Policy.ByAddress() && !l.Address.IsUnix() }

// dropOpen takes out what an address alone must not admit: the networks of clients of the
// file that have a user, where no listener admitted by them before; and clients of the
// internet of which no sender is known.
func (p *proposal) dropOpen() {
	isBeyond := func(l relayfile.Listener) bool { return isOpen(l) && !l.Local() }
	if !slices.ContainsFunc(p.file.Listeners, isBeyond) {
		return
	}
	isNew := !slices.ContainsFunc(p.base.Listeners, isBeyond)
	kept := p.file.Clients[:0]
	for _, c := range p.file.Clients {
		switch isBound := c.User != "" && len(c.Networks) > 0; {
		case isBound && isNew:
			p.note("client %s has its user alone now: its networks would admit it without a password", c.Name)
			c.Networks = nil
		case c.MayBeAnyone():
			p.note("client %s comes from the internet and has no sender of its own: it is left out until one is known", c.Name)
			continue
		}
		kept = append(kept, c)
	}
	p.file.Clients = kept
}
