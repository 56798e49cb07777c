package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/doctor"
)

func itoa(n int) string { return strconv.Itoa(n) }

// certificate makes one that an authority of the given name signed.
func certificate(t *testing.T, authority pkix.Name, host string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: authority, IsCA: true, BasicConstraintsValid: true,
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until.Add(48 * time.Hour),
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
	}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// datedServer is an endpoint of another time: its Date, and a certificate that
// was good then.
func datedServer(t *testing.T, at time.Time) (address string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, pkix.Name{CommonName: "lab"}, "127.0.0.1", at.Add(time.Hour))}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that the test breaks off
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// handshakeError is what verifying the certificate for host ends with.
func handshakeError(t *testing.T, cert tls.Certificate, host string) error {
	t.Helper()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: x509.NewCertPool()})
	if err == nil {
		t.Fatal("verified")
	}
	return fmt.Errorf("handshake: %w", &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf}, Err: err})
}

func TestInspectorsAreToldFromMissingRoots(t *testing.T) {
	const exchange, other = "smtp.office365.com", "mail.contoso.example"
	tomorrow := time.Now().Add(24 * time.Hour)
	for _, c := range []struct {
		issuer pkix.Name
		host   string
		want   string
	}{
		{pkix.Name{CommonName: "Zscaler Intermediate Root CA (zscalertwo.net)", Organization: []string{"Zscaler Inc."}}, exchange, "Zscaler Intermediate Root CA (zscalertwo.net)"},
		{pkix.Name{CommonName: "FG100FTK20001234", Organization: []string{"Fortinet"}}, other, "FG100FTK20001234"},
		{pkix.Name{CommonName: "Kaspersky Anti-Virus Personal Root Certificate"}, exchange, "Kaspersky Anti-Virus Personal Root Certificate"},
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
		cert := certificate(t, c.issuer, c.host, tomorrow)
		if got := doctor.Inspector(c.host, handshakeError(t, cert, c.host)); got != c.want {
			t.Errorf("%s for %s: %q, want %q", c.issuer, c.host, got, c.want)
		}
	}
	zscaler := pkix.Name{CommonName: "Zscaler Root CA"}
	if got := doctor.Inspector(exchange, handshakeError(t, certificate(t, zscaler, other, tomorrow), exchange)); got != "" {
		t.Errorf("a certificate for another host: %q", got)
	}
	if got := doctor.Inspector(exchange, net.ErrClosed); got != "" {
		t.Errorf("no certificate: %q", got)
	}
}
