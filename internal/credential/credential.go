// Package credential says by which credential the settings let the client prove who it
// is. The rule is in [Choose]; nothing is read or asked here.
//
// A kind that a setting of ours names goes before every kind that the environment only
// offers: the AZURE_ variables of Microsoft's own libraries, and what CI systems and
// Azure's hosts set. Two kinds that are named contradict each other.
package credential

import (
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// Kind is a kind of credential.
type Kind string

// The kinds. The zero Kind is none.
const (
	Secret          Kind = "client secret"
	Certificate     Kind = "certificate"
	Federated       Kind = "federated token"  // of another issuer, such as a CI system
	ManagedIdentity Kind = "managed identity" // of a host in Azure
	AccessToken     Kind = "access token"     // that another program fetches
)

// NeedsClient reports that the token request names application and tenant.
func (k Kind) NeedsClient() bool { return k != ManagedIdentity && k != AccessToken }

// Way is where a credential of a kind comes from, when there are several places.
type Way string

// The ways of a federated token, of a managed identity and of an access token.
const (
	File           Way = "file"
	Command        Way = "command"
	Variable       Way = "environment variable"
	GitHub         Way = "GitHub Actions"
	AzurePipelines Way = "Azure Pipelines"
	GitLab         Way = "GitLab"
	IMDS           Way = "virtual machine"
	AppService     Way = "App Service"
	Arc            Way = "Azure Arc"
)

// Choice is the credential to use.
type Choice struct {
	Kind  Kind
	Way   Way    // "" for Secret and Certificate
	By    string // the variable that chose it, "" when there is none
	Value string // of By: a path, the words of a command, the name of a variable, or an identity
	// URL is where the token is asked for, of a CI system or a host in Azure.
	URL string
	// Proof is what the URL wants to see: the job's token or the host's header; of a
	// variable it is the token itself.
	Proof secret.String
	// Ambient says that no setting of ours named it.
	Ambient bool
}

// String says the kind, its way and the variable that chose it, in words for people.
func (c Choice) String() string {
	if c.Kind == "" {
		return "none"
	}
	text := string(c.Kind)
	if c.Way != "" {
		text += " (" + string(c.Way) + ")"
	}
	return text + ", by " + c.By
}

// candidate is a setting that names a kind.
type candidate struct {
	setting string // without the prefix
	way     Way
}

func candidates() []candidate {
	return []candidate{
		{setting.ClientSecret, ""},
		{setting.ClientCertificateFile, ""},
		{setting.FederatedTokenFile, File},
		{setting.FederatedTokenCommand, Command},
		{setting.FederatedTokenFrom, ""},
		{setting.ManagedIdentity, ""},
		{setting.AccessTokenFile, File},
		{setting.AccessTokenCommand, Command},
	}
}

// KindOf is the kind that a setting, by its name without the prefix, belongs to; "" for a
// setting of no credential.
func KindOf(name string) Kind {
	switch name {
	case setting.ClientSecret, setting.ClientSecretNext, setting.ClientSecretExpires:
		return Secret
	case setting.ClientCertificateFile, setting.ClientCertificateKeyFile, setting.ClientCertificatePassword,
		setting.ClientCertificateNextFile, setting.ClientCertificateChain:
		return Certificate
	case setting.FederatedTokenFile, setting.FederatedTokenCommand, setting.FederatedTokenFrom, setting.FederatedAudience, setting.ServiceConnectionID:
		return Federated
	case setting.ManagedIdentity:
		return ManagedIdentity
	case setting.AccessTokenFile, setting.AccessTokenCommand:
		return AccessToken
	}
	return ""
}

// Given is a value of a setting, and the variable that it came from.
type Given struct {
	Value   string // "" for a secret, whose value the choice does not need
	By      string
	Ambient bool // from a variable of others
}

// ErrSeveral is wrapped by the error of settings that name two kinds.
var ErrSeveral = errors.New("these settings give a credential each, keep one")

// Choose returns the credential of the settings, or else of the environment. given
// returns the value of a setting, by its name without the prefix. The zero Choice says
// that there is none. An error names the variables that contradict each other, or the
// value that says nothing.
func Choose(given func(name string) (Given, bool), environ map[string]string) (Choice, error) {
	var named []Choice
	var offered Choice // the first that AZURE_ variables give
	for _, c := range candidates() {
		g, ok := given(c.setting)
		if !ok {
			continue
		}
		choice := Choice{Kind: KindOf(c.setting), Way: c.way, By: g.By, Value: g.Value, Ambient: g.Ambient}
		switch {
		case !g.Ambient:
			named = append(named, choice)
		case offered.Kind == "":
			offered = choice
		}
	}
	switch {
	case len(named) > 1:
		var names []string
		for _, c := range named {
			names = append(names, c.By)
		}
		return named[0], &SeveralError{names}
	case len(named) == 1:
		c, err := named[0].complete(environ)
		return c.with(environ), err
	case offered.Kind != "":
		return offered, nil
	}
	return ambient(environ).with(environ), nil
}

// SeveralError names the variables that give a credential each.
type SeveralError struct{ Variables []string }

// Error names them.
func (e *SeveralError) Error() string {
	return ErrSeveral.Error() + ": " + strings.Join(e.Variables, ", ")
}

// Unwrap returns ErrSeveral.
func (e *SeveralError) Unwrap() error { return ErrSeveral }

// Words of FEDERATED_TOKEN_FROM and MANAGED_IDENTITY.
const (
	fromGitHub         = "github"
	fromAzurePipelines = "azure-pipelines"
	fromVariable       = "env:" // and the name of the variable
	systemAssigned     = "system"
)

// identity is the name of a user-assigned identity.
var identity = lazyregexp.New(`(?i)^((object:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|/subscriptions/.+)$`)

// complete finds the way of a setting that says it by its value.
func (c Choice) complete(environ map[string]string) (Choice, error) {
	switch c.Kind {
	case Federated:
		if c.Way == "" {
			return c.from(environ)
		}
	case ManagedIdentity:
		c.Way = host(environ)
		if c.Way == IMDS && environ[variableIdentity] != "" {
			return c, errors.New("is for the host of " + variableIdentity + ", but " + variableIdentityHeader + headerFix)
		}
		if strings.EqualFold(c.Value, systemAssigned) {
			c.Value = ""
		} else if !identity.Get().MatchString(c.Value) {
			return c, errors.New("is not system, a client ID, object: and an object ID, or a resource ID such as /subscriptions/.../userAssignedIdentities/NAME")
		}
	}
	return c, nil
}

func (c Choice) from(environ map[string]string) (Choice, error) {
	switch name, isVariable := strings.CutPrefix(c.Value, fromVariable); {
	case isVariable && name != "":
		c.Way, c.Value = Variable, name
		if environ[name] == "" {
			return c, errors.New("names the environment variable " + name + ", which is not set")
		}
	case strings.EqualFold(c.Value, fromGitHub):
		c.Way = GitHub
		if name := unset(environ, variableGitHubURL, variableGitHubToken); name != "" {
			return c, errors.New("is github, but " + name + gitHubFix)
		}
	case strings.EqualFold(c.Value, fromAzurePipelines):
		c.Way = AzurePipelines
		if environ[variableAzurePipelines] == "" {
			return c, errors.New("is azure-pipelines, but " + variableAzurePipelines + " is not set")
		}
		if environ[variableAzureJobToken] == "" {
			return c, errors.New("is azure-pipelines, but " + variableAzureJobToken + azureJobFix)
		}
	default:
		return c, errors.New("is not one of github, azure-pipelines, env:NAME")
	}
	return c, nil
}

// unset is the first of these variables that has no value, "" when each has one.
func unset(environ map[string]string, names ...string) string {
	for _, name := range names {
		if environ[name] == "" {
			return name
		}
	}
	return ""
}
