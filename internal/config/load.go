package config

import (
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
// While it runs, the values other than secrets are in the process's
// environment under a random prefix, because envconfig reads them from there
// and nowhere else; no variable of the environment itself is touched.
func Load(ctx context.Context, o Options) (*Config, error) {
	l := newLoader(o)
	l.readEnvFile()
	l.unread = l.envFile == "" && l.failed()
	l.checkNames()
	l.resolveAll()
	cfg := &Config{envFile: l.envFile}
	l.fill(cfg)
	l.findNotifyCommand(cfg)
	waiting := l.findSecrets()
	l.check(ctx, cfg)
	if !o.NoSecrets && !l.failed() {
		for _, s := range waiting {
			l.readSecret(ctx, s.setting, s.way, cfg.IdentityFile)
		}
	}
	cfg.OfficeClientSecret = l.values["OFFICE_CLIENT_SECRET"].text
	l.checkSecret(cfg)
	cfg.shown = l.values
	l.sortProblems()
	problems := &Problems{List: l.problems}
	cfg.warnings = problems.Warnings()
	if len(problems.Errors()) > 0 {
		return cfg, problems
	}
	return cfg, nil
}

// failed reports that an error was found.
func (l *loader) failed() bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Severity == SeverityError })
}

// loader holds what Load has found so far.
type loader struct {
	o        Options
	environ  map[string]string
	layers   []layer // flags, environment, env file
	envFile  string
	unread   bool     // an env file that was asked for could not be read
	looked   []string // for the env file that no one named, when there is none
	cloud    preset
	values   map[string]entry // by the setting's name; absent = unset
	bad      map[string]bool  // settings whose value is wrong by itself
	problems []Problem
}

// layer is one source, by name of setting. A secret's _FILE and _COMMAND have
// entries of their own.
type layer struct {
	source Source
	values map[string]entry
}

// entry is a value as it was written. It is kept as a secret because what is
// one is not known everywhere that it passes.
type entry struct {
	text   secret.String
	origin Origin
}

func newLoader(o Options) *loader {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	l := &loader{o: o, environ: environMap(o.Environ), values: map[string]entry{}, bad: map[string]bool{}}
	flags := layer{SourceFlag, map[string]entry{}}
	for name, value := range o.Flags {
		flag := "--" + strings.ReplaceAll(strings.ToLower(name), "_", "-")
		flags.add(name, value, Origin{Source: SourceFlag, Name: flag})
	}
	env := layer{SourceEnvironment, map[string]entry{}}
	for name, value := range l.environ {
		if short, ok := strings.CutPrefix(name, Prefix); ok {
			env.add(short, value, Origin{Source: SourceEnvironment, Name: name})
		}
	}
	l.layers = []layer{flags, env}
	return l
}

// environMap splits an environment. Names are upper-cased on Windows, where
// case does not count.
func environMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue // Windows keeps "=C:=..." there
		}
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		m[name] = value
	}
	return m
}

// add puts in a value unless it is empty, which means unset.
func (l layer) add(name, value string, origin Origin) {
	if value != "" {
		l.values[name] = entry{secret.New(value), origin}
	}
}

// lookup finds a name in flags, environment and env file, in this order.
func (l *loader) lookup(name string) (entry, bool) {
	for _, layer := range l.layers {
		if e, ok := layer.values[name]; ok {
			return e, true
		}
	}
	return entry{}, false
}

// resolveAll finds a value for every setting but the secrets.
func (l *loader) resolveAll() {
	l.resolveCloud()
	for _, s := range setting.All() {
		if s.Secret {
			continue
		}
		if e, ok := l.resolve(s); ok && l.wellFormed(s, &e) {
			l.values[s.Name] = e
		}
	}
}

// resolveCloud comes first because the cloud sets other defaults.
func (l *loader) resolveCloud() {
	l.cloud, _ = presetOf(CloudPublic)
	var c Cloud
	if e, ok := l.lookup("CLOUD"); ok && c.UnmarshalText([]byte(e.text.Reveal())) == nil {
		l.cloud, _ = presetOf(c)
	}
}

// resolve finds one setting in the order of the package comment.
func (l *loader) resolve(s setting.Setting) (entry, bool) {
	if e, ok := l.lookup(s.Name); ok {
		return e, true
	}
	if value := l.environ[s.Azure]; s.Azure != "" && value != "" {
		return entry{secret.New(value), Origin{Source: SourceAzure, Name: s.Azure}}, true
	}
	if e, ok := l.derived(s); ok {
		return e, true
	}
	if s.Default == "" || strings.HasPrefix(s.Default, "(") {
		return entry{}, false
	}
	return entry{secret.New(s.Default), Origin{Source: SourceDefault}}, true
}

// derived returns what other settings or the system make of an unset one.
func (l *loader) derived(s setting.Setting) (entry, bool) {
	_, cloudSet := l.lookup("CLOUD")
	if host := l.environ[variableAuthorityHost]; s.Name == "OFFICE_TOKEN_ENDPOINT" && host != "" && !cloudSet {
		return l.authority(host), true
	}
	if value, ok := l.cloud.value(s.Name); ok && cloudSet {
		return entry{secret.New(value), Origin{Source: SourceSetting, Name: Prefix + "CLOUD"}}, true
	}
	switch s.Name {
	case "MAIL_SENDER":
		if e, ok := l.lookup("SMTP_USER_NAME"); ok && strings.Contains(e.text.Reveal(), "@") {
			return entry{e.text, Origin{Source: SourceSetting, Name: Prefix + "SMTP_USER_NAME"}}, true
		}
	case "STATE_DIR":
		if dir := l.stateDir(); dir != "" {
			return entry{secret.New(dir), Origin{Source: SourceDefault}}, true
		}
	case "CACHE_DIR":
		if dir := dirOr(l.o.UserCacheDir, os.UserCacheDir); dir != "" {
			return entry{secret.New(filepath.Join(dir, "smtpsend")), Origin{Source: SourceDefault}}, true
		}
	}
	return entry{}, false
}

// variableAuthorityHost is the one AZURE_ variable that says where a secret goes.
const variableAuthorityHost = "AZURE_AUTHORITY_HOST"

// authority is the token endpoint at AZURE_AUTHORITY_HOST. A host that is not
// Microsoft's is refused: the variable is for Microsoft's clouds, may be set for
// other programs, and would send the secret there.
func (l *loader) authority(host string) entry {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	if u, err := url.Parse(host); err != nil || !exchange.IssuesTokens(u.Hostname()) {
		l.problems = append(l.problems, Problem{
			Variable: variableAuthorityHost, Severity: SeverityError,
			Text: "names a host that is not Microsoft's: set " + Prefix + "OFFICE_TOKEN_ENDPOINT if the secret is to go there",
		})
	}
	return entry{secret.New(endpointAt(host)), Origin{Source: SourceAzure, Name: variableAuthorityHost}}
}

// stateDir is where the outbox is unless told: what the XDG base directory
// specification says for users, the file hierarchy standard for root.
func (l *loader) stateDir() string {
	if dir := l.environ["XDG_STATE_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "smtpsend")
	}
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return "/var/lib/smtpsend"
	}
	if home := l.environ["HOME"]; filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "smtpsend")
	}
	if dir := l.environ["LOCALAPPDATA"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "smtpsend")
	}
	return ""
}

// dirOr returns dir, else what the system says, else "" (a service may have
// neither home nor cache).
func dirOr(dir string, system func() (string, error)) string {
	if dir != "" {
		return dir
	}
	dir, err := system()
	if err != nil || !filepath.IsAbs(dir) { // with HOME=. it would be the working directory
		return ""
	}
	return dir
}

// problem notes a problem with a setting and the source of its value.
func (l *loader) problem(severity Severity, setting, text string) {
	if severity == SeverityError {
		l.bad[setting] = true
	}
	l.problems = append(l.problems, Problem{
		Variable: Prefix + setting, Text: text, Severity: severity, Source: l.values[setting].origin,
	})
}

// sortProblems puts problems into the order of the table, those about no
// setting first, and errors before warnings.
func (l *loader) sortProblems() {
	place := map[string]int{}
	for i, s := range setting.All() {
		place[s.Variable()] = i + 1
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		if a.Severity != b.Severity {
			return strings.Compare(string(a.Severity), string(b.Severity)) // "error" < "warning"
		}
		return place[a.Variable] - place[b.Variable]
	})
}
