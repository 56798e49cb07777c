package relayfile

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// file fills f with what the document holds.
func (r *reader) file(root entry, f *File) {
	m := r.mapping(root, *f)
	f.Hostname = value(r, m, "hostname", readDomain)
	f.UsersFile = value(r, m, "users_file", readText)
	f.Domain = value(r, m, "domain", readMailDomain)
	f.DefaultMailbox = value(r, m, "default_mailbox", readAddress)
	for _, e := range r.list(m, "listeners", limits.RelayListeners) {
		f.Listeners = append(f.Listeners, r.listener(e))
	}
	for _, e := range r.list(m, "clients", limits.RelayClients) {
		f.Clients = append(f.Clients, r.client(e))
	}
	for _, e := range r.list(m, "senders", limits.RelayClients) {
		f.Senders = append(f.Senders, r.rule(e))
	}
	if _, ok := m["listeners"]; !ok && root.node.Kind != 0 {
		r.problem(entry{line: root.line}, "", "there are no listeners")
	}
}

func (r *reader) listener(e entry) Listener {
	m := r.mapping(e, Listener{})
	l := Listener{
		Line:           e.line,
		Address:        value(r, m, "address", readEndpoint),
		Socket:         value(r, m, "socket", readSocketName),
		Policy:         value(r, m, "policy", readPolicy),
		Certificate:    value(r, m, "certificate", readText),
		Key:            value(r, m, "key", readText),
		TLSMin:         value(r, m, "tls_min", readTLSVersion),
		AuthWithoutTLS: value(r, m, "auth_without_tls", readBool),
		ProxyFrom:      values(r, m, "proxy_protocol_from", readNetwork),
		Limits:         DefaultLimits(),
	}
	r.need(e, m, "address")
	if inner, ok := m["limits"]; ok && inner.node != nil {
		r.limits(inner, &l.Limits)
	}
	return l
}

// limits sets those that are written.
func (r *reader) limits(e entry, l *Limits) {
	m := r.mapping(e, *l)
	set(r, m, "connections", &l.Connections, number(1, 100_000))
	set(r, m, "connections_per_address", &l.ConnectionsPerAddress, number(1, 100_000))
	set(r, m, "idle", &l.Idle, readIdle)
	set(r, m, "commands", &l.Commands, number(10, 1_000_000))
	set(r, m, "size", &l.Size, readSize)
	set(r, m, "recipients", &l.Recipients, number(1, MaxRecipients))
}

// set is value for what has a default.
func set[T comparable](r *reader, m map[string]entry, name string, to *T, read func(string) (T, string)) {
	if v := value(r, m, name, read); v != *new(T) {
		*to = v
	}
}

func (r *reader) client(e entry) Client {
	m := r.mapping(e, Client{})
	c := Client{
		Line:             e.line,
		Name:             value(r, m, "name", readName),
		Networks:         values(r, m, "networks", readNetwork),
		User:             value(r, m, "user", readUser),
		UIDs:             values(r, m, "uids", readUID),
		Senders:          values(r, m, "senders", readPattern),
		RecipientDomains: values(r, m, "recipient_domains", readDomain),
		DisplayName:      value(r, m, "display_name", readText),
		Mailbox:          value(r, m, "mailbox", readAddress),
		Force:            value(r, m, "force", readBool),
		EightBit:         value(r, m, "eight_bit", readEightBit),
	}
	r.need(e, m, "name")
	if inner, ok := m["budget"]; ok && inner.node != nil {
		n := r.mapping(inner, c.Budget)
		c.Budget = Budget{PerHour: value(r, n, "per_hour", number(1, 1_000_000)), PerDay: value(r, n, "per_day", number(1, 10_000_000))}
	}
	return c
}

func (r *reader) rule(e entry) SenderRule {
	m := r.mapping(e, SenderRule{})
	s := SenderRule{
		Line: e.line, From: value(r, m, "from", readSender), Mailbox: value(r, m, "mailbox", readAddress), Force: value(r, m, "force", readBool),
	}
	r.need(e, m, "from")
	r.need(e, m, "mailbox")
	return s
}

// need notes that an entry lacks a key.
func (r *reader) need(e entry, m map[string]entry, name string) {
	if _, ok := m[name]; !ok && m != nil {
		r.problem(e, "", "has no "+name)
	}
}

func readText(text string) (string, string) { return text, "" }

func readBool(text string) (bool, string) {
	switch text {
	case "true":
		return true, ""
	case "false":
		return false, ""
	}
	return false, "must be true or false"
}

// number reads a whole number from least to most.
func number(least, most int) func(string) (int, string) {
	return func(text string) (int, string) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, fmt.Sprintf("must be a whole number from %d to %d", least, most)
		}
		return n, ""
	}
}

func readUID(text string) (uint32, string) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 1<<32-1 { // which the system has for "no one"
		return 0, "must be the number of a user, as id -u NAME prints it"
	}
	return uint32(n), ""
}

// The shortest and the longest idle time.
const (
	minIdle = 10 * time.Second
	maxIdle = 24 * time.Hour
)

func readIdle(text string) (time.Duration, string) {
	d, err := time.ParseDuration(text)
	if err != nil || d < minIdle || d > maxIdle {
		return 0, "must be a time from 10s to 24h, such as 90s, 5m or 1h"
	}
	return d, ""
}

// units of a size are powers of 1,024, as Exchange Online has them.
var units = []struct {
	name  string
	shift int
}{{"KiB", 10}, {"MiB", 20}, {"KB", 10}, {"MB", 20}, {"", 0}}

// minSize is the smallest that a listener may take: a text of some pages.
const minSize = 64 << 10

func readSize(text string) (int64, string) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimRight(digits, " "), 10, 64)
		if err != nil || n < 0 || n > limits.Message>>u.shift || n<<u.shift < minSize {
			break
		}
		return n << u.shift, ""
	}
	return 0, fmt.Sprintf("must be a size from 64 KB to %d MB, such as 35 MB, or a number of octets", limits.Message>>20)
}

// maxName is the longest name of a client, and of a user.
const maxName = 64

func readName(text string) (string, string) {
	if len(text) > maxName || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return "", fmt.Sprintf("must be letters of ASCII, digits, \".\", \"_\" and \"-\", at most %d", maxName)
	}
	return text, ""
}

// readUser takes what a device may have as a name. The users file has a colon after it.
func readUser(text string) (string, string) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == ':' {
			return "", "must be ASCII without blanks and colons"
		}
	}
	if len(text) > maxName {
		return "", fmt.Sprintf("has %d octets, at most %d", len(text), maxName)
	}
	return text, ""
}

// readSocketName takes what systemd takes for FileDescriptorName (systemd.socket(5)).
func readSocketName(text string) (string, string) {
	if len(text) > 255 || strings.Contains(text, ":") {
		return "", "must be at most 255 characters without a colon, as FileDescriptorName= has it"
	}
	return text, ""
}

func readDomain(text string) (string, string) { return reasonOf(address.ParseDomain("", text)) }

// readMailDomain reads a domain that has mailboxes.
func readMailDomain(text string) (string, string) {
	domain, reason := readDomain(text)
	if reason == "" && !strings.Contains(domain, ".") {
		reason = "is not a domain that Exchange Online could have"
	}
	return domain, reason
}

func readPattern(text string) (address.Pattern, string) {
	p, reason := reasonOf(address.ParsePattern("", text))
	switch {
	case text == nullPath:
		reason = "needs no permission: it becomes the mailbox's address"
	case !strings.Contains(text, "@"):
		reason = "must be an address or *@domain; a sender without a domain is completed before it is looked for here"
	}
	return p, reason
}

func readSender(text string) (Sender, string) {
	if text == nullPath {
		return Sender{}, ""
	}
	p, reason := reasonOf(address.ParsePattern("", text))
	if reason != "" && !strings.Contains(text, "@") {
		reason = "must be an address, *@domain or <>; a sender without a domain is completed before it is looked for here"
	}
	return Sender{p}, reason
}

func readAddress(text string) (address.Address, string) {
	a, reason := reasonOf(address.Parse("", text))
	switch {
	case reason != "":
	case a.Name != "":
		reason = "has a name: write the address alone"
	case !a.HasPublicDomain():
		reason = "is not at a domain that Exchange Online could have"
	}
	return a, reason
}

// reasonOf takes the reason out of an error of package address.
func reasonOf[T any](v T, err error) (T, string) {
	if field, ok := errors.AsType[*badinput.FieldError](err); ok {
		return v, field.Reason
	}
	return v, ""
}

// readNetwork reads an address or a network. One of IPv4 that is written as IPv6 is
// taken for what it is.
func readNetwork(text string) (netip.Prefix, string) {
	if a, err := netip.ParseAddr(text); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, "has an interface's name: write the address without it"
		}
		text = netip.PrefixFrom(a, a.BitLen()).String()
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, "is not an IP address or network, such as 192.0.2.17 or 192.0.2.32/28"
	}
	if masked := p.Masked(); masked != p {
		return netip.Prefix{}, fmt.Sprintf("is an address within a network: write %s for the address, or %s for the network", p.Addr(), masked)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, "is more than all of IPv4, written as IPv6: write the networks of IPv4"
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Addr().IsMulticast() {
		return netip.Prefix{}, "is multicast: no one comes from there"
	}
	return p, ""
}
