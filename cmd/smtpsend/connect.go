package main

import (
	"context"
	"crypto/x509"
	"path/filepath"
	"strings"
	"sync"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/tokencache"
)

// settingsButSecrets are the settings as far as they can be read, and nothing is
// said of the others.
func (g *globals) settingsButSecrets(ctx context.Context) *config.Config {
	o := g.options()
	o.Offline, o.NoSecrets = true, true
	cfg, _ := config.Load(ctx, o)
	return cfg
}

// settings loads the configuration and shows its warnings. Offline, what only a
// connection needs may be missing, and no secret is read.
func (g *globals) settings(ctx context.Context, offline bool) (*config.Config, error) {
	o := g.options()
	o.Offline, o.NoSecrets = offline, offline
	return g.load(ctx, o)
}

// load is settings by other options.
func (g *globals) load(ctx context.Context, o config.Options) (*config.Config, error) {
	cfg, err := config.Load(ctx, o)
	if g.stdinTwice {
		return cfg, exit.Usagef("%sOFFICE_CLIENT_SECRET_FILE is - (standard input), and %s is read from there too: give one of them a file", config.Prefix, g.stdinFor)
	}
	if err != nil && ctx.Err() != nil { // a secret's command was killed
		return cfg, context.Cause(ctx)
	}
	if err != nil {
		return cfg, err
	}
	g.warnings(cfg.Warnings())
	if file := cfg.EnvFile(); file != "" {
		g.Verbosef("settings from %s", file)
	}
	return cfg, nil
}

// connection maps settings onto the options of a session for mailbox, in which
// the user of a plain name signs in where the settings have one.
func (g *globals) connection(cfg *config.Config, mailbox string) (session.Options, error) {
	roots := sync.OnceValue(cfg.RootCAs) // read while the first connection is made
	if user := cfg.PlainUser(); user != "" {
		mailbox = user
	}
	o := g.server(cfg, mailbox, roots)
	cache, err := g.tokenCache(cfg, roots, tokencache.Options{})
	if err != nil {
		return session.Options{}, err
	}
	o.Tokens = cachedTokens{cache}
	if dir := g.cacheDir(cfg); dir != "" {
		slots := submission.NewLockSlots(filepath.Join(dir, "slots"), 0)
		slots.Waiting, slots.Unusable = g.waitingForSlot, g.noSlots()
		o.Slots = slots
	}
	return o, nil
}

// server is the part of a session's options that leads to the server.
func (g *globals) server(cfg *config.Config, mailbox string, r roots) session.Options {
	o := session.Options{
		Host: strings.Trim(cfg.MailServer, "[]"), Port: cfg.SMTPPort, Mailbox: mailbox,
		Security: map[config.Security]session.Security{
			config.SecurityNone: session.Plaintext, config.SecurityImplicit: session.ImplicitTLS,
		}[cfg.SMTPSecurity],
		LoadRoots: func() (*x509.CertPool, error) { return r(), nil }, EHLOName: cfg.EHLOName, Proxy: cfg.ProxyURL(), IPFamily: string(cfg.IPFamily),
		Chunking: &session.Chunking{},
	}
	if g.trace {
		o.Trace = func(line string) { g.Plainf("%s", line) }
	}
	return o
}

// waitingForSlot says why nothing happens.
func (g *globals) waitingForSlot(mailbox string) {
	if g.Verbose || g.Watched() {
		g.Line("waiting", "Exchange allows %d connections per mailbox, and %s has them", exchange.Connections, mailbox)
	}
}

// noSlots says once that nothing keeps a mailbox to its connections.
func (g *globals) noSlots() func(error) {
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			g.Warningf("more than %d connections of a mailbox at once are possible: %v", exchange.Connections, err)
		})
	}
}

// facts fill the placeholders of the catalogue's commands. The token's claims
// name the enterprise application, which no setting does.
func facts(cfg *config.Config, mailbox, from string, token bearer.Token) (diagnosis.Facts, *diagnosis.Claims) {
	f := diagnosis.Facts{
		ClientID: cfg.OfficeClientID, TenantID: cfg.OfficeTenantID, Mailbox: mailbox, From: from,
		Server: cfg.MailServer, Port: cfg.SMTPPort, TokenURL: cfg.TokenURL(),
	}
	claims, err := diagnosis.ReadClaims(token.Access.Reveal())
	if err != nil {
		return f, nil
	}
	f.ObjectID, claims.Wanted = claims.ObjectID, diagnosis.Resource(cfg.OfficeAccessScopes)
	return f, &claims
}
