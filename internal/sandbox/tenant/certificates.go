package tenant

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// Certificate is one that is registered at an application, as a key credential.
type Certificate struct {
	*x509.Certificate
	KeyID      string   // a GUID
	Thumbprint [32]byte // SHA-256 of the DER
}

// RegistrationID is the object ID of the app registration, which is not that of the
// enterprise application.
func (a *Application) RegistrationID() string { return a.registration }

// AddCertificate registers a certificate in DER, which the token endpoint takes at once.
func (a *Application) AddCertificate(der []byte) (Certificate, error) {
	return a.AddCertificateLate(der, 0)
}

// AddCertificateLate is AddCertificate for one that the token endpoint takes after it has
// refused so many requests with it.
func (a *Application) AddCertificateLate(der []byte, refusals int) (Certificate, error) {
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fmt.Errorf("registering a certificate: %w", err)
	}
	if refusals > 0 {
		return certificateOf(a.Keys.AddCertificateLate(parsed, refusals)), nil
	}
	return certificateOf(a.Keys.AddCertificate(parsed, time.Time{})), nil
}

func certificateOf(k keyring.Key) Certificate {
	return Certificate{Certificate: k.Certificate, KeyID: k.ID, Thumbprint: sha256.Sum256(k.Certificate.Raw)}
}

// RemoveCertificate removes what is registered with a thumbprint, and reports whether
// there was such a certificate.
func (a *Application) RemoveCertificate(thumbprint [32]byte) bool {
	for _, c := range a.Certificates() {
		if c.Thumbprint == thumbprint {
			return a.RemoveKey(c.KeyID)
		}
	}
	return false
}

// RemoveKey is RemoveCertificate by the ID of the key credential.
func (a *Application) RemoveKey(keyID string) bool { return a.Keys.Remove(keyID) == nil }

// Certificates are those that are registered, the oldest first.
func (a *Application) Certificates() []Certificate {
	var list []Certificate
	for _, k := range a.Keys.Of(keyring.KindCertificate) {
		list = append(list, certificateOf(k))
	}
	return list
}
