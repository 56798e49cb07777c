package config

import (
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
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
		return errors.New("is not one of public, usgov, usgov-dod, china")
	}
	*c = cloud
	return nil
}

// preset is what a cloud means.
type preset struct {
	cloud Cloud
	hosts exchange.Cloud
}

func presets() []preset {
	return []preset{
		{CloudPublic, exchange.Worldwide}, {CloudUSGov, exchange.USGov}, {CloudUSGovDoD, exchange.USGovDoD}, {CloudChina, exchange.China},
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
		return endpointAt("https://" + p.hosts.Authority), true
	case "OFFICE_ACCESS_SCOPES":
		return p.hosts.Scope(), true
	case "MAIL_SERVER":
		return p.hosts.SMTP, true
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
