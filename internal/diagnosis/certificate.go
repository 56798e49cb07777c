package diagnosis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Inspector names who opens TLS to host on the way, by the issuer of the
// certificate that was presented for it: a maker of such devices, a name that says
// so, or, for a host of Microsoft's, anyone who does not sign Microsoft's
// certificates. It is "" when there is no sign of that.
func Inspector(host string, leaf *x509.Certificate) string {
	switch {
	case leaf == nil:
		return ""
	case exchange.Inspects(leaf.Issuer.String()),
		exchange.IsMicrosoft(host) && !exchange.SignsForMicrosoft(leaf.Issuer.String()):
		return Issuer(leaf)
	}
	return ""
}

// Issuer names who signed a certificate.
func Issuer(leaf *x509.Certificate) string {
	switch name := leaf.Issuer; {
	case name.CommonName != "":
		return name.CommonName
	case len(name.Organization) > 0:
		return name.Organization[0]
	}
	return "without a name"
}

// Presented is the certificate that a failed handshake was about; nil when it
// failed for another reason.
func Presented(err error) *x509.Certificate {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		return verification.UnverifiedCertificates[0]
	}
	return nil
}

// Intercepted tells, of a certificate that is not trusted, whether something on the
// way to host opens TLS. host "" is the one that the certificate names.
func Intercepted(host string, err error) bool {
	leaf := Presented(err)
	if leaf == nil || FaultOf(err) != smtp.FaultTLSUntrusted {
		return false
	}
	if host == "" {
		host = named(leaf)
	}
	return leaf.VerifyHostname(host) == nil && Inspector(host, leaf) != ""
}

// named is a name that the certificate bears.
func named(leaf *x509.Certificate) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	}
	return ""
}

// maxIssuer is how much of an issuer's name IssuedBy gives, in octets.
const maxIssuer = 100

// IssuedBy is what to add to the words of a failed handshake about a certificate
// that is not trusted: who made it, " (issued by NAME)". "" is for another failure.
func IssuedBy(err error) string {
	leaf := Presented(err)
	if leaf == nil || FaultOf(err) != smtp.FaultTLSUntrusted {
		return ""
	}
	name := Issuer(leaf)
	return " (issued by " + strings.ToValidUTF8(name[:min(len(name), maxIssuer)], "") + ")"
}
