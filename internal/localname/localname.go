// Package localname knows the addresses that mean something on this host alone: root,
// root@localhost, root@ and a name of this host; and where mail for them goes, by the
// aliases and the default domain, because Exchange Online has none of them.
package localname

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/aliases"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// SystemAliases is where every sendmail has its aliases.
const SystemAliases = "/etc/aliases"

// ErrUnknown is why a *badinput.FieldError refuses a recipient that no server could
// know.
var ErrUnknown = errors.New("has no domain and no alias")

// Names are those of this host. They are safe for concurrent use.
type Names struct {
	aliases *aliases.Map
	domain  string // "" = none
	host    hostNames
}

// New makes the names of settings, with aliases that were read.
func New(cfg *config.Config, table *aliases.Map) *Names {
	return &Names{aliases: table, domain: cfg.DefaultDomain, host: newHostNames(cfg)}
}

// Read is New with the aliases of the settings' file, which must be there, or of the
// system's, which may be missing or unreadable. The error wraps *badinput.FileError.
func Read(ctx context.Context, cfg *config.Config) (*Names, error) {
	name, read := cfg.AliasesFile, ownfile.ReadTrusted
	if name == "" {
		name, read = SystemAliases, ownfile.ReadAll
	}
	text, err := read(ctx, name, limits.Aliases)
	table := &aliases.Map{}
	if cfg.AliasesFile == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return New(cfg, table), nil
	}
	if err == nil {
		table, err = aliases.Read(bytes.NewReader(text))
	}
	if err != nil {
		return nil, fmt.Errorf("aliases: %w", &badinput.FileError{Path: name, Err: err})
	}
	return New(cfg, table), nil
}

// Has reports an address that only this host could know: one without a domain, at
// localhost, or at a name of this host.
func (n *Names) Has(a address.Address) bool { return a.IsLocalName() || n.host.has(a.Domain()) }

// Resolve turns recipients into those that a server may know. Errors are
// *badinput.FieldError and *aliases.Error, and do not quote the file.
func (n *Names) Resolve(list []address.Address) ([]address.Address, error) {
	var known []address.Address
	expanded := map[address.Address]bool{} // an alias may be a thousand addresses
	for _, a := range list {
		if !n.Has(a) {
			known = append(known, a)
			continue
		}
		if expanded[a] {
			continue
		}
		expanded[a] = true
		some, err := n.expand(a)
		if err != nil {
			return nil, err
		}
		known = append(known, some...)
	}
	return known, nil
}

// expand is where the mail for a local name goes. One at this host's own name that
// would go nowhere is left as it is: a server may know the host.
func (n *Names) expand(a address.Address) ([]address.Address, error) {
	targets, err := n.aliases.Expand(a.Local())
	if err != nil {
		return nil, err
	}
	var known []address.Address
	for _, target := range targets {
		list, err := address.ParseLenient("alias", target)
		if err != nil || len(list) != 1 {
			return nil, &badinput.FieldError{Field: "alias", Value: a.Local(), Reason: "leads to something that is not an address"}
		}
		to := list[0]
		switch {
		case !to.IsLocalName():
		case n.domain != "":
			if to, err = to.At("alias", n.domain); err != nil {
				return nil, err
			}
		case !a.IsLocalName():
			return []address.Address{a}, nil
		default:
			return nil, &badinput.FieldError{Field: "recipient", Value: to.Local(), Reason: ErrUnknown.Error(), Err: ErrUnknown}
		}
		known = append(known, to)
	}
	return known, nil
}
