package config

import (
	"net/url"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ascii"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// endpoint looks at where the secret will be sent.
func (c checks) endpoint() {
	const name = "OFFICE_TOKEN_ENDPOINT"
	if !c.found.good(name) {
		return
	}
	u, err := url.Parse(replaceTenant(c.cfg.OfficeTokenEndpoint, "tenant"))
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		c.found.problem(SeverityError, name, "is not a URL such as "+endpointAt("https://"+exchange.Authority))
		return
	case u.User != nil:
		c.found.problem(SeverityError, name, "holds a user name or password")
	case u.Fragment != "":
		c.found.problem(SeverityError, name, "has a # that is not part of "+setting.TenantPlaceholder)
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback.Host(u.Hostname())):
		c.found.problem(SeverityError, name, "is not https: the secret would be sent unencrypted")
	}
	if !exchange.IssuesTokens(u.Hostname()) {
		return
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if isMultiTenant(segment) {
		c.found.problem(SeverityError, name, "is for all tenants (common, organizations, consumers), not for one: write "+setting.TenantPlaceholder)
	}
	if !strings.HasSuffix(u.Path, entraPath) {
		c.found.problem(SeverityWarning, name, "does not end in "+entraPath+": Entra accepts scopes only there")
	}
	c.scopes()
	c.authorityHost(u.Hostname())
}

// scopes knows Entra's rule for client credentials (AADSTS1002012).
func (c checks) scopes() {
	if !c.found.good("OFFICE_ACCESS_SCOPES") {
		return
	}
	for _, scope := range c.cfg.OfficeAccessScopes {
		switch {
		case strings.Contains(strings.ToLower(scope), "://graph.microsoft."):
			c.found.problem(SeverityWarning, "OFFICE_ACCESS_SCOPES", "asks for Microsoft Graph, whose tokens SMTP refuses: use "+c.from.cloud.hosts.Scope())
			return
		case !strings.HasSuffix(scope, "/.default"):
			c.found.problem(SeverityWarning, "OFFICE_ACCESS_SCOPES", "has a scope that does not end in /.default, which Entra refuses to a program (AADSTS1002012): use "+c.from.cloud.hosts.Scope())
			return
		}
	}
}

// authorityHost warns where the environment names another cloud than
// CLOUD does, or one whose server and scope no one has set.
func (c checks) authorityHost(host string) {
	azure := c.from.environ[variableAuthorityHost]
	if azure == "" {
		return
	}
	_, cloudSet := c.from.lookup("CLOUD")
	switch {
	case cloudSet && !strings.Contains(strings.ToLower(azure), strings.ToLower(host)):
		c.warnCloud("is used for the token endpoint, not AZURE_AUTHORITY_HOST, which names another one")
	case !cloudSet && !strings.EqualFold(host, c.from.cloud.hosts.Authority) && c.found.values["MAIL_SERVER"].origin.Source == SourceDefault:
		c.warnCloud("is not set, but AZURE_AUTHORITY_HOST names another cloud than public: server and scope are still those of public")
	}
}

func (c checks) warnCloud(text string) {
	c.found.add(Problem{Variable: Prefix + "CLOUD", Text: text, Severity: SeverityWarning})
}

// ids looks at the shapes of ids and secret. Entra's shapes are demanded
// only of Entra: another OpenID provider has ids of its own. What has Entra's
// path elsewhere, a sandbox or a gateway, most likely wants them: a warning.
func (c checks) ids() {
	u, err := url.Parse(c.cfg.TokenURL())
	entra := err == nil && exchange.IssuesTokens(u.Hostname())
	hasEntrasPath := err == nil && strings.HasSuffix(u.Path, entraPath)
	alike := entra || hasEntrasPath
	severity := SeverityWarning
	if entra {
		severity = SeverityError
	}
	if c.found.good("OFFICE_CLIENT_ID") && alike {
		c.clientID(c.cfg.OfficeClientID, severity)
	}
	if c.found.good("OFFICE_TENANT_ID") {
		c.tenantID(c.cfg.OfficeTenantID, alike, severity)
	}
}

// secret knows what is taken for the secret by mistake.
func (c checks) secret() {
	if c.found.good("OFFICE_CLIENT_SECRET") && isGUID(c.cfg.OfficeClientSecret.Reveal()) {
		c.found.problem(SeverityWarning, "OFFICE_CLIENT_SECRET", "has the shape of a GUID: this looks like the secret's ID, not its value, which Entra shows once, when the secret is made")
	}
}

func (c checks) clientID(id string, severity Severity) {
	switch {
	case strings.Contains(id, "@"):
		c.found.problem(severity, "OFFICE_CLIENT_ID", "is an e-mail address: the Application (client) ID of the app registration belongs here, a GUID")
	case !isGUID(id):
		c.found.problem(severity, "OFFICE_CLIENT_ID", "is not a GUID, as the Application (client) ID is")
	}
}

func (c checks) tenantID(id string, alike bool, severity Severity) {
	switch {
	case alike && isMultiTenant(id):
		c.found.problem(severity, "OFFICE_TENANT_ID", "stands for all tenants (common, organizations, consumers), not for one: a program needs the Directory (tenant) ID")
	case strings.ContainsAny(id, " /\\?#"):
		c.found.problem(SeverityError, "OFFICE_TENANT_ID", "has a blank or a character of a URL in it")
	case alike && !isGUID(id) && !domainShape.Get().MatchString(id):
		c.found.problem(severity, "OFFICE_TENANT_ID", "is neither a GUID nor a domain such as contoso.onmicrosoft.com")
	}
}

func isMultiTenant(tenant string) bool {
	switch strings.ToLower(tenant) {
	case "common", "organizations", "consumers":
		return true
	}
	return false
}

// mixture warns of an id of one application beside the secret of another,
// which is what half a set of AZURE_ variables amounts to.
func (c checks) mixture() {
	id, secret := c.found.values["OFFICE_CLIENT_ID"].origin.Source, c.found.values["OFFICE_CLIENT_SECRET"].origin.Source
	if c.cfg.Credential.Kind == credential.Secret && id != "" && (id == SourceAzure) != (secret == SourceAzure) {
		c.found.problem(SeverityWarning, "OFFICE_CLIENT_SECRET", "and "+Prefix+"OFFICE_CLIENT_ID come from different places, one of them AZURE_ variables: check that they belong to one application")
	}
}

// isGUID reports the form of a GUID, hexadecimal digits in groups of 8, 4, 4, 4 and 12.
func isGUID(s string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(s) != len(form) {
		return false
	}
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'f'
		digit := ascii.IsDigit(c) || letter
		fits := c == '-'
		if form[i] == 'x' {
			fits = digit
		}
		if !fits {
			return false
		}
	}
	return true
}
