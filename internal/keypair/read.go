package keypair

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// isPKCS12 reports a SEQUENCE of DER that begins with version 3 (RFC 7292 4).
func isPKCS12(data []byte) bool {
	var outer asn1.RawValue
	_, err := asn1.Unmarshal(data, &outer)
	return err == nil && bytes.HasPrefix(outer.Bytes, []byte{0x02, 0x01, 0x03})
}

func (p *Pair) readPKCS12(data []byte) error {
	key, leaf, others, err := pkcs12.DecodeChain(data, p.files.Password.Reveal())
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && p.files.Password.IsZero():
		return &Error{p.files.Certificate, ErrPassword}
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return &Error{p.files.Certificate, ErrNotItsWord}
	case err != nil:
		return &Error{p.files.Certificate, fmt.Errorf("is PKCS #12 that cannot be read: %w", err)}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return &Error{p.files.Certificate, fmt.Errorf("has a private key that cannot be used: %w", err)}
	}
	p.chain, p.pkcs8 = append([]*x509.Certificate{leaf}, others...), secret.New(string(der))
	p.format = formatPKCS12
	return nil
}

func (p *Pair) readPEM(ctx context.Context, data []byte) (err error) {
	p.format = formatPEM
	keys := data
	if p.files.Key != "" {
		if data, keys, err = p.readTwo(ctx, data); err != nil {
			return err
		}
	}
	if p.chain, err = certfile.Read(data); err != nil {
		return &Error{p.files.Certificate, err}
	}
	slices.SortStableFunc(p.chain, func(a, b *x509.Certificate) int { return issues(a) - issues(b) })
	block, err := keyBlock(keys)
	if err != nil {
		return p.wrong(err)
	}
	der, err := p.pkcs8Of(block)
	if err != nil {
		return p.wrong(err)
	}
	p.pkcs8 = secret.New(string(der))
	return nil
}

// readTwo reads the key's file, and the certificate's again until it was the same before
// and after: who exchanges the two has both certificates in it while the key changes.
func (p *Pair) readTwo(ctx context.Context, before []byte) (certificate, key []byte, err error) {
	for range 10 {
		if key, err = ownfile.ReadSecret(ctx, p.files.Key, maxFile); err != nil {
			return nil, nil, unread(p.files.Key, err)
		}
		if certificate, err = ownfile.ReadSecret(ctx, p.files.Certificate, maxFile); err != nil {
			return nil, nil, unread(p.files.Certificate, err)
		}
		if bytes.Equal(before, certificate) {
			break
		}
		before = certificate
	}
	return certificate, key, nil
}

// issues is 1 for a certificate of who issues others, which the client's is not.
func issues(c *x509.Certificate) int {
	selfSigned := bytes.Equal(c.RawIssuer, c.RawSubject)
	if c.IsCA && c.BasicConstraintsValid && !selfSigned {
		return 1
	}
	return 0
}

// The labels of private keys (RFC 7468 10, 11, and what OpenSSL writes).
const (
	labelPKCS8     = "PRIVATE KEY"
	labelEncrypted = "ENCRYPTED PRIVATE KEY"
	labelRSA       = "RSA PRIVATE KEY"
	labelEC        = "EC PRIVATE KEY"
)

func keyBlock(data []byte) (found *pem.Block, err error) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if !slices.Contains([]string{labelPKCS8, labelEncrypted, labelRSA, labelEC}, block.Type) {
			continue
		}
		if found != nil {
			return nil, ErrSeveralKeys
		}
		found = block
	}
	if found == nil {
		return nil, ErrNoKey
	}
	return found, nil
}

// pkcs8Of is the key of a block, decrypted.
func (p *Pair) pkcs8Of(b *pem.Block) ([]byte, error) {
	password := []byte(p.files.Password.Reveal())
	isOldForm := b.Headers["DEK-Info"] != "" // RFC 1421, which OpenSSL's "traditional" keys have
	if b.Type == labelEncrypted || isOldForm {
		p.format = formatEncryptedPEM
	}
	switch {
	case (b.Type == labelEncrypted || isOldForm) && len(password) == 0:
		return nil, ErrPassword
	case isOldForm:
		//lint:ignore SA1019 people have such keys, and what is wrong with their encryption does not concern who reads them
		der, err := x509.DecryptPEMBlock(b, password)
		if err != nil {
			return nil, ErrNotItsWord
		}
		b.Bytes = der
	case b.Type == labelEncrypted:
		key, _, err := pkcs8.ParsePrivateKey(b.Bytes, password)
		if err != nil {
			return nil, fmt.Errorf("%w, or in a way that is not read: %w", ErrNotItsWord, err)
		}
		return x509.MarshalPKCS8PrivateKey(key)
	}
	switch b.Type {
	case labelRSA:
		return wrapRSA(b.Bytes)
	case labelEC:
		return nil, fmt.Errorf("%w, and this is an EC key", ErrNotRSA)
	}
	return b.Bytes, nil
}

// wrapRSA puts a key of PKCS #1 into PKCS #8, without parsing it.
func wrapRSA(pkcs1 []byte) ([]byte, error) {
	return asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}, pkcs1})
}
