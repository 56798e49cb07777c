package sendmail

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/aliases"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/localname"
)

// rewriter makes an envelope of a message and of a request. It turns local names
// such as root into addresses, because Exchange has none, by the aliases and the
// default domain.
type rewriter struct {
	cfg    *config.Config
	names  *localname.Names
	sender address.Address // MAIL_SENDER, zero when unset
}

// newRewriter reads aliases and the sender's address. The system's aliases may
// be missing or unreadable, those of a setting may not.
func newRewriter(ctx context.Context, cfg *config.Config) (*rewriter, error) {
	w := &rewriter{cfg: cfg}
	var err error
	if cfg.MailSender != "" {
		if w.sender, err = address.Parse(config.Prefix+"MAIL_SENDER", cfg.MailSender); err != nil {
			return nil, exit.With(exit.Config, err)
		}
	}
	if w.byRelay() {
		return w, nil
	}
	if w.names, err = localname.Read(ctx, cfg); err != nil {
		return nil, exit.With(exit.Config, err)
	}
	return w, nil
}

// isLocal reports an address that only this host could know.
func (w *rewriter) isLocal(a address.Address) bool { return w.names.Has(a) }

// resolveHere goes by the aliases and the default domain.
func (w *rewriter) resolveHere(list []address.Address) ([]address.Address, error) {
	known, err := w.names.Resolve(list)
	if _, isAlias := errors.AsType[*aliases.Error](err); isAlias {
		return nil, exit.With(exit.Data, err)
	}
	return known, err
}
