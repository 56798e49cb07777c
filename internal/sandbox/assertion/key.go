package assertion

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// maxChain is how many certificates of a header are read.
const maxChain = 10

// findKey finds the key of that thumbprint: of a certificate that is registered, else of
// one in the header whose issuer and subject are trusted.
func findKey(r Request, token *jwt.Token, print string, now time.Time) (usable, *Refusal) {
	found, ok := r.Keys.ByThumbprint(print, now)
	if !ok {
		return trusted(r, token, print, now)
	}
	public, isRSA := found.Certificate.PublicKey.(*rsa.PublicKey)
	switch {
	case !isRSA:
		return usable{}, unsigned(r, found, print, "Client assertion contains an invalid signature.", "The key is not an RSA key.")
	case now.After(found.End):
		return usable{}, unsigned(r, found, print, "Client assertion contains an invalid signature.", "The key used is expired.")
	}
	return usable{public, found}, nil
}

// trusted is the key of the certificate in the header, when the application trusts its
// subject name and its issuer.
func trusted(r Request, token *jwt.Token, print string, now time.Time) (usable, *Refusal) {
	unknown := unsigned(r, keyring.Key{}, print,
		"The certificate with identifier used to sign the client assertion is not registered on application.", "The key was not found.")
	chain := chainOf(token)
	if len(chain) == 0 {
		return usable{}, unknown
	}
	leaf := chain[0]
	short, long := sha1.Sum(leaf.Raw), sha256.Sum256(leaf.Raw)
	isIts := strings.EqualFold(hex.EncodeToString(short[:]), print) || strings.EqualFold(hex.EncodeToString(long[:]), print)
	public, isRSA := leaf.PublicKey.(*rsa.PublicKey)
	if !isIts || !isRSA {
		return usable{}, unknown
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	for _, k := range r.Keys.Of(keyring.KindSubject) {
		roots := x509.NewCertPool()
		roots.AddCert(k.Certificate)
		o := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if _, err := leaf.Verify(o); err != nil || leaf.Subject.CommonName != k.Subject {
			continue
		}
		if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
			return usable{}, refuse(1000502, "The provided certificate is not within its specified validity window.")
		}
		return usable{public, k}, nil
	}
	return usable{}, unknown
}

// chainOf are the certificates of the header (RFC 7515 4.1.6), none when one cannot be
// read.
func chainOf(token *jwt.Token) []*x509.Certificate {
	list, _ := token.Header["x5c"].([]any)
	if len(list) > maxChain {
		return nil
	}
	var chain []*x509.Certificate
	for _, one := range list {
		text, _ := one.(string)
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		chain = append(chain, c)
	}
	return chain
}
