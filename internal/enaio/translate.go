package enaio

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

// sendEmail is where the webclient keeps its mail settings, as normalised.
const sendEmail = "featureswitches.sendemail."

// entraSecret is the shape of the client secrets that Entra makes today.
var entraSecret = lazyregexp.New(`^[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,34}$`)

// encryptedShape is how values begin that enaio, Spring's configuration server or
// Jasypt has encrypted: #ENC#..., {cipher}..., ENC(...).
var encryptedShape = lazyregexp.New(`(?i)^[#{\[(<$!%]*(?:enc|encrypted|crypt|crypted|cipher|aes|des|3des)(?:-?[0-9]{3})?[#})\]>$!%:({]`)

// errEncrypted is a value that only enaio can read.
var errEncrypted = errors.New("is encrypted, and only enaio can read it")

// normal brings a key into the form that Spring's relaxed binding compares by:
// case, hyphens and underscores do not count.
func normal(key string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' {
			return -1
		}
		return unicode.ToLower(r)
	}, key)
}

// names are those of all settings, as normalised. Of a name that several have, the
// first in the table of settings keeps it.
var names = &lazy.Value[map[string]setting.Setting]{Make: func() map[string]setting.Setting {
	all := map[string]setting.Setting{}
	add := func(name string, s setting.Setting) {
		if _, taken := all[name]; !taken && name != "" {
			all[name] = s
		}
	}
	for _, s := range setting.All() {
		add(normal(s.Variable()), s)
		add(normal(s.Registry), s)
		if s.YAML != "" {
			add(normal(s.YAML), s)
			add(sendEmail+normal(s.YAML), s)
		}
	}
	return all
}}

// settingOf returns the setting that a key stands for: enaio's registry entry,
// the webclient's key with or without its path, or our own variable.
func settingOf(key string) (setting.Setting, bool) {
	s, ok := names.Get()[normal(key)]
	return s, ok
}

// maxTold is how many entries that mean nothing are told one by one.
const maxTold = 100

// take carries over the pairs that mean something and reports those beside
// them. A registry export may hold thousands of entries of other parts; only
// their number is told.
func (in *Imported) take(pairs []pair) {
	ours := map[string]bool{} // registry keys that hold a setting of ours
	taken := make([]bool, len(pairs))
	for i, p := range pairs {
		if s, ok := settingOf(p.key); ok {
			ours[p.path], taken[i] = true, true
			in.takePair(s, p)
		}
	}
	others := 0
	for i, p := range pairs {
		switch {
		case taken[i]:
		case len(in.Problems) >= maxTold:
			others++
		case in.Format == FormatRegistry && ours[p.path],
			in.Format != FormatRegistry && strings.HasPrefix(normal(p.key), sendEmail),
			in.Format == FormatProperties && !strings.Contains(p.key, "."):
			in.warn(printable(p.key), "means nothing to smtpsend and was left out")
		default:
			others++
		}
	}
	switch {
	case others == 1:
		in.warn("", "1 other entry, not about mail, was left out")
	case others > 1:
		in.warn("", fmt.Sprintf("%d other entries, not about mail, were left out", others))
	}
}

func (in *Imported) takePair(s setting.Setting, p pair) {
	key := printable(p.key)
	value, err := translate(s, strings.TrimSpace(p.text))
	if err == nil && value != "" && s.Secret && in.Format == FormatRegistry && !entraSecret.Get().MatchString(value) {
		err = errEncrypted // enaio server does that before it stores it
	}
	switch before := in.values[s.Name]; {
	case errors.Is(err, errEncrypted):
		in.encrypted[s.Name] = true
		in.warn(key, err.Error()+": left empty: enter it again as "+s.Variable())
	case err != nil:
		in.warn(key, err.Error()+": left out")
	case value == "":
	case !before.IsZero() && before.Reveal() != value && in.Format != FormatProperties: // where Java takes the last
		in.warn(key, "occurs more than once with different values: the first one was taken")
	default:
		if !before.IsZero() && before.Reveal() != value {
			in.warn(key, "occurs more than once with different values: the last one was taken")
		}
		in.values[s.Name] = secret.New(value)
	}
}

// printable keeps a key of a foreign file from doing anything to a terminal.
func printable(key string) string {
	quoted := strconv.QuoteToGraphic(key[:min(len(key), 100)])
	return quoted[1 : len(quoted)-1]
}

// translate gives a value the form that we write. Empty means unset in both
// worlds.
func translate(s setting.Setting, text string) (string, error) {
	switch {
	case strings.Contains(text, "${"):
		return "", errors.New("has a placeholder that enaio fills in")
	case encryptedShape.Get().MatchString(text):
		return "", errEncrypted
	case text == "":
		return "", nil
	}
	if _, err := envfile.Format(s.Variable(), text); err != nil {
		return "", errors.New("holds a control character")
	}
	switch s.Name {
	case "NO_MAILS":
		return translateBool(text)
	case "SMTP_SECURITY":
		var security choice.Security
		if security.UnmarshalText([]byte(text)) != nil {
			return "", errors.New("is an encryption that enaio does not document")
		}
		return strconv.Itoa(int(security)), nil
	case "SMTP_AUTHENTICATING":
		var method choice.Authentication
		if method.UnmarshalText([]byte(text)) != nil {
			return "", errors.New("is not MS_OAUTH (3), the only method that smtpsend has")
		}
		return strconv.Itoa(int(method)), nil
	}
	return text, nil
}

func translateBool(text string) (string, error) {
	switch strings.ToLower(text) {
	case "1", "true", "yes", "on":
		return "1", nil
	case "0", "false", "no", "off":
		return "0", nil
	}
	return "", errors.New("is neither 0 nor 1")
}

// check lets config judge the result, so that what it would refuse later is
// told now. Nothing around the import plays a part: no environment, no file.
func (in *Imported) check(ctx context.Context) {
	environ := []string{}
	for _, s := range setting.All() {
		if value := in.values[s.Name]; !value.IsZero() && !s.Path {
			environ = append(environ, s.Variable()+"="+value.Reveal())
		}
	}
	cfg, err := config.Load(ctx, config.Options{
		Environ: environ, Offline: true, NoEnvFile: true,
		Unseal: func(context.Context, string, string) (secret.String, error) { return secret.String{}, nil },
	})
	for _, p := range append(errorsOf(err), cfg.Warnings()...) {
		in.warn(p.Variable, p.Text)
	}
}

func errorsOf(err error) []config.Problem {
	var problems *config.Problems
	if !errors.As(err, &problems) {
		return nil
	}
	return problems.Errors()
}
