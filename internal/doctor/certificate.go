package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// describeTLS is a connection in a line: version, who vouches, until when.
func describeTLS(state tls.ConnectionState) string {
	text := tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		text += ", " + describe(state.PeerCertificates[0])
	}
	return text
}

func describe(leaf *x509.Certificate) string {
	return fmt.Sprintf("issuer %s, expires %s", issuer(leaf), leaf.NotAfter.UTC().Format("2006-01-02"))
}

// issuer names who signed a certificate.
func issuer(leaf *x509.Certificate) string {
	switch name := leaf.Issuer; {
	case name.CommonName != "":
		return name.CommonName
	case len(name.Organization) > 0:
		return name.Organization[0]
	}
	return "without a name"
}

// presented is the certificate that a failed handshake was about; nil when it
// failed for another reason.
func presented(err error) *x509.Certificate {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		return verification.UnverifiedCertificates[0]
	}
	return nil
}

var (
	// inspectors are makers of what opens TLS on the way, and the words by which
	// companies and programs name the authorities that they make for it.
	inspectors = lazyregexp.New(`(?i)zscaler|fortinet|fortigate|palo ?alto|blue ?coat|symantec (?:web|proxy)|netskope|forcepoint|websense|` +
		`check ?point|sophos|barracuda|cisco (?:umbrella|secure|ironport)|umbrella|sonicwall|watchguard|kaspersky|eset |avast|avg |bitdefender|` +
		`mcafee|skyhigh|trend ?micro|cato networks|iboss|lightspeed|securly|contentkeeper|smoothwall|untangle|cloudflare (?:gateway|for teams)|` +
		`gateway ca - cloudflare|squid|pfsense|opnsense|mitmproxy|fiddler|charles proxy|portswigger|dr\.?web|adguard|` +
		`(?:ssl|tls|https|web|deep|decrypt\w*)[ -]*(?:inspect\w*|intercept\w*|scan\w*|decrypt\w*|proxy|filter)|\bproxy (?:ca|root)|forward ?trust`)
	// publicIssuers sign the certificates of Microsoft's hosts.
	publicIssuers = lazyregexp.New(`(?i)digicert|microsoft|globalsign|baltimore|entrust|cfca|wotrus`)
	// microsoftHosts are those of Exchange Online and Entra ID.
	microsoftHosts = lazyregexp.New(`(?i)(?:^|\.)(?:office365\.(?:com|us)|outlook\.(?:com|cn)|microsoftonline\.(?:com|us|cn)|hve\.mx\.microsoft|chinacloudapi\.cn)$`)
)

// Inspector names who opens TLS to host on the way, by the issuer of the
// certificate that a failed handshake was about: a maker of such devices, a name
// that says so, or, for a host of Microsoft's whose name the certificate bears,
// anybody who does not sign Microsoft's certificates. It is "" when err is about
// something else.
func Inspector(host string, err error) string {
	leaf := presented(err)
	if leaf == nil || diagnosis.FaultOf(err) != diagnosis.FaultTLSUntrusted || leaf.VerifyHostname(host) != nil {
		return ""
	}
	return inspectorOf(host, leaf)
}

func inspectorOf(host string, leaf *x509.Certificate) string {
	name := issuer(leaf)
	switch {
	case inspectors().MatchString(leaf.Issuer.String()):
		return name
	case microsoftHosts().MatchString(host) && !publicIssuers().MatchString(leaf.Issuer.String()):
		return name
	}
	return ""
}

// Symptom describes a failed submission to host for the catalogue, like
// e.Symptom, and tells a TLS-inspecting middlebox from other certificates that
// nobody trusts. What left the message in doubt is of less weight than that.
func Symptom(e *submission.Error, host string) diagnosis.Symptom {
	s := e.Symptom()
	if e.InDoubt {
		return diagnosis.Symptom{Stage: e.Stage, Fault: diagnosis.FaultInDoubt, Text: s.Text}
	}
	if s.Fault != diagnosis.FaultTLSUntrusted {
		return s
	}
	if leaf := presented(e); leaf != nil && e.Stage == diagnosis.StageToken {
		host = nameIn(leaf, host)
	}
	if Inspector(host, e) != "" {
		s.Fault = diagnosis.FaultTLSIntercepted
	}
	return s
}

// nameIn is a name that the certificate bears: at the token endpoint the error
// does not tell the host, and a wrong name would have been another fault.
func nameIn(leaf *x509.Certificate, or string) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	}
	return or
}

// expirySoon is how near the end of a server's certificate is worth a word.
const expirySoon = 7 * 24 * time.Hour

// certificateNotes say what is odd about a certificate that was accepted.
func certificateNotes(host string, leaf *x509.Certificate) []string {
	var notes []string
	if by := inspectorOf(host, leaf); by != "" {
		notes = append(notes, "TLS is opened on the way by "+by+", whom this machine trusts: token and mail can be read there")
	}
	if left := time.Until(leaf.NotAfter); left < expirySoon && microsoftHosts().MatchString(host) {
		notes = append(notes, fmt.Sprintf("the certificate expires in %d h", int(left.Hours())))
	}
	return notes
}
