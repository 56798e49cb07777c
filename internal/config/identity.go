package config

import (
	"net/url"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// checkEndpoint looks at where the secret will be sent.
func (l *loader) checkEndpoint(cfg *Config) {
	const name = "OFFICE_TOKEN_ENDPOINT"
	if !l.good(name) {
		return
	}
	u, err := url.Parse(replaceTenant(cfg.OfficeTokenEndpoint, "tenant"))
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		l.problem(SeverityError, name, "is not a URL such as "+endpointAt("https://"+exchange.Authority))
		return
	case u.User != nil:
		l.problem(SeverityError, name, "holds a user name or password")
	case u.Fragment != "":
		l.problem(SeverityError, name, "has a # that is not part of "+setting.TenantPlaceholder)
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback.Host(u.Hostname())):
		l.problem(SeverityError, name, "is not https: the secret would travel in the clear")
	}
	if !exchange.IssuesTokens(u.Hostname()) {
		return
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if isMultiTenant(segment) {
		l.problem(SeverityError, name, "names no tenant, but all of them (common, organizations, consumers): a program needs its own, write "+setting.TenantPlaceholder)
	}
	if !strings.HasSuffix(u.Path, entraPath) {
		l.problem(SeverityWarning, name, "does not end in "+entraPath+", which is where Entra takes scopes")
	}
	l.checkScopes(cfg)
	l.checkAuthorityHost(u.Hostname())
}

// checkScopes knows Entra's rule for client credentials (AADSTS1002012).
func (l *loader) checkScopes(cfg *Config) {
	if !l.good("OFFICE_ACCESS_SCOPES") {
		return
	}
	for _, scope := range cfg.OfficeAccessScopes {
		switch {
		case strings.Contains(strings.ToLower(scope), "://graph.microsoft."):
			l.problem(SeverityWarning, "OFFICE_ACCESS_SCOPES", "asks for Microsoft Graph, whose tokens SMTP refuses: use "+l.cloud.hosts.Scope())
			return
		case !strings.HasSuffix(scope, "/.default"):
			l.problem(SeverityWarning, "OFFICE_ACCESS_SCOPES", "has a scope that does not end in /.default, which Entra refuses to a program (AADSTS1002012): use "+l.cloud.hosts.Scope())
			return
		}
	}
}

// checkAuthorityHost warns where the environment names another cloud than
// CLOUD does, or one whose server and scope no one has set.
func (l *loader) checkAuthorityHost(host string) {
	azure := l.environ[variableAuthorityHost]
	if azure == "" {
		return
	}
	_, cloudSet := l.lookup("CLOUD")
	switch {
	case cloudSet && !strings.Contains(strings.ToLower(azure), strings.ToLower(host)):
		l.warnCloud("is used for the token endpoint, not AZURE_AUTHORITY_HOST, which names another one")
	case !cloudSet && !strings.EqualFold(host, l.cloud.hosts.Authority) && l.values["MAIL_SERVER"].origin.Source == SourceDefault:
		l.warnCloud("is not set, but AZURE_AUTHORITY_HOST names another cloud than public: server and scope are still those of public")
	}
}

func (l *loader) warnCloud(text string) {
	l.problems = append(l.problems, Problem{Variable: Prefix + "CLOUD", Text: text, Severity: SeverityWarning})
}

// checkIDs looks at the shapes of ids and secret. Entra's shapes are demanded
// only of Entra: another OpenID provider has ids of its own. What has Entra's
// path elsewhere, a sandbox or a gateway, most likely wants them: a warning.
func (l *loader) checkIDs(cfg *Config) {
	u, err := url.Parse(cfg.TokenURL())
	entra := err == nil && exchange.IssuesTokens(u.Hostname())
	hasEntrasPath := err == nil && strings.HasSuffix(u.Path, entraPath)
	alike := entra || hasEntrasPath
	severity := SeverityWarning
	if entra {
		severity = SeverityError
	}
	if l.good("OFFICE_CLIENT_ID") && alike {
		l.checkClientID(cfg.OfficeClientID, severity)
	}
	if l.good("OFFICE_TENANT_ID") {
		l.checkTenantID(cfg.OfficeTenantID, alike, severity)
	}
}

// checkSecret knows what is taken for the secret by mistake.
func (l *loader) checkSecret(cfg *Config) {
	if l.good("OFFICE_CLIENT_SECRET") && isGUID(cfg.OfficeClientSecret.Reveal()) {
		l.problem(SeverityWarning, "OFFICE_CLIENT_SECRET", "has the shape of a GUID: this looks like the secret's ID, not its value, which Entra shows once, when the secret is made")
	}
}

func (l *loader) checkClientID(id string, severity Severity) {
	switch {
	case strings.Contains(id, "@"):
		l.problem(severity, "OFFICE_CLIENT_ID", "is an e-mail address: the Application (client) ID of the app registration belongs here, a GUID")
	case !isGUID(id):
		l.problem(severity, "OFFICE_CLIENT_ID", "is not a GUID, as the Application (client) ID is")
	}
}

func (l *loader) checkTenantID(id string, alike bool, severity Severity) {
	switch {
	case alike && isMultiTenant(id):
		l.problem(severity, "OFFICE_TENANT_ID", "names no tenant, but all of them (common, organizations, consumers): a program needs the Directory (tenant) ID")
	case strings.ContainsAny(id, " /\\?#"):
		l.problem(SeverityError, "OFFICE_TENANT_ID", "has a blank or a character of a URL in it")
	case alike && !isGUID(id) && !domainShape.Get().MatchString(id):
		l.problem(severity, "OFFICE_TENANT_ID", "is neither a GUID nor a domain such as contoso.onmicrosoft.com")
	}
}

func isMultiTenant(tenant string) bool {
	switch strings.ToLower(tenant) {
	case "common", "organizations", "consumers":
		return true
	}
	return false
}

// checkMixture warns of an id of one application beside the secret of another,
// which is what half a set of AZURE_ variables amounts to.
func (l *loader) checkMixture() {
	id, secret := l.values["OFFICE_CLIENT_ID"].origin.Source, l.values["OFFICE_CLIENT_SECRET"].origin.Source
	if id != "" && secret != "" && (id == SourceAzure) != (secret == SourceAzure) {
		l.problem(SeverityWarning, "OFFICE_CLIENT_SECRET", "and "+Prefix+"OFFICE_CLIENT_ID come from different places, one of them AZURE_ variables: check that they belong to one application")
	}
}

// isGUID reports the form of a GUID, hexadecimal digits in groups of 8, 4, 4, 4 and 12.
func isGUID(s string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(s) != len(form) {
		return false
	}
	for i, c := range []byte(s) {
		digit := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
		if (form[i] == 'x') != digit || form[i] == '-' && c != '-' {
			return false
		}
	}
	return true
}
