package config

import (
	"context"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"

	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// Options say where Load looks. The zero value is the program's own
// environment and the usual directories.
type Options struct {
	Environ []string          // "NAME=value"; nil = the process's environment
	Flags   map[string]string // setting's name without prefix -> value; secrets are refused here
	EnvFile string            // file asked for; "" = $SMTPSEND_ENV_FILE, else the usual places
	Profile string            // NAME.env in place of smtpsend.env in the usual places

	// NoEnvFile says that no env file is looked for, EnvFile and Profile aside.
	NoEnvFile bool

	UserConfigDir   string // "" = os.UserConfigDir
	SystemConfigDir string // "" = /etc, on Windows %ProgramData%
	UserCacheDir    string // "" = os.UserCacheDir

	// Offline says that no token will be fetched, so that ids and secret may be
	// missing. NO_MAILS=1 has the same effect.
	Offline bool

	// NoSecrets says that none is needed: no command runs, no file of a secret is
	// read, and nothing sealed is opened.
	NoSecrets bool

	// ByRelay says that, where RELAY_SOCKET is set, mail goes there: then it is as with
	// Offline and NoSecrets.
	ByRelay bool

	Stdin          io.Reader     // for a secret's _FILE=-; nil = that is refused
	CommandTimeout time.Duration // for a secret's _COMMAND; 0 = 30 s

	// SilentCommands says that an error does not repeat what a secret's command
	// wrote to standard error: whoever reads the error is not whose settings these
	// are.
	SilentCommands bool

	// Unseal opens a value that begins with "sealed:". identityFile is
	// IDENTITY_FILE, "" for the default place. nil = sealed values are refused.
	// Its error is shown to people.
	Unseal func(ctx context.Context, identityFile, sealed string) (secret.String, error)
}

// Load reads the configuration. Its error is a *Problems and holds all that is
// wrong; the Config beside it is then as complete as it could be made, good for
// Show and for nothing else. ctx ends a secret's command, and the reading of a
// pipe.
//
// Secrets come last, and only when nothing else is wrong: no command runs, no file
// of a secret is read and nothing sealed is opened after an error in the env file
// or in any setting.
//
// While it runs, the switches and words that were given are in the process's
// environment under a random prefix, because envconfig reads them from there
// and nowhere else; no variable of the environment itself is touched.
func Load(ctx context.Context, o Options) (*Config, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	from, found := newSources(o), newFindings()
	file := envFileSearch{o: o, from: from, found: found}
	file.read()
	unread := file.name == "" && found.failed() // one that was asked for
	checkNames(from, found)
	resolveAll(from, found)
	cfg := defaults()
	cfg.envFile = file.name
	fill(cfg, found)
	findNotifyCommand(cfg, found, o)
	if o.ByRelay && cfg.RelaySocket != "" {
		o.Offline, o.NoSecrets = true, true
	}
	secrets := secretSearch{o: o, from: from, found: found}
	waiting := secrets.find()
	checking := checks{o: o, cfg: cfg, from: from, found: found, looked: file.looked}
	checking.choose()
	if !o.Offline && !cfg.NoMails && !unread {
		checking.missing()
	}
	checking.run(ctx)
	if !o.NoSecrets && !found.failed() {
		for _, s := range waiting {
			if checking.needs(s.setting) {
				secrets.read(ctx, s.setting, s.way, cfg.IdentityFile)
			}
		}
	}
	checking.keepSecrets()
	checking.secret()
	cfg.shown = found.values
	found.sort()
	problems := &Problems{List: found.problems}
	cfg.warnings = problems.Warnings()
	if len(problems.Errors()) > 0 {
		return cfg, problems
	}
	return cfg, nil
}

// resolveAll finds a value for every setting but the secrets.
func resolveAll(from *sources, found *findings) {
	from.resolveCloud()
	for _, s := range setting.All() {
		if s.Secret {
			continue
		}
		e, ok := from.resolve(s)
		if !ok {
			continue
		}
		if e.isDefault(s) || found.wellFormed(s, &e) {
			found.values[s.Name] = e
		}
	}
	checkAuthority(from, found)
}

// checkAuthority refuses a host in AZURE_AUTHORITY_HOST that is not Microsoft's: the
// variable is for Microsoft's clouds, may be set for other programs, and would send
// the secret there.
func checkAuthority(from *sources, found *findings) {
	if found.values["OFFICE_TOKEN_ENDPOINT"].origin.Name != variableAuthorityHost {
		return
	}
	if u, err := url.Parse(from.authority()); err != nil || !exchange.IssuesTokens(u.Hostname()) {
		found.add(Problem{
			Variable: variableAuthorityHost, Severity: SeverityError,
			Text: "names a host that is not Microsoft's: set " + Prefix + "OFFICE_TOKEN_ENDPOINT if the secret is to go there",
		})
	}
}
