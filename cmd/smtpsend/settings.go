package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/oncedaily"
	"github.com/smtpsend/smtpsend/internal/view"
)

// options say where the settings of this run are.
func (g *application) options() config.Options {
	o := config.Options{
		Environ: g.environ, EnvFile: g.envFile, Profile: g.profile, Stdin: g.stdin, Unseal: unseal, SilentCommands: g.silentCommands,
	}
	if g.stdinFor != "" {
		o.Stdin = taken{g}
	}
	return o
}

// taken is standard input for the settings when a message is read from there: a
// secret would swallow it.
type taken struct{ g *application }

func (t taken) Read([]byte) (int, error) {
	t.g.stdinTwice = true
	return 0, errors.New("standard input is taken")
}

// settingsButSecrets are the settings as far as they can be read, and nothing is
// said of the others.
func (g *application) settingsButSecrets(ctx context.Context) *config.Config {
	o := g.options()
	o.Offline, o.NoSecrets = true, true
	cfg, _ := config.Load(ctx, o)
	return cfg
}

// settings loads the configuration and shows its warnings. Offline, what only a
// connection needs may be missing, and no secret is read.
func (g *application) settings(ctx context.Context, offline bool) (*config.Config, error) {
	o := g.options()
	o.Offline, o.NoSecrets = offline, offline
	return g.load(ctx, o)
}

// load is settings by other options.
func (g *application) load(ctx context.Context, o config.Options) (*config.Config, error) {
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
	view.Warnings(g.out, cfg.Warnings())
	if file := cfg.EnvFile(); file != "" {
		g.out.Verbosef("settings from %s", file)
	}
	return cfg, nil
}

// account is the settings in use, which tells people here what it meets.
func (g *application) account(cfg *config.Config) *account.Account {
	o := account.Options{
		CacheDir: g.cacheDir(cfg), Logger: g.out.Logger(), Waiting: g.waitingForSlot,
		Warn: func(err error) { g.warnOf(cfg, err) }, Now: func() time.Time { return clock(g) },
		Unlimited: func(err error) {
			g.out.Warningf("the limit of %d connections for a mailbox cannot be kept: %v", exchange.Connections, err)
		},
	}
	if g.trace {
		o.Trace = func(line string) { g.out.Plainf("%s", line) }
	}
	return account.New(cfg, o)
}

// warnOf warns of what is wrong with an account. Programs call sendmail every minute, and
// cron mails what it says: that tells once a day what is true for days.
func (g *application) warnOf(cfg *config.Config, err error) {
	if g.daily && oncedaily.Said(context.Background(), g.cacheDir(cfg), err, clock(g)) {
		return
	}
	warnOnce(g, err)
}

// warnOnce warns of an error, unless the same was said before: several accounts may be
// made of the same settings.
func warnOnce(g *application, err error) {
	if _, said := g.said.LoadOrStore(err.Error(), true); !said {
		g.warn(err.Error())
	}
}

// endsOf is what of an account ends by itself, and why there may be more.
func endsOf(ctx context.Context, g *application, acct *account.Account) ([]expiry.Found, error) {
	items, err := acct.Proof().Watch().All(ctx)
	return expiry.Find(items, clock(g), expiry.Notice), err
}

// cacheDir is that of the settings. The default one of root is not for the user
// that this process has become.
func (g *application) cacheDir(cfg *config.Config) string {
	switch {
	case g.became.Name == "" || cfg.Origin("CACHE_DIR").Source != config.SourceDefault:
		return cfg.CacheDir
	case g.became.Home == "" || g.became.Home == "/":
		return ""
	}
	return filepath.Join(g.became.Home, ".cache", "smtpsend")
}

// waitingForSlot says why nothing happens.
func (g *application) waitingForSlot(mailbox string) {
	if g.out.Verbose || g.out.Watched() {
		g.out.Line("waiting", "Exchange allows %d connections per mailbox, and %s uses all of them", exchange.Connections, mailbox)
	}
}
