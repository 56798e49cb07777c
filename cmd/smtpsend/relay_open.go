package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/localname"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
)

// openRelay opens the relay of these settings. What its clients are refused, and what an
// operator should know, is in the log.
func (g *application) openRelay(ctx context.Context, cfg *config.Config, box *outbox.Outbox, supervisor *sdnotify.Service, log *slog.Logger) (*relay.Relay, error) {
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
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	r, err := relay.New(ctx, relay.Options{
		Outbox: box, Inherited: inherited, CertificateDir: filepath.Join(cfg.StateDir, "relay"), Hostname: host,
		Read:   func(ctx context.Context) (*relayfile.File, error) { return relayfile.Read(ctx, cfg.RelayFile) },
		Domain: cfg.DefaultDomain, Mailbox: mailbox, Resolve: names.Resolve,
		Reencode: readymessage.Reencode(cfg.Reencode), Logger: log, Warn: func(text string) { log.Warn(text) },
	})
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	return r, nil
}
