package tenant

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
)

// Certificate is one that is registered at an application, as a key credential.
type Certificate struct {
	*x509.Certificate
	KeyID      string   // a GUID
	Thumbprint [32]byte // SHA-256 of the DER

	// delay is how many token requests with it are still refused: the directory has
	// not reached the token endpoint.
	delay int
}

// registry has the certificates of an application. It is safe for concurrent use.
type registry struct {
	registration string // object ID of the app registration

	mu   sync.Mutex
	list []*Certificate
}

func newRegistry() *registry { return &registry{registration: NewGUID()} }

// RegistrationID is the object ID of the app registration, which is not that of the
// enterprise application.
func (a *Application) RegistrationID() string { return a.registered.registration }

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
	c := &Certificate{Certificate: parsed, KeyID: NewGUID(), Thumbprint: sha256.Sum256(der), delay: refusals}
	r := a.registered
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, c)
	return *c, nil
}

// RemoveCertificate removes what is registered with a thumbprint, and reports whether
// there was such a certificate.
func (a *Application) RemoveCertificate(thumbprint [32]byte) bool {
	return a.registered.remove(func(c *Certificate) bool { return c.Thumbprint == thumbprint })
}

// RemoveKey is RemoveCertificate by the ID of the key credential.
func (a *Application) RemoveKey(keyID string) bool {
	return a.registered.remove(func(c *Certificate) bool { return c.KeyID == keyID })
}

func (r *registry) remove(is func(*Certificate) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.list)
	r.list = slices.DeleteFunc(r.list, is)
	return len(r.list) < before
}

// Certificates are those that are registered, the oldest first.
func (a *Application) Certificates() []Certificate {
	r := a.registered
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Certificate
	for _, c := range r.list {
		list = append(list, *c)
	}
	return list
}

// CertificateForToken is the certificate with a thumbprint as the token endpoint knows it:
// false when there is none, or the directory has not told yet.
func (a *Application) CertificateForToken(thumbprint [32]byte) (Certificate, bool) {
	r := a.registered
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.list {
		if c.Thumbprint != thumbprint {
			continue
		}
		if c.delay > 0 {
			c.delay--
			continue
		}
		return *c, true
	}
	return Certificate{}, false
}
