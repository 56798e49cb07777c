// Package keypair has the certificate and the private key by which an application proves
// who it is to Entra ID (Microsoft identity platform, "Certificate credentials"): it
// reads them from PEM and PKCS #12, makes new ones, and says what of them Entra takes.
//
// Reading does not parse an RSA key that is not encrypted: a process that has its token
// from a cache needs the octets alone, for the key of the cache.
package keypair

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// maxFile is the size in octets up to which a file is read.
const maxFile = 1 << 20

// minBits is what Entra ID wants of an RSA key at least.
const minBits = 2048

// The reasons for which a pair cannot be used. They are predicates of a file.
var (
	ErrNoKey         = errors.New("does not contain a private key")
	ErrPassword      = errors.New("is encrypted, and no password is set")
	ErrWrongPassword = errors.New("is encrypted with another password")
	ErrNotRSA        = errors.New("has a key that is not RSA: Entra ID takes RSA keys only")
	ErrShort         = errors.New("has an RSA key of less than 2048 bits, which Entra ID refuses")
	ErrNotItsKey     = errors.New("has a private key that belongs to none of its certificates")
	ErrTorn          = errors.New("has a private key that is not PEM to its end")
	ErrSeveralKeys   = errors.New("contains several private keys")
)

// Files say where a pair is.
type Files struct {
	Certificate string        // PEM or PKCS #12
	Key         string        // PEM; "" = with the certificate
	Password    secret.String // of the key, or of PKCS #12; zero = none
}

// Error is what is wrong with a file of a pair.
type Error struct {
	File string
	Err  error // a predicate of File
}

// Error names the file.
func (e *Error) Error() string { return e.File + " " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Fault is what the catalogue of failures calls the error.
func (e *Error) Fault() smtp.Fault {
	switch {
	case errors.Is(e.Err, ErrNotItsKey):
		return smtp.FaultCertificateKey
	case errors.Is(e.Err, ErrNotRSA), errors.Is(e.Err, ErrShort):
		return smtp.FaultCertificateKind
	}
	return smtp.FaultCertificateUnreadable
}

// Pair is a certificate, with those that issued it, and its private key. It is safe for
// concurrent use and does not change.
type Pair struct {
	certificates func() ([]*x509.Certificate, error) // the first is the pair's
	end          func() (time.Time, bool)            // of the only certificate in PEM; nil for other files
	pkcs8        secret.String
	files        Files
	key          func() (*parsed, error)
	// format is how the file is written, or is to be.
	format format
}

// format is how a pair is written.
type format int

const (
	formatPEM format = iota
	formatEncryptedPEM
	formatPKCS12
)

// parsed is a key that was parsed, and the certificate that it belongs to.
type parsed struct {
	key  *rsa.PrivateKey
	leaf *x509.Certificate
}

// Read reads the pair. It does not check whether Entra ID would take it: that Signer
// does. The error is an *Error, whose Err is one of this package's, of certfile's, or
// wraps that of the file system.
func Read(ctx context.Context, files Files) (*Pair, error) {
	p, err := Open(ctx, files)
	if err != nil {
		return nil, err
	}
	if _, err := p.certificates(); err != nil {
		return nil, err
	}
	return p, nil
}

// Open is Read for who may need the key's octets alone: certificates in PEM are parsed
// when they are needed, and Signer has the error about them.
func Open(ctx context.Context, files Files) (*Pair, error) {
	data, err := ownfile.ReadSecret(ctx, files.Certificate, maxFile)
	if err != nil {
		return nil, unread(files.Certificate, err)
	}
	p := &Pair{files: files}
	p.key = sync.OnceValues(p.parse)
	if isPKCS12(data) {
		err = p.readPKCS12(ctx, data)
	} else {
		err = p.readPEM(ctx, data)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func unread(name string, err error) error { return &Error{name, unreadError{err}} }

// unreadError says why a file cannot be read, without repeating its name.
type unreadError struct{ err error }

func (e unreadError) Error() string { return "cannot be read: " + ownfile.Reason(e.err) }

func (e unreadError) Unwrap() error { return e.err }

// wrong is an error about the file that has the key.
func (p *Pair) wrong(err error) error {
	name := p.files.Certificate
	if p.files.Key != "" {
		name = p.files.Key
	}
	return &Error{name, err}
}

// Certificate is the pair's certificate: the one that the key belongs to, else the first
// of the file that issues no others. It is nil only for a pair of Open whose certificates
// cannot be read.
func (p *Pair) Certificate() *x509.Certificate {
	if all, err := p.certificates(); err == nil {
		return all[0]
	}
	return nil
}

// Leaf is the certificate that the key belongs to, as far as that is known: it is
// Certificate when the key fits to none.
func (p *Pair) Leaf() *x509.Certificate {
	if _, leaf, err := p.Signer(); err == nil {
		return leaf
	}
	return p.Certificate()
}

// Chain are all certificates of the file, the pair's first.
func (p *Pair) Chain() []*x509.Certificate {
	all, _ := p.certificates() // Signer has the error
	return slices.Clone(all)
}

// Files are where the pair was read.
func (p *Pair) Files() Files { return p.files }

// SameForm reports that both are written in the same way: PEM, PEM with an encrypted
// key, or PKCS #12.
func (p *Pair) SameForm(other *Pair) bool { return p.format == other.format }

// Form is how the pair is written, in words.
func (p *Pair) Form() string {
	return map[format]string{formatPEM: "PEM", formatEncryptedPEM: "PEM with an encrypted key", formatPKCS12: "PKCS #12"}[p.format]
}

// Key is the private key as PKCS #8 (RFC 5958), in DER. It is the same for the same key,
// however it is written and encrypted.
func (p *Pair) Key() secret.String { return p.pkcs8 }

// Signer is the private key, and the certificate that it belongs to. The error is an
// *Error, and wraps ErrNotRSA, ErrShort or ErrNotItsKey when Entra ID would refuse the
// pair.
func (p *Pair) Signer() (*rsa.PrivateKey, *x509.Certificate, error) {
	k, err := p.key()
	if err != nil {
		return nil, nil, err
	}
	return k.key, k.leaf, nil
}

func (p *Pair) parse() (*parsed, error) {
	certificates, err := p.certificates()
	if err != nil {
		return nil, err
	}
	der := []byte(p.pkcs8.Reveal())
	if len(der) > maxKeyOctets {
		return nil, p.wrong(ErrLongKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, p.wrong(fmt.Errorf("has a private key that cannot be read: %w", err))
	}
	own, ok := key.(*rsa.PrivateKey)
	switch {
	case !ok:
		return nil, p.wrong(fmt.Errorf("%w, and this is %s", ErrNotRSA, kindOf(key)))
	case own.N.BitLen() < minBits:
		return nil, p.wrong(ErrShort)
	}
	for _, c := range certificates {
		if own.PublicKey.Equal(c.PublicKey) {
			return &parsed{own, c}, nil
		}
	}
	return nil, p.wrong(ErrNotItsKey)
}

func kindOf(key any) string {
	switch key.(type) {
	case *ecdsa.PrivateKey:
		return "an EC key"
	case ed25519.PrivateKey:
		return "an Ed25519 key"
	}
	return "of another kind"
}

// Thumbprints are the digests of a certificate in capital hexadecimal digits: the portal
// and PowerShell show the first, and token requests name the second.
func Thumbprints(c *x509.Certificate) (sha1Print, sha256Print string) {
	short, long := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	return strings.ToUpper(hex.EncodeToString(short[:])), strings.ToUpper(hex.EncodeToString(long[:]))
}
