package config

import (
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// choose finds by which credential the client proves who it is, and what belongs to it.
func (c checks) choose() {
	choice, err := credential.Choose(c.given, c.from.environ)
	c.cfg.Credential = choice
	for _, v := range choice.Client(c.from.environ) { // where the ecosystem of the choice has them
		if _, isSet := c.found.values[v.Setting]; !isSet && !c.found.bad[v.Setting] {
			c.found.values[v.Setting] = entry{secret.New(v.Value), Origin{Source: SourceAzure, Name: v.Variable}}
		}
	}
	c.cfg.OfficeClientID, c.cfg.OfficeTenantID = c.found.values[setting.ClientID].text.Reveal(), c.found.values[setting.TenantID].text.Reveal()
	switch named, ok := c.named(choice); {
	case err == nil && choice.Kind != "":
		c.warnOfOthers(choice)
	case err == nil:
	case ok && !errors.Is(err, credential.ErrSeveral): // which names them
		c.found.problem(SeverityError, named, err.Error())
	default:
		c.found.add(Problem{Severity: SeverityError, Text: err.Error()})
	}
	if choice.Way == credential.Command {
		c.command(choice)
	}
	if choice.Way == credential.AzurePipelines && err == nil && c.cfg.OfficeServiceConnectionID == "" {
		c.found.problem(SeverityError, setting.ServiceConnectionID, "is not set: Azure Pipelines gives the token of a service connection")
	}
	if e, ok := c.found.values[setting.ClientSecretExpires]; ok && !c.found.bad[setting.ClientSecretExpires] {
		day, err := time.ParseInLocation(time.DateOnly, e.text.Reveal(), time.Local)
		if err != nil {
			c.found.problem(SeverityError, setting.ClientSecretExpires, "is not a day such as 2027-11-30")
		}
		c.cfg.OfficeClientSecretExpires = day
	}
}

// ofChoice reports a setting that choose reads.
func ofChoice(name string) bool {
	switch name {
	case setting.ClientCertificateFile, setting.FederatedTokenFile, setting.FederatedTokenFrom, setting.ManagedIdentity, setting.AccessTokenFile, setting.ClientSecretExpires:
		return true
	}
	return false
}

// given is a setting as the choice wants it.
func (c checks) given(name string) (credential.Given, bool) {
	e, ok := c.found.values[name]
	if !ok {
		return credential.Given{}, false
	}
	g := credential.Given{By: e.origin.Name, Ambient: e.origin.Source == SourceAzure}
	if g.By == "" {
		g.By = Prefix + name
	}
	if s, _ := setting.Named(name); !s.Secret {
		g.Value = e.text.Reveal()
	}
	return g, true
}

// named is the setting that the choice is by, without the prefix.
func (c checks) named(choice credential.Choice) (string, bool) {
	for name, e := range c.found.values {
		if choice.By != "" && (e.origin.Name == choice.By || Prefix+name == choice.By) {
			return name, true
		}
	}
	return "", false
}

// command splits the words of the program that gives a token.
func (c checks) command(choice credential.Choice) {
	words, err := program.Split(choice.Value)
	if name, ok := c.named(choice); ok && err != nil {
		c.found.problem(SeverityError, name, err.Error())
	}
	c.cfg.tokenCommand = program.Program{Words: words, Environ: c.o.Environ, Timeout: c.o.CommandTimeout, Silent: c.o.SilentCommands}
}

// TokenCommand is the program that gives a federated token or an access token. It has
// words only when Credential's way is a command.
func (c *Config) TokenCommand() program.Program { return c.tokenCommand }

// keepSecrets puts the secrets into the fields, those of the chosen credential alone.
func (c checks) keepSecrets() {
	take := func(name string) (s secret.String) {
		if credential.KindOf(name) == c.cfg.Credential.Kind {
			s = c.found.values[name].text
		}
		return s
	}
	c.cfg.OfficeClientSecret = take(setting.ClientSecret)
	c.cfg.OfficeClientSecretNext = take(setting.ClientSecretNext)
	c.cfg.OfficeClientCertificatePassword = take(setting.ClientCertificatePassword)
}

// needs reports that a secret belongs to the chosen credential, or to none: others are not
// read.
func (c checks) needs(s setting.Setting) bool {
	kind := credential.KindOf(s.Name)
	return kind == "" || kind == c.cfg.Credential.Kind
}

// warnOfOthers warns of settings of ours that belong to another credential than the chosen
// one: who has set them waits for what they do.
func (c checks) warnOfOthers(choice credential.Choice) {
	for name, e := range c.found.values {
		kind := credential.KindOf(name)
		isOther := kind != "" && kind != choice.Kind
		isOurs := e.origin.Source != SourceAzure && e.origin.Source != SourceDefault
		if isOther && isOurs {
			c.found.problem(SeverityWarning, name, "has no effect: the credential in use is "+choice.String())
		}
	}
}

// FederatedAudience is the audience of a federated token: the setting's, or that of the
// cloud.
func (c *Config) FederatedAudience() string {
	if c.OfficeFederatedAudience != "" {
		return c.OfficeFederatedAudience
	}
	p, _ := presetOf(c.Cloud)
	return p.hosts.Audience
}
