package keypair

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/secret"
)

// Defaults of a new pair.
const (
	DefaultBits = 3072 // as strong as 128 bits (NIST SP 800-57 part 1, 5.6.1)
	DefaultLife = 365 * 24 * time.Hour
	clockError  = 5 * time.Minute // by which the other side may be behind
)

// MaxName is the length of a common name at most, in octets (RFC 5280 appendix A,
// ub-common-name).
const MaxName = 64

// Template says what a new pair is like. The zero value of each field is its default.
type Template struct {
	CommonName string        // "smtpsend"
	Bits       int           // of the RSA key, 2048 or more
	Life       time.Duration // from now
	Now        func() time.Time
}

// New makes a key and a certificate that it signs itself, for client authentication alone
// (RFC 5280 4.2.1.12). Entra ID trusts it because it is uploaded.
func New(t Template) (*Pair, error) {
	if t.CommonName == "" {
		t.CommonName = "smtpsend"
	}
	if t.Bits == 0 {
		t.Bits = DefaultBits
	}
	if t.Life == 0 {
		t.Life = DefaultLife
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	key, err := rsa.GenerateKey(rand.Reader, t.Bits)
	if err != nil {
		return nil, fmt.Errorf("keypair: making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("keypair: making a serial number: %w", err)
	}
	begin := t.Now().UTC()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: t.CommonName},
		NotBefore: begin.Add(-clockError), NotAfter: begin.Add(t.Life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("keypair: making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("keypair: making a certificate: %w", err)
	}
	octets, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("keypair: making a key: %w", err)
	}
	p := &Pair{certificates: fixed([]*x509.Certificate{leaf}), pkcs8: secret.New(string(octets))}
	p.key = sync.OnceValues(p.parse)
	return p, nil
}
