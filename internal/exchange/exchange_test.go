package exchange_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

func TestHostsAreToldByTheirNames(t *testing.T) {
	for host, want := range map[string]struct{ microsoft, issues, server bool }{
		"smtp.office365.com":               {microsoft: true, server: true},
		"SMTP.Office365.com":               {microsoft: true, server: true},
		"smtp.office365.us":                {microsoft: true, server: true},
		"smtp.partner.outlook.cn":          {microsoft: true},
		"login.microsoftonline.com":        {microsoft: true, issues: true},
		"Login.MicrosoftOnline.us":         {microsoft: true, issues: true},
		"login.partner.microsoftonline.cn": {microsoft: true, issues: true},
		"login.sovcloud-identity.fr":       {issues: true},
		"office365.com.contoso.example":    {},
		"notoffice365.com":                 {},
		"127.0.0.1":                        {},
	} {
		if got := exchange.IsMicrosoft(host); got != want.microsoft {
			t.Errorf("IsMicrosoft(%s) is %v", host, got)
		}
		if got := exchange.IssuesTokens(host); got != want.issues {
			t.Errorf("IssuesTokens(%s) is %v", host, got)
		}
		if got := exchange.IsServer(host); got != want.server {
			t.Errorf("IsServer(%s) is %v", host, got)
		}
	}
}

func TestEveryCloudIsKnown(t *testing.T) {
	for _, c := range []exchange.Cloud{exchange.Worldwide, exchange.USGov, exchange.USGovDoD, exchange.China} {
		if !exchange.IsMicrosoft(c.SMTP) || !exchange.IssuesTokens(c.Authority) || exchange.GraphScope(c.Resource) == "" {
			t.Errorf("%+v has a host that is not known", c)
		}
		if !exchange.NamedIn(c.Scope()) || len(exchange.TokenHosts("asked "+c.Authority+" twice", 5)) != 1 {
			t.Errorf("%+v is not found in texts", c)
		}
	}
	if exchange.NamedIn("https://graph.microsoft.com") || !exchange.NamedIn(exchange.ResourceID) {
		t.Error("NamedIn takes Graph for Exchange, or does not know the id")
	}
	if !exchange.SameResource("outlook.office.com", exchange.Resource) || exchange.SameResource(exchange.USGov.Resource, exchange.Resource) {
		t.Error("SameResource does not tell the names of one cloud from those of another")
	}
}

func TestIssuersAreToldApart(t *testing.T) {
	for issuer, want := range map[string]struct{ named, inspects, signs bool }{
		"CN=Zscaler Intermediate Root CA":           {named: true, inspects: true},
		"CN=contoso SSL Inspection":                 {inspects: true},
		"CN=DigiCert Global G2 TLS RSA SHA256 2020": {signs: true},
		"CN=Contoso Root":                           {},
	} {
		if exchange.NamesInspector(issuer) != want.named || exchange.Inspects(issuer) != want.inspects || exchange.SignsForMicrosoft(issuer) != want.signs {
			t.Errorf("%s: want %+v", issuer, want)
		}
	}
}
