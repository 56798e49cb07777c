package keypair

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/smtpsend/smtpsend/internal/secret"
)

// CertificatePEM is the pair's certificate, which may be seen by all.
func (p *Pair) CertificatePEM() []byte { return encodeCertificates(p.Leaf()) }

func encodeCertificates(list ...*x509.Certificate) []byte {
	var all []byte
	for _, c := range list {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return all
}

// ChainPEM is all certificates of the pair, and then those of others.
func (p *Pair) ChainPEM(others ...*Pair) []byte {
	all := encodeCertificates(p.Chain()...)
	for _, o := range others {
		all = append(all, encodeCertificates(o.Chain()...)...)
	}
	return all
}

// PEM is the certificates, and the private key unencrypted, as one file.
func (p *Pair) PEM() secret.String {
	return secret.New(string(append(p.ChainPEM(), p.plainKey()...)))
}

func (p *Pair) plainKey() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: labelPKCS8, Bytes: []byte(p.pkcs8.Reveal())})
}

// KeyLike is the private key in PEM, encrypted if that of the other pair is, with the
// password of that one (PKCS #8, RFC 5958 3).
func (p *Pair) KeyLike(other *Pair) (secret.String, error) {
	if other.format == formatPEM {
		return secret.New(string(p.plainKey())), nil
	}
	key, _, err := p.Signer()
	if err != nil {
		return secret.String{}, err
	}
	der, err := pkcs8.MarshalPrivateKey(key, []byte(other.files.Password.Reveal()), nil)
	if err != nil {
		return secret.String{}, fmt.Errorf("keypair: encrypting a key: %w", err)
	}
	return secret.New(string(pem.EncodeToMemory(&pem.Block{Type: labelEncrypted, Bytes: der}))), nil
}

// Like is the pair as one file in the form of another pair, encrypted with the password
// of that one.
func (p *Pair) Like(other *Pair) (secret.String, error) {
	if other.format == formatPKCS12 {
		key, leaf, err := p.Signer()
		if err != nil {
			return secret.String{}, err
		}
		der, err := pkcs12.Modern.Encode(key, leaf, nil, other.files.Password.Reveal())
		if err != nil {
			return secret.String{}, fmt.Errorf("keypair: writing PKCS #12: %w", err)
		}
		return secret.New(string(der)), nil
	}
	key, err := p.KeyLike(other)
	return secret.New(string(p.ChainPEM()) + key.Reveal()), err
}
