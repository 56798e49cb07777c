package diagnosis_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// untrusted is what a handshake ends with whose certificate, for the host name, is
// of an authority that nobody knows.
func untrusted(issuer pkix.Name, name string) error {
	leaf := &x509.Certificate{Issuer: issuer, DNSNames: []string{name}}
	return fmt.Errorf("handshake: %w", &tls.CertificateVerificationError{
		UnverifiedCertificates: []*x509.Certificate{leaf}, Err: x509.UnknownAuthorityError{Cert: leaf},
	})
}

func TestInspectorsAreToldFromMissingRoots(t *testing.T) {
	const exchange, other = "smtp.office365.com", "mail.contoso.example"
	for _, c := range []struct {
		issuer pkix.Name
		host   string
		want   string
	}{
		{pkix.Name{CommonName: "Zscaler Intermediate Root CA (zscalertwo.net)", Organization: []string{"Zscaler Inc."}}, exchange, "Zscaler Intermediate Root CA (zscalertwo.net)"},
		{pkix.Name{CommonName: "FG100FTK20001234", Organization: []string{"Fortinet"}}, other, "FG100FTK20001234"},
		{pkix.Name{CommonName: "Kaspersky Anti-Virus Personal Root Certificate"}, exchange, "Kaspersky Anti-Virus Personal Root Certificate"},
		{pkix.Name{CommonName: "certadmin", Organization: []string{"goskope.com"}}, other, "certadmin"},
		{pkix.Name{CommonName: "ESET SSL Filter CA"}, other, "ESET SSL Filter CA"},
		{pkix.Name{CommonName: "AVG Web/Mail Shield Root"}, other, "AVG Web/Mail Shield Root"},
		{pkix.Name{CommonName: "Contoso SSL-Inspection CA 2"}, other, "Contoso SSL-Inspection CA 2"},
		// Nobody else signs certificates of Microsoft's hosts.
		{pkix.Name{CommonName: "Contoso Root CA"}, exchange, "Contoso Root CA"},
		{pkix.Name{Organization: []string{"Contoso"}}, "login.microsoftonline.com", "Contoso"},
		// Elsewhere an unknown authority is just that.
		{pkix.Name{CommonName: "Contoso Root CA"}, other, ""},
		// The right issuer, unknown here: this machine lacks its roots.
		{pkix.Name{CommonName: "DigiCert Cloud Services CA-1", Organization: []string{"DigiCert Inc"}}, exchange, ""},
		{pkix.Name{CommonName: "Microsoft Azure RSA TLS Issuing CA 03", Organization: []string{"Microsoft Corporation"}}, "login.microsoftonline.com", ""},
	} {
		err := untrusted(c.issuer, c.host)
		if got := diagnosis.Inspector(c.host, diagnosis.Presented(err)); got != c.want {
			t.Errorf("%s for %s: %q, want %q", c.issuer, c.host, got, c.want)
		}
		for _, host := range []string{c.host, ""} { // "" is the one that the certificate names
			if got := diagnosis.Intercepted(host, err); got != (c.want != "") {
				t.Errorf("%s for %q: intercepted: %v", c.issuer, host, got)
			}
		}
	}
	if diagnosis.Intercepted(exchange, untrusted(pkix.Name{CommonName: "Zscaler Root CA"}, other)) {
		t.Error("a certificate for another host is an inspector's")
	}
	if diagnosis.Intercepted(exchange, net.ErrClosed) {
		t.Error("so is no certificate")
	}
}
