package certificate

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// The life of a self-made certificate. It is long because someone has to tell each
// device to trust it.
const (
	life        = 5 * 365 * 24 * time.Hour
	renewBefore = 30 * 24 * time.Hour
	clockError  = 24 * time.Hour // of devices
)

// keyBits: old devices know RSA alone, and no longer keys.
const keyBits = 2048

// isDue reports that a self-made certificate has to be made again.
func (c *Certificate) isDue(leaf *x509.Certificate) bool {
	now := c.opts.Now()
	return now.Add(renewBefore).After(leaf.NotAfter) || now.Before(leaf.NotBefore)
}

// selfMade is the certificate that is kept, or another with its key when that is due or
// has other names: who trusts the key goes on to do so.
func (c *Certificate) selfMade(ctx context.Context) (*tls.Certificate, error) {
	data, err := ownfile.ReadTrusted(ctx, c.kept(), maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key, err := rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			return nil, fmt.Errorf("making the key of a certificate: %w", err)
		}
		return c.make(key)
	case err != nil:
		return nil, fmt.Errorf("reading the certificate that was made: %w", err)
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate that was made, %s: %w (without the file, another one is made)", c.kept(), err)
	}
	key, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if ok && (c.isDue(pair.Leaf) || !c.named(pair.Leaf)) {
		return c.make(key)
	}
	return &pair, nil
}

// named reports that a certificate has the names that are asked for, and no others.
func (c *Certificate) named(leaf *x509.Certificate) bool {
	hosts, addresses := c.names()
	return slices.Equal(leaf.DNSNames, hosts) && slices.EqualFunc(leaf.IPAddresses, addresses, net.IP.Equal)
}

func (c *Certificate) names() (hosts []string, addresses []net.IP) {
	for _, name := range c.opts.Names {
		if ip := net.ParseIP(name); ip != nil {
			addresses = append(addresses, ip)
		} else {
			hosts = append(hosts, strings.ToLower(name))
		}
	}
	return hosts, addresses
}

// make makes and keeps a certificate.
func (c *Certificate) make(key *rsa.PrivateKey) (*tls.Certificate, error) {
	hosts, addresses := c.names()
	now := c.opts.Now()
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes([]byte(rand.Text())[:16]),
		Subject:               pkix.Name{CommonName: cut(c.opts.Names[0])},
		DNSNames:              hosts,
		IPAddresses:           addresses,
		NotBefore:             now.Add(-clockError),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, // the second for RSA key exchange
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("making the key of a certificate: %w", err)
	}
	var out bytes.Buffer
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := pem.Encode(&out, block); err != nil { // never into memory
			return nil, err
		}
	}
	if err := ownfile.Replace(c.kept(), out.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("keeping the certificate that was made: %w", err)
	}
	pair, err := tls.X509KeyPair(out.Bytes(), out.Bytes())
	return &pair, err
}

// cut is a name that fits into a common name (RFC 5280 A.1).
func cut(name string) string { return name[:min(len(name), 64)] }
