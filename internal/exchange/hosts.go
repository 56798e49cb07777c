package exchange

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// The hosts of the worldwide cloud
// (learn.microsoft.com/exchange/mail-flow-best-practices/how-to-set-up-a-multifunction-device-or-application-to-send-email).
const (
	SMTPHost  = "smtp.office365.com"        // takes submissions, on port 587
	Authority = "login.microsoftonline.com" // has the token endpoint
	Resource  = "outlook.office365.com"     // tokens are for it
)

// ResourceID is the application id of Office 365 Exchange Online, by which some
// tokens name it.
const ResourceID = "00000002-0000-0ff1-ce00-000000000000"

// Cloud is one of Microsoft's clouds. Its fields are host names.
type Cloud struct {
	Authority string // of the token endpoint
	Resource  string // that tokens are for
	SMTP      string // that takes submissions
	Audience  string // of federated tokens ("Configure an app to trust an external identity provider")
}

// Scope is what a token for Exchange Online is asked for with.
func (c Cloud) Scope() string { return "https://" + c.Resource + "/.default" }

// The clouds, as known in November 2026. Microsoft documents all authorities
// (Microsoft Entra ID, "National clouds"). Second-hand are, from the documentation
// and source of other mail programs: resource and SMTP host of the last three. For
// the Department of Defense the sources contradict each other:
// smtp-dod.office365.us and a scope on outlook-dod.office365.us are seen too. None
// was tried by us.
var (
	Worldwide = Cloud{Authority, Resource, SMTPHost, "api://AzureADTokenExchange"}                                                            // and GCC
	USGov     = Cloud{"login.microsoftonline.us", "outlook.office365.us", "smtp.office365.us", "api://AzureADTokenExchangeUSGov"}             // GCC High
	USGovDoD  = Cloud{"login.microsoftonline.us", "outlook.office365.us", "outlook-dod.office365.us", "api://AzureADTokenExchangeUSGov"}      // Department of Defense
	China     = Cloud{"login.partner.microsoftonline.cn", "partner.outlook.cn", "smtp.partner.outlook.cn", "api://AzureADTokenExchangeChina"} // operated by 21Vianet
)

// graphScopes are Microsoft Graph's, by the resource of Exchange Online in the
// same cloud.
var graphScopes = map[string]string{
	Resource:                   "https://graph.microsoft.com/.default",
	"outlook.office.com":       "https://graph.microsoft.com/.default",
	"outlook.office365.us":     "https://graph.microsoft.us/.default",
	"outlook-dod.office365.us": "https://dod-graph.microsoft.us/.default",
	"partner.outlook.cn":       "https://microsoftgraph.chinacloudapi.cn/.default",
}

// GraphScope is the scope of Microsoft Graph in the cloud whose Exchange Online is
// the resource host; "" for a host that is not such a resource.
func GraphScope(host string) string { return graphScopes[host] }

// NamedIn reports whether the audience of a token names Exchange Online, in any cloud,
// by host or by id.
func NamedIn(audience string) bool {
	audience = strings.ToLower(audience)
	for host := range graphScopes {
		if strings.Contains(audience, host) {
			return true
		}
	}
	return strings.Contains(audience, ResourceID)
}

// SameResource reports whether two hosts are names of one resource.
func SameResource(a, b string) bool {
	worldwide := func(host string) bool { return host == Resource || host == "outlook.office.com" }
	bothWorldwide := worldwide(a) && worldwide(b)
	return bothWorldwide || strings.EqualFold(a, b)
}

// IssuesTokens reports whether host issues tokens of Microsoft Entra ID, so that
// ids have the shapes of Entra. The .cn host without "partner" is the older name of
// the same service; the last three are MSAL's sovereign clouds.
func IssuesTokens(host string) bool {
	switch strings.ToLower(host) {
	case Worldwide.Authority, USGov.Authority, China.Authority, "login.windows.net", "sts.windows.net", "login.microsoft.com",
		"login.chinacloudapi.cn", "login.sovcloud-identity.fr", "login.sovcloud-identity.de", "login.sovcloud-identity.sg":
		return true
	}
	return false
}

// IsServer reports whether host is one of Exchange Online's SMTP servers, worldwide or
// of a cloud of the US government. They offer STARTTLS, and no TLS from the start.
func IsServer(host string) bool {
	host = strings.ToLower(host)
	return strings.HasSuffix(host, ".office365.com") || strings.HasSuffix(host, ".office365.us")
}

// microsoftHost is a host name of Microsoft's, also one that is no longer used: old
// texts have it.
var microsoftHost = lazyregexp.New(`(?i)(?:^|\.)(?:office365\.(?:com|us)|office\.com|outlook\.(?:com|cn)|exchangelabs\.com|` +
	`microsoftonline\.(?:com|us|de|cn)|hve\.mx\.microsoft|mx\.microsoft|windows\.net|chinacloudapi\.cn|live\.com|hotmail\.com|microsoftonline-p\.com)$`)

// IsMicrosoft reports whether a host name is one of Exchange Online's, Entra ID's or
// another service of Microsoft's (learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges).
func IsMicrosoft(host string) bool { return microsoftHost.Get().MatchString(host) }

// tokenHost is the host of a token endpoint within a text.
var tokenHost = lazyregexp.New(`(?i)login\.(?:microsoftonline\.(?:com|us|de)|partner\.microsoftonline\.cn|chinacloudapi\.cn|windows\.net)`)

// TokenHosts finds the hosts of Entra's token endpoints in a text, at most n, each
// as its begin and end.
func TokenHosts(text string, n int) [][]int { return tokenHost.Get().FindAllStringIndex(text, n) }
