package sendmail

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
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// SystemAliases is where every other sendmail has its aliases.
const SystemAliases = "/etc/aliases"

// ErrLocalName is why a *badinput.FieldError refuses a recipient that no server
// could know.
var ErrLocalName = errors.New("has no domain and no alias")

// rewriter makes an envelope of a message and of a request. It turns local names
// such as root into addresses, because Exchange has none, by the aliases and the
// default domain.
type rewriter struct {
	cfg     *config.Config
	aliases *aliases.Map
	sender  address.Address // MAIL_SENDER, zero when unset
	host    hostNames
}

// newRewriter reads aliases and the sender's address. The system's aliases may
// be missing or unreadable, those of a setting may not.
func newRewriter(ctx context.Context, cfg *config.Config) (*rewriter, error) {
	w := &rewriter{cfg: cfg, aliases: &aliases.Map{}, host: newHostNames(cfg)}
	if cfg.MailSender != "" {
		var err error
		if w.sender, err = address.Parse(config.Prefix+"MAIL_SENDER", cfg.MailSender); err != nil {
			return nil, exit.With(exit.Config, err)
		}
	}
	name, read := cfg.AliasesFile, ownfile.ReadTrusted
	if name == "" {
		name, read = SystemAliases, ownfile.ReadAll
	}
	text, err := read(ctx, name, limits.Aliases)
	if cfg.AliasesFile == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return w, nil
	}
	if err == nil {
		w.aliases, err = aliases.Read(bytes.NewReader(text))
	}
	if err != nil {
		return nil, exit.With(exit.Config, fmt.Errorf("aliases: %w", &badinput.FileError{Path: name, Err: err}))
	}
	return w, nil
}

// isLocal reports an address that only this host could know: one without a
// domain, at localhost, or at a name of this host.
func (w *rewriter) isLocal(a address.Address) bool {
	return a.IsLocalName() || w.host.has(a.Domain())
}

// resolve turns recipients into those that a server may know.
func (w *rewriter) resolve(list []address.Address) ([]address.Address, error) {
	var known []address.Address
	expanded := map[address.Address]bool{} // an alias may be a thousand addresses
	for _, a := range list {
		if !w.isLocal(a) {
			known = append(known, a)
			continue
		}
		if expanded[a] {
			continue
		}
		expanded[a] = true
		some, err := w.expand(a)
		if err != nil {
			return nil, err
		}
		known = append(known, some...)
	}
	return known, nil
}

// expand is where the mail for a local name goes. One at this host's own name
// that would go nowhere is left as it stands: a server may know the host. The
// errors do not quote the file.
func (w *rewriter) expand(a address.Address) ([]address.Address, error) {
	targets, err := w.aliases.Expand(a.Local())
	if err != nil {
		return nil, exit.With(exit.Data, err)
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
		case w.cfg.DefaultDomain != "":
			if to, err = to.At("alias", w.cfg.DefaultDomain); err != nil {
				return nil, err
			}
		case !a.IsLocalName():
			return []address.Address{a}, nil
		default:
			return nil, &badinput.FieldError{Field: "recipient", Value: to.Local(), Reason: ErrLocalName.Error(), Err: ErrLocalName}
		}
		known = append(known, to)
	}
	return known, nil
}
