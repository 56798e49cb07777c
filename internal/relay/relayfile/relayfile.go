// Package relayfile reads the settings file of the relay: its listeners, who may submit
// by them, and which mailbox submits for whom. It is YAML. Keys are in lower case, an
// unknown key is a problem, durations are as Go writes them ("5m"), sizes are octets or
// have a unit ("35 MB", which is 35 times 1,048,576 octets, as Exchange Online counts).
//
// The whole file is validated, and every problem is reported with its line. A file that
// would make the relay an open one, by which strangers submit, is a problem, too; what
// is only unwise is a warning. There is no half of a File: Parse and Read return one
// that holds, or none.
//
// Nothing is opened but the file itself: whether the users file and the certificates
// can be used is said by those who open them. All of it may be called concurrently, and
// a File is not changed after it was made.
package relayfile

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// File is a settings file that was read without a problem. The tags are its keys.
type File struct {
	Hostname       string          `yaml:"hostname"`        // in the greeting and in Received; "" = this host's name
	UsersFile      string          `yaml:"users_file"`      // of names and password hashes; "" = none
	Domain         string          `yaml:"domain"`          // completes senders without one; "" = the setting of sendmail
	DefaultMailbox address.Address `yaml:"default_mailbox"` // for the null reverse-path and for names without a domain; zero = none
	Listeners      []Listener      `yaml:"listeners"`       // at least one
	Clients        []Client        `yaml:"clients"`         // no two have one name
	Senders        []SenderRule    `yaml:"senders"`         // the first that matches counts
	Warnings       []Problem       `yaml:"-"`               // what holds and is unwise, by line

	lines map[string]int // of what is written, by its key
}

// LineOf is the line of what is written at a key, such as "listeners[0].certificate"; 0
// when there is nothing.
func (f *File) LineOf(key string) int { return f.lines[key] }

// Listener is a place where clients connect.
type Listener struct {
	Line           int        `yaml:"-"`                   // of the entry
	Address        Endpoint   `yaml:"address"`             // no two listeners have the same
	Socket         string     `yaml:"socket"`              // FileDescriptorName of systemd's socket, which is taken in place of opening Address; who takes it must compare its address with Address by IsLoopback
	Policy         Policy     `yaml:"policy"`              // never ""
	Certificate    string     `yaml:"certificate"`         // a file, PEM; "" = self-made
	Key            string     `yaml:"key"`                 // a file; "" exactly where Certificate is
	TLSMin         TLSVersion `yaml:"tls_min"`             // never 0
	AuthWithoutTLS bool       `yaml:"auth_without_tls"`    // as written; see AuthInClear
	ProxyFrom      Networks   `yaml:"proxy_protocol_from"` // from which the PROXY protocol, version 2, is required, and from others refused
	Limits         Limits     `yaml:"limits"`              // all have a value
}

// Limits of a listener.
type Limits struct {
	Connections           int           `yaml:"connections"`             // at once, in all
	ConnectionsPerAddress int           `yaml:"connections_per_address"` // at once, from one address
	Idle                  time.Duration `yaml:"idle"`                    // between two commands
	Commands              int           `yaml:"commands"`                // in a session
	Size                  int64         `yaml:"size"`                    // octets of a message's content
	Recipients            int           `yaml:"recipients"`              // of a message
}

// MaxRecipients is the most that a listener may let a message have. The outbox takes no
// more, because an administrator can let Exchange Online take as many, and no more.
const MaxRecipients = 1000

// DefaultLimits are those of a listener that says nothing else.
func DefaultLimits() Limits {
	return Limits{
		Connections: 1000, ConnectionsPerAddress: 50, Idle: 5 * time.Minute, Commands: 1000,
		Size: exchange.DefaultMessageSize, Recipients: exchange.RecipientsPerMessage,
	}
}

// Client is a device or program that may submit. It has networks, a user or uids.
type Client struct {
	Line             int               `yaml:"-"`                 // of the entry
	Name             string            `yaml:"name"`              // letters, digits, ".", "_" and "-", at most 64
	Networks         Networks          `yaml:"networks"`          // from where it comes
	User             string            `yaml:"user"`              // by which it signs in; of the users file
	UIDs             []uint32          `yaml:"uids"`              // of its processes, on a Unix socket
	Senders          []address.Pattern `yaml:"senders"`           // the addresses it may use in MAIL and From; none = any
	RecipientDomains []string          `yaml:"recipient_domains"` // to which it may write, A-labels in lower case; none = any
	DisplayName      string            `yaml:"display_name"`      // that its From gets; "" = its own
	Mailbox          address.Address   `yaml:"mailbox"`           // that submits its mail; zero = as Senders of the File say
	Force            bool              `yaml:"force"`             // the mailbox is put into From and MAIL
	Budget           Budget            `yaml:"budget"`            // of recipients
	EightBit         EightBit          `yaml:"eight_bit"`         // how octets above 127 leave
}

// Budget is how many recipients a client may have, each counted as often as it gets a
// message; 0 = as many as it likes.
type Budget struct {
	PerHour int `yaml:"per_hour"` // in any 60 minutes
	PerDay  int `yaml:"per_day"`  // in any 24 hours
}

// SenderRule says which mailbox submits for a sender.
type SenderRule struct {
	Line    int             `yaml:"-"`       // of the entry
	From    Sender          `yaml:"from"`    // the sender in MAIL
	Mailbox address.Address `yaml:"mailbox"` // never zero
	Force   bool            `yaml:"force"`   // the mailbox is put into From and MAIL
}

// Networks are networks and addresses; an address is a network of itself. Those of IPv4
// are never written as IPv6.
type Networks []netip.Prefix

// Contain reports whether a peer's address is in one of the networks. An IPv4 address
// that is written as IPv6 counts as IPv4, and an interface's name (fe80::1%eth0) does
// not count.
func (n Networks) Contain(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Read reads a settings file, which is trusted as one that decides what this program
// does has to be (ownfile.ReadTrusted). Paths in it count from its directory. The error
// is *badinput.FileError when the file cannot be read, and *Problems when it does not
// hold.
func Read(ctx context.Context, path string) (*File, error) {
	data, err := ownfile.ReadTrusted(ctx, path, limits.RelayFile)
	if err != nil {
		return nil, fmt.Errorf("reading the relay's settings: %w", badinput.File(path, err))
	}
	f, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir := filepath.Dir(path)
	from(dir, &f.UsersFile)
	for i := range f.Listeners {
		from(dir, &f.Listeners[i].Certificate)
		from(dir, &f.Listeners[i].Key)
	}
	return f, nil
}

// from makes a path that is not absolute one that counts from dir.
func from(dir string, path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(dir, *path)
	}
}

// Parse reads the text of a settings file. The error is *Problems.
func Parse(data []byte) (*File, error) {
	found := &findings{lines: map[string]int{}, bad: map[string]bool{}}
	f := &File{}
	r := &reader{findings: found}
	if root, ok := r.document(data); ok {
		r.file(root, f)
		(&checker{found, f}).check()
	}
	found.all.sort()
	if len(found.all.List) > 0 {
		return nil, &found.all
	}
	f.Warnings, f.lines = found.all.Warnings, found.lines
	return f, nil
}
