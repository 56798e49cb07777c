package config

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/secretfile"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// sealedPrefix begins a value that is encrypted with the identity file.
const sealedPrefix = "sealed:"

// way is one way in which a secret is given.
type way struct {
	name    string // the variable, or the credential's name
	e       entry
	inClear bool // the entry is the secret
	read    func(ctx context.Context) (string, error)
}

// unreadSecret is a secret that was found and not read.
type unreadSecret struct {
	setting setting.Setting
	way     way
}

// secretSearch finds the secrets and reads them.
type secretSearch struct {
	o     Options
	from  *sources
	found *findings
}

// find finds each secret, and takes those that are in the clear. A
// source of higher precedence hides the lower ones; two ways within one source
// contradict each other and are refused. It returns the secrets that a file, a
// command or the identity has to give.
func (search secretSearch) find() (waiting []unreadSecret) {
	for _, s := range setting.All() {
		if !s.Secret {
			continue
		}
		switch ways := search.waysOf(s); {
		case len(ways) > 1:
			search.twoWays(s, ways)
		case len(ways) == 1 && ways[0].inClear:
			search.keep(s, ways[0], ways[0].e)
		case len(ways) == 1:
			search.found.values[s.Name] = entry{origin: ways[0].e.origin}
			waiting = append(waiting, unreadSecret{s, ways[0]})
		}
	}
	return waiting
}

// waysOf returns the ways of the first source that has one.
func (search secretSearch) waysOf(s setting.Setting) []way {
	for _, layer := range search.from.layers {
		ways := search.waysIn(layer, s)
		if layer.source == SourceEnvironment {
			ways = append(ways, search.credentialOf(s)...)
		}
		if len(ways) > 0 {
			return ways
		}
	}
	if name, value := s.Ambient(search.from.environ); value != "" {
		e := entry{secret.New(value), Origin{Source: SourceAzure, Name: name}}
		return []way{plain(name, e)}
	}
	return nil
}

func (search secretSearch) waysIn(layer layer, s setting.Setting) []way {
	var ways []way
	if e, ok := layer.values[s.Name]; ok {
		ways = append(ways, plain(s.Variable(), e))
	}
	if e, ok := layer.values[s.Name+"_FILE"]; ok {
		ways = append(ways, way{s.Variable() + "_FILE", e, false, func(ctx context.Context) (string, error) { return search.fromFile(ctx, e) }})
	}
	if e, ok := layer.values[s.Name+"_COMMAND"]; ok {
		ways = append(ways, way{s.Variable() + "_COMMAND", e, false, func(ctx context.Context) (string, error) { return search.fromCommand(ctx, e) }})
	}
	return ways
}

// plain is a value that is given itself, in the clear or sealed.
func plain(name string, e entry) way {
	read := func(context.Context) (string, error) { return e.text.Reveal(), nil }
	return way{name, e, !strings.HasPrefix(e.text.Reveal(), sealedPrefix), read}
}

// credentialOf returns the systemd credential for a setting, if there is one.
func (search secretSearch) credentialOf(s setting.Setting) []way {
	name := setting.CredentialPrefix + strings.ToLower(s.Name)
	path, found := secretfile.Credential(search.from.environ["CREDENTIALS_DIRECTORY"], name)
	if !found {
		return nil
	}
	e := entry{secret.New(path), Origin{Source: SourceCredential, Name: name}}
	return []way{{"systemd credential " + name, e, false, func(ctx context.Context) (string, error) { return search.fromFile(ctx, e) }}}
}

func (search secretSearch) twoWays(s setting.Setting, ways []way) {
	var names []string
	for _, w := range ways {
		names = append(names, w.name)
	}
	slices.Sort(names)
	search.found.problem(SeverityError, s.Name, "is given in several ways, keep one: "+strings.Join(names, ", "))
}

// read takes the secret from where it is, and opens it if it is sealed.
func (search secretSearch) read(ctx context.Context, s setting.Setting, w way, identityFile string) {
	text, err := w.read(ctx)
	if err != nil {
		search.problem(s, w, err)
		return
	}
	e := entry{secret.New(text), w.e.origin}
	if strings.HasPrefix(text, sealedPrefix) {
		if e.text, err = search.unseal(ctx, identityFile, text); err != nil {
			search.problem(s, w, err)
			return
		}
	}
	search.keep(s, w, e)
}

// keep keeps a secret when it is usable.
func (search secretSearch) keep(s setting.Setting, w way, e entry) {
	search.found.values[s.Name] = e
	if !e.text.IsZero() && !search.found.wellFormed(s, &e) {
		search.found.values[s.Name] = entry{origin: e.origin}
		if p := &search.found.problems[len(search.found.problems)-1]; w.name != s.Variable() {
			p.Variable, p.Text = w.variable(s), "gives a secret that "+p.Text
		}
	}
}

func (search secretSearch) unseal(ctx context.Context, identityFile, sealed string) (secret.String, error) {
	if search.o.Unseal == nil {
		return secret.String{}, errors.New("is sealed and cannot be opened here")
	}
	opened, err := search.o.Unseal(ctx, identityFile, sealed)
	if err != nil {
		return secret.String{}, fmt.Errorf("cannot be opened: %w", err)
	}
	return opened, nil
}

// variable is the one that was used, which may be that with _FILE or _COMMAND.
func (w way) variable(s setting.Setting) string {
	if w.e.origin.Source == SourceCredential {
		return s.Variable()
	}
	return w.name
}

// problem notes why a secret cannot be had.
func (search secretSearch) problem(s setting.Setting, w way, err error) {
	search.found.bad[s.Name] = true
	search.found.add(Problem{Variable: w.variable(s), Text: err.Error(), Severity: SeverityError, Source: w.e.origin})
}

// fromFile reads a secret from the file that e names, "-" for standard input.
func (search secretSearch) fromFile(ctx context.Context, e entry) (string, error) {
	name := e.text.Reveal()
	var text string
	var err error
	switch {
	case name != "-":
		text, err = secretfile.Read(ctx, name)
	case search.o.Stdin == nil:
		return "", errors.New("is -, but standard input is not to be read here")
	default:
		name = "standard input"
		text, err = secretfile.ReadFrom(search.o.Stdin)
	}
	if unusable, ok := errors.AsType[*secretfile.Error](err); ok {
		return "", fmt.Errorf("names %s, which %w", name, unusable)
	}
	return text, err
}

// fromCommand runs the command of a secret and returns what it prints. Standard
// input is empty.
func (search secretSearch) fromCommand(ctx context.Context, e entry) (string, error) {
	words, err := program.Split(e.text.Reveal())
	if err != nil {
		return "", err
	}
	p := program.Program{Words: words, Environ: search.o.Environ, Timeout: search.o.CommandTimeout, Silent: search.o.SilentCommands}
	printed, err := p.Run(ctx, nil, secretfile.MaxSize)
	switch {
	case err != nil:
		return "", err
	case len(printed) > secretfile.MaxSize:
		return "", fmt.Errorf("printed more than %d octets", secretfile.MaxSize)
	}
	text, err := secretfile.Text(printed)
	if err != nil {
		return "", fmt.Errorf("ran, but its output %w", err)
	}
	return text, nil
}
