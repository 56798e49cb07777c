package keypair

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// isPKCS12 reports a SEQUENCE that begins with version 3 (RFC 7292 4), in DER or in BER,
// which is not read but has another error than PEM.
func isPKCS12(data []byte) bool {
	return len(data) > 0 && data[0] == 0x30 && bytes.Contains(data[:min(len(data), 9)], []byte{0x02, 0x01, 0x03})
}

func (p *Pair) readPKCS12(ctx context.Context, data []byte) error {
	o := decrypt(ctx, data, p.files.Password.Reveal())
	isEnded := o.err != nil && ctx.Err() != nil
	switch err := o.err; {
	case isEnded, errors.Is(err, ErrCost):
		return &Error{p.files.Certificate, err}
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && p.files.Password.IsZero():
		return &Error{p.files.Certificate, ErrPassword}
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return &Error{p.files.Certificate, ErrWrongPassword}
	case err != nil:
		return &Error{p.files.Certificate, fmt.Errorf("is PKCS #12 that cannot be read: %w", err)}
	}
	der, err := x509.MarshalPKCS8PrivateKey(o.key)
	if err != nil {
		return &Error{p.files.Certificate, fmt.Errorf("has a private key that cannot be used: %w", err)}
	}
	p.pkcs8 = secret.New(string(der))
	all := append([]*x509.Certificate{o.leaf}, o.others...)
	p.ownFirst(all)
	p.certificates = fixed(all)
	p.format = formatPKCS12
	return nil
}

// fixed are certificates that are there already.
func fixed(all []*x509.Certificate) func() ([]*x509.Certificate, error) {
	return func() ([]*x509.Certificate, error) { return all, nil }
}

func (p *Pair) readPEM(ctx context.Context, data []byte) (err error) {
	p.format = formatPEM
	keys := data
	if p.files.Key != "" {
		if data, keys, err = p.readTwo(ctx, data); err != nil {
			return err
		}
	}
	p.end = func() (time.Time, bool) { return onlyEnd(data) }
	p.certificates = sync.OnceValues(func() ([]*x509.Certificate, error) {
		all, err := certificatesOf(p.files, data)
		if err == nil {
			p.ownFirst(all)
		}
		return all, err
	})
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
		if info, err := os.Stat(p.files.Certificate); err == nil && !info.Mode().IsRegular() {
			return before, key, nil // a pipe can be read once
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

// ownFirst puts the certificate of the key first, and those that issue others last. A
// key in PKCS #8 has the modulus of its certificate in it, so that it need not be parsed.
func (p *Pair) ownFirst(all []*x509.Certificate) {
	key := []byte(p.pkcs8.Reveal())
	place := func(c *x509.Certificate) int {
		public, isRSA := c.PublicKey.(*rsa.PublicKey)
		switch {
		case isRSA && bytes.Contains(key, public.N.Bytes()):
			return 0
		case c.IsCA && c.BasicConstraintsValid:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b *x509.Certificate) int { return place(a) - place(b) })
}

// The labels of private keys, and that of certificates (RFC 7468 10, 11, and what OpenSSL writes).
const (
	labelPKCS8     = "PRIVATE KEY"
	labelEncrypted = "ENCRYPTED PRIVATE KEY"
	labelRSA       = "RSA PRIVATE KEY"
	labelEC        = "EC PRIVATE KEY"

	labelCertificate = "CERTIFICATE"
)

// begin is how a block of PEM begins.
const begin = "-----BEGIN "

// keyBlock is the block of the private key. It decodes no other: certificates are many
// octets of base64.
func keyBlock(data []byte) (found *pem.Block, err error) {
	if isUTF16(data) { // as PowerShell's > writes it
		text, err := charset.Strict(data)
		if err != nil {
			return nil, err
		}
		data = []byte(text)
	}
	for {
		at := bytes.Index(data, []byte(begin))
		if at < 0 {
			break
		}
		data = data[at:]
		label, _, _ := bytes.Cut(data[len(begin):], []byte("-----"))
		if !slices.Contains([]string{labelPKCS8, labelEncrypted, labelRSA, labelEC}, string(label)) {
			data = data[len(begin):]
			continue
		}
		block, rest := decoded(data, string(label))
		switch {
		case block == nil:
			return nil, ErrTorn
		case found != nil:
			return nil, ErrSeveralKeys
		}
		found, data = block, rest
	}
	if found == nil {
		return nil, ErrNoKey
	}
	return found, nil
}

// decoded is the block that data begins with, and what comes after it; nil when it is not
// whole. That without headers, as all are that are not encrypted in the old form, is
// decoded without package pem, which searches it several times.
func decoded(data []byte, label string) (*pem.Block, []byte) {
	head, end := len(begin)+len(label)+len("-----"), []byte("-----END "+label+"-----")
	at := bytes.Index(data, end)
	if at < head {
		return nil, nil
	}
	body := bytes.ReplaceAll(data[head:at], []byte("\n"), nil) // each line's end would cost package base64 as much as half the line
	if bytes.IndexByte(body, ':') >= 0 {
		block, rest := pem.Decode(data)
		if block == nil || block.Type != label {
			return nil, nil
		}
		return block, rest
	}
	der := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(der, bytes.TrimSpace(body))
	if err != nil {
		return nil, nil
	}
	return &pem.Block{Type: label, Bytes: der[:n]}, data[at+len(end):]
}

// isUTF16 reports the byte order mark of UTF-16.
func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
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
		if err != nil || !isSequence(der) { // one wrong password in 256 has the right padding
			return nil, ErrWrongPassword
		}
		b.Bytes = der
	case b.Type == labelEncrypted:
		key, err := decryptKey(b.Bytes, password)
		if err != nil {
			return nil, err
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

// isSequence reports a SEQUENCE of DER, as private keys are.
func isSequence(der []byte) bool {
	var outer asn1.RawValue
	_, err := asn1.Unmarshal(der, &outer)
	return err == nil && outer.Tag == asn1.TagSequence && outer.IsCompound
}

// wrapRSA puts a key of PKCS #1 into PKCS #8, without parsing it.
func wrapRSA(pkcs1 []byte) ([]byte, error) {
	return asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}, pkcs1})
}
