package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

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

// isDefault reports a value that is the table's default, wherever it comes from, so that
// nothing can be wrong with it.
func (e entry) isDefault(s setting.Setting) bool {
	return e.text.Reveal() == s.Default && !strings.HasPrefix(s.Default, "(") // those are for people
}

// sources are the places where values come from.
type sources struct {
	environ      map[string]string
	layers       []layer // flags, environment, env file
	cloud        preset  // that CLOUD names in one of them
	userCacheDir string  // Options.UserCacheDir
}

// newSources has flags and environment; environ is Options.Environ.
func newSources(o Options) *sources {
	src := &sources{environ: environMap(o.Environ), userCacheDir: o.UserCacheDir}
	flags := layer{SourceFlag, map[string]entry{}}
	for name, value := range o.Flags {
		flag := "--" + strings.ReplaceAll(strings.ToLower(name), "_", "-")
		flags.add(name, value, Origin{Source: SourceFlag, Name: flag})
	}
	env := layer{SourceEnvironment, map[string]entry{}}
	for name, value := range src.environ {
		if short, ok := strings.CutPrefix(name, Prefix); ok {
			env.add(short, value, Origin{Source: SourceEnvironment, Name: name})
		}
	}
	src.layers = []layer{flags, env}
	return src
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
func (s *sources) lookup(name string) (entry, bool) {
	for _, layer := range s.layers {
		if e, ok := layer.values[name]; ok {
			return e, true
		}
	}
	return entry{}, false
}

// resolveCloud comes first because the cloud sets other defaults.
func (s *sources) resolveCloud() {
	s.cloud, _ = presetOf(CloudPublic)
	var c Cloud
	if e, ok := s.lookup("CLOUD"); ok && c.UnmarshalText([]byte(e.text.Reveal())) == nil {
		s.cloud, _ = presetOf(c)
	}
}

// resolve finds one setting in the order of the package comment.
func (s *sources) resolve(wanted setting.Setting) (entry, bool) {
	if e, ok := s.lookup(wanted.Name); ok {
		return e, true
	}
	if name, value := wanted.Ambient(s.environ); value != "" {
		return entry{secret.New(value), Origin{Source: SourceAzure, Name: name}}, true
	}
	if value, ok := s.service().Default(wanted.Name); ok {
		return entry{secret.New(value), Origin{Source: SourceSetting, Name: Prefix + "SERVICE"}}, true
	}
	if e, ok := s.derived(wanted); ok {
		return e, true
	}
	if wanted.Default == "" || strings.HasPrefix(wanted.Default, "(") {
		return entry{}, false
	}
	return entry{secret.New(wanted.Default), Origin{Source: SourceDefault}}, true
}

// service is the one that SERVICE names.
func (s *sources) service() (named choice.Service) {
	if e, ok := s.lookup("SERVICE"); ok {
		_ = named.UnmarshalText([]byte(e.text.Reveal())) // fill says what is wrong with it
	}
	return named
}

// derived returns what other settings or the system make of an unset one.
func (s *sources) derived(wanted setting.Setting) (entry, bool) {
	switch wanted.Name {
	case "OFFICE_TOKEN_ENDPOINT", "OFFICE_ACCESS_SCOPES", "MAIL_SERVER":
		return s.ofCloud(wanted.Name)
	case "MAIL_SENDER":
		if e, ok := s.lookup("SMTP_USER_NAME"); ok && strings.Contains(e.text.Reveal(), "@") {
			return entry{e.text, Origin{Source: SourceSetting, Name: Prefix + "SMTP_USER_NAME"}}, true
		}
	case "STATE_DIR":
		if dir := s.stateDir(); dir != "" {
			return entry{secret.New(dir), Origin{Source: SourceDefault}}, true
		}
	case "CACHE_DIR":
		if dir := dirOr(s.userCacheDir, os.UserCacheDir); dir != "" {
			return entry{secret.New(filepath.Join(dir, "smtpsend")), Origin{Source: SourceDefault}}, true
		}
	}
	return entry{}, false
}

// ofCloud returns what CLOUD makes of an unset setting, or without it the authority in
// the environment.
func (s *sources) ofCloud(name string) (entry, bool) {
	if _, cloudSet := s.lookup("CLOUD"); cloudSet {
		value, ok := s.cloud.value(name)
		return entry{secret.New(value), Origin{Source: SourceSetting, Name: Prefix + "CLOUD"}}, ok
	}
	if host := s.authority(); name == "OFFICE_TOKEN_ENDPOINT" && host != "" {
		return entry{secret.New(endpointAt(host)), Origin{Source: SourceAzure, Name: variableAuthorityHost}}, true
	}
	return entry{}, false
}

// variableAuthorityHost is the one AZURE_ variable that says where a secret goes.
const variableAuthorityHost = "AZURE_AUTHORITY_HOST"

// authority is AZURE_AUTHORITY_HOST as a URL, "" when it is not set.
func (s *sources) authority() string {
	host := s.environ[variableAuthorityHost]
	if host != "" && !strings.Contains(host, "://") {
		host = "https://" + host
	}
	return host
}

// stateDir is where the outbox is unless told: what the XDG base directory
// specification says for users, the file hierarchy standard for root.
func (s *sources) stateDir() string {
	if dir := s.environ["XDG_STATE_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "smtpsend")
	}
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return "/var/lib/smtpsend"
	}
	if home := s.environ["HOME"]; filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "smtpsend")
	}
	if dir := s.environ["LOCALAPPDATA"]; filepath.IsAbs(dir) {
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
