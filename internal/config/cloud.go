package config

import (
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/setting"
)

// Cloud is one of Microsoft's clouds. It sets token endpoint, scope and server
// together; each can still be set by itself.
type Cloud string

// The values of CLOUD.
const (
	CloudPublic   Cloud = "public"    // worldwide, and GCC
	CloudUSGov    Cloud = "usgov"     // GCC High
	CloudUSGovDoD Cloud = "usgov-dod" // Department of Defense
	CloudChina    Cloud = "china"     // operated by 21Vianet
)

// UnmarshalText takes the names above in any case.
func (c *Cloud) UnmarshalText(text []byte) error {
	cloud := Cloud(strings.ToLower(string(text)))
	if _, ok := presetOf(cloud); !ok {
		return errors.New("is none of public, usgov, usgov-dod, china")
	}
	*c = cloud
	return nil
}

// preset is what a cloud means.
type preset struct {
	cloud     Cloud
	authority string // host of the token endpoint
	scope     string
	server    string
}

// presets returns the clouds, as known in November 2026. Microsoft documents
// all authorities (Microsoft Entra ID, "National clouds"). Second-hand are,
// from the documentation and source of other mail programs: scope and server
// of usgov, usgov-dod and china. For usgov-dod the sources contradict each
// other: smtp-dod.office365.us and a scope on outlook-dod.office365.us are seen
// too. None was tried by us.
func presets() []preset {
	return []preset{
		{CloudPublic, "login.microsoftonline.com", "https://outlook.office365.com/.default", "smtp.office365.com"},
		{CloudUSGov, "login.microsoftonline.us", "https://outlook.office365.us/.default", "smtp.office365.us"},
		{CloudUSGovDoD, "login.microsoftonline.us", "https://outlook.office365.us/.default", "outlook-dod.office365.us"},
		{CloudChina, "login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default", "smtp.partner.outlook.cn"},
	}
}

func presetOf(c Cloud) (preset, bool) {
	for _, p := range presets() {
		if p.cloud == c {
			return p, true
		}
	}
	return preset{}, false
}

// value returns what the cloud sets for a setting.
func (p preset) value(setting string) (string, bool) {
	switch setting {
	case "OFFICE_TOKEN_ENDPOINT":
		return endpointAt("https://" + p.authority), true
	case "OFFICE_ACCESS_SCOPES":
		return p.scope, true
	case "MAIL_SERVER":
		return p.server, true
	}
	return "", false
}

// entraPath is where Entra's token endpoint is, below the tenant.
const entraPath = "/oauth2/v2.0/token"

// endpointAt returns the token endpoint of an authority such as
// "https://login.microsoftonline.com/", in enaio's spelling.
func endpointAt(authority string) string {
	return strings.TrimRight(authority, "/") + "/" + setting.TenantPlaceholder + entraPath
}

// isMicrosoft reports whether host issues tokens of Microsoft Entra ID, so that
// ids have the shapes of Entra. The .cn host without "partner" is the older
// name of the same service; the last three are MSAL's sovereign clouds.
func isMicrosoft(host string) bool {
	for _, p := range presets() {
		if strings.EqualFold(host, p.authority) {
			return true
		}
	}
	switch strings.ToLower(host) {
	case "login.windows.net", "sts.windows.net", "login.microsoft.com", "login.chinacloudapi.cn",
		"login.sovcloud-identity.fr", "login.sovcloud-identity.de", "login.sovcloud-identity.sg":
		return true
	}
	return false
}
