package main

import (
	"context"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/localname"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// openRelay opens the relay of these settings, which fill in what o leaves out. What an
// operator should know is in the log.
func (g *application) openRelay(ctx context.Context, cfg *config.Config, supervisor *sdnotify.Service, o relay.Options) (*relay.Relay, error) {
	inherited, err := supervisor.Listeners()
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	names, err := localname.Read(ctx, cfg)
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	mailbox, err := account.Mailbox(cfg, "", "")
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	o.Inherited, o.CertificateDir, o.Hostname = inherited, filepath.Join(cfg.StateDir, relayState), smtpserver.HostName()
	o.Domain, o.Mailbox, o.Resolve, o.Reencode = cfg.DefaultDomain, mailbox, names.Resolve, readymessage.Reencode(cfg.Reencode)
	o.Warn = func(text string) { o.Logger.Warn(text) }
	if o.Read == nil {
		o.Read = func(ctx context.Context) (*relayfile.File, error) { return relayfile.Read(ctx, cfg.RelayFile) }
	}
	r, err := relay.New(ctx, o)
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	return r, nil
}
