package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
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
	return fmt.Sprintf("issuer %s, expires %s", diagnosis.Issuer(leaf), leaf.NotAfter.UTC().Format("2006-01-02"))
}

// expirySoon is how near the end of a server's certificate is worth a word.
const expirySoon = 7 * 24 * time.Hour

// certificateNotes say what is odd about a certificate that was accepted.
func certificateNotes(host string, leaf *x509.Certificate) []string {
	var notes []string
	if by := diagnosis.Inspector(host, leaf); by != "" {
		notes = append(notes, "TLS is decrypted on the way by "+by+", which this machine trusts: token and mail can be read there")
	}
	if left := time.Until(leaf.NotAfter); left < expirySoon && exchange.IsMicrosoft(host) {
		notes = append(notes, fmt.Sprintf("the certificate expires in %d h", int(left.Hours())))
	}
	return notes
}
