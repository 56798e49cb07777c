package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
)

// authority is the certificate authority of one run and what it issued.
type authority struct {
	pem    []byte
	normal *tls.Certificate
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	a, err := makeCA("smtpsend sandbox CA (this machine only)")
	if err != nil {
		return nil, err
	}
	a.normal, err = a.issue(leaf{names: []string{"localhost"}, addresses: true, life: 24 * time.Hour})
	return a, err
}

func makeCA(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making CA key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-48 * time.Hour),
		NotAfter:              time.Now().Add(30 * 24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making CA certificate: %w", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading CA certificate: %w", err)
	}
	return &authority{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), ca: ca, key: key}, nil
}

// leaf is what a server certificate says.
type leaf struct {
	names     []string
	addresses bool          // 127.0.0.1 and ::1
	life      time.Duration // from now; negative: expired
}

func (a *authority) issue(l leaf) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making server key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: l.names[0]},
		DNSNames:     l.names,
		NotBefore:    time.Now().Add(-47 * time.Hour),
		NotAfter:     time.Now().Add(l.life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if l.addresses {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.ca, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("making server certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func serial() *big.Int { return new(big.Int).SetBytes([]byte(rand.Text())) }

// config is TLS 1.2 or later as Exchange has it. choose is asked at each
// handshake which certificate fault there is, "" for none.
func (a *authority) config(choose func() string) *tls.Config {
	normal := &tls.Config{Certificates: []tls.Certificate{*a.normal}, MinVersion: exchange.MinTLS}
	normal.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		name := choose()
		if name == "" {
			return nil, nil
		}
		return a.faulty(name)
	}
	return normal
}

// faulty is a configuration with which no careful client goes on.
func (a *authority) faulty(name string) (*tls.Config, error) {
	issuer, l := a, leaf{names: []string{"localhost"}, addresses: true, life: 24 * time.Hour}
	var err error
	switch name {
	case fault.TLSUntrusted:
		issuer, err = makeCA("Unknown Authority")
	case fault.TLSIntercepted:
		issuer, err = makeCA("Contoso TLS Inspection Proxy CA")
	case fault.TLSHostname:
		l.names, l.addresses = []string{"mail.fabrikam.example"}, false
	case fault.TLSExpired:
		l.life = -time.Hour
	case fault.TLSVersion:
		return &tls.Config{Certificates: []tls.Certificate{*a.normal}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, nil
	default:
		return nil, fmt.Errorf("handshake broken by fault %s", name)
	}
	if err != nil {
		return nil, err
	}
	cert, err := issuer.issue(l)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: exchange.MinTLS}, nil
}
