// Package keyring has the credentials that are registered on an application of the
// sandbox, as the pages "Certificates & secrets" of an app registration show them:
// client secrets, certificates, trusted subjects of certificates, and federated
// credentials. They can be added, ended and removed while the sandbox runs, so that a
// test can renew them.
package keyring

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// The kinds of a Key.
const (
	KindSecret      = "secret"
	KindCertificate = "certificate"
	KindSubject     = "subject"
	KindFederated   = "federated"
)

// Key is a credential that is registered.
type Key struct {
	ID   string `json:"id"` // a UUID; of a secret it is the "Secret ID"
	Kind string `json:"kind"`
	// Hint are the first three characters of a secret.
	Hint string `json:"hint,omitempty"`
	// Thumbprint and ThumbprintSHA256 are those of a certificate, in hexadecimal digits.
	Thumbprint       string `json:"thumbprint,omitempty"`
	ThumbprintSHA256 string `json:"thumbprint_sha256,omitempty"`
	// Subject is the common name of certificates that are trusted when an authority of
	// the application issued them.
	Subject string `json:"subject,omitempty"`
	// Trust is what a federated credential says.
	Trust *Trust `json:"federated,omitempty"`

	Start time.Time `json:"start"`
	End   time.Time `json:"end"`

	Certificate *x509.Certificate `json:"-"` // of KindSubject: who issues

	secret string
	delay  int // how many lookups by its thumbprint still find nothing
}

// Trust is a federated credential: the token of another issuer must match it, octet for
// octet.
type Trust struct {
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
	// EffectiveAfter is in how many seconds Entra ID knows it everywhere.
	EffectiveAfter int `json:"effective_after_seconds,omitempty"`
}

// life is how long a new secret or federated credential is valid: the longest that the
// portal offers.
const life = 730 * 24 * time.Hour

// ErrUnknown says that there is no key of that ID.
var ErrUnknown = errors.New("keyring: no credential has this id")

// Ring are the credentials of one application. It is safe for concurrent use; the zero
// Ring is empty.
type Ring struct {
	mu   sync.Mutex
	keys []Key
}

func (r *Ring) add(k Key) Key {
	k.ID = uuid.NewString()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, k)
	return k
}

// AddSecret registers a client secret.
func (r *Ring) AddSecret(secret string) Key {
	now := time.Now()
	return r.add(Key{Kind: KindSecret, Hint: secret[:min(3, len(secret))], Start: now, End: now.Add(life), secret: secret})
}

// AddCertificate registers a certificate from the time from on, which the directory needs
// to tell everywhere; the zero time is now.
func (r *Ring) AddCertificate(c *x509.Certificate, from time.Time) Key {
	k := keyOf(c)
	if from.After(k.Start) {
		k.Start = from
	}
	return r.add(k)
}

// AddCertificateLate registers a certificate that the directory tells the token endpoint
// after so many requests with it.
func (r *Ring) AddCertificateLate(c *x509.Certificate, refusals int) Key {
	k := keyOf(c)
	k.delay = refusals
	return r.add(k)
}

func keyOf(c *x509.Certificate) Key {
	short, long := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	return Key{
		Kind: KindCertificate, Certificate: c, Start: c.NotBefore, End: c.NotAfter,
		Thumbprint: strings.ToUpper(hex.EncodeToString(short[:])), ThumbprintSHA256: strings.ToUpper(hex.EncodeToString(long[:])),
	}
}

// AddSubject trusts the certificates with that common name that authority issued.
func (r *Ring) AddSubject(name string, authority *x509.Certificate) Key {
	return r.add(Key{Kind: KindSubject, Subject: name, Certificate: authority, Start: authority.NotBefore, End: authority.NotAfter})
}

// AddTrust registers a federated credential.
func (r *Ring) AddTrust(t Trust) Key {
	from := time.Now().Add(time.Duration(t.EffectiveAfter) * time.Second)
	return r.add(Key{Kind: KindFederated, Trust: &t, Start: from, End: from.Add(life)})
}

// Remove removes a key. Its error is ErrUnknown.
func (r *Ring) Remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(r.keys), func(k Key) bool { return k.ID == id })
	if len(left) == len(r.keys) {
		return ErrUnknown
	}
	r.keys = left
	return nil
}

// Expire ends a key now. Its error is ErrUnknown.
func (r *Ring) Expire(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.keys {
		if r.keys[i].ID == id {
			r.keys[i].End = time.Now().Add(-time.Second)
			return nil
		}
	}
	return ErrUnknown
}

// Keys are all that are registered, in their order.
func (r *Ring) Keys() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.keys)
}

// find returns the first key that fits.
func (r *Ring) find(fits func(Key) bool) (Key, bool) {
	keys := r.Keys()
	if i := slices.IndexFunc(keys, fits); i >= 0 {
		return keys[i], true
	}
	return Key{}, false
}

// Secret finds a client secret by its value.
func (r *Ring) Secret(value string) (Key, bool) {
	return r.find(func(k Key) bool {
		return k.Kind == KindSecret && subtle.ConstantTimeCompare([]byte(k.secret), []byte(value)) == 1
	})
}

// ByThumbprint finds a certificate by either thumbprint, in hexadecimal digits. One that
// the directory does not tell yet is not found.
func (r *Ring) ByThumbprint(print string, now time.Time) (Key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.keys {
		k := &r.keys[i]
		fits := strings.EqualFold(k.Thumbprint, print) || strings.EqualFold(k.ThumbprintSHA256, print)
		switch {
		case k.Kind != KindCertificate || !fits || now.Before(k.Start):
		case k.delay > 0:
			k.delay--
		default:
			return *k, true
		}
	}
	return Key{}, false
}

// Of are the keys of a kind.
func (r *Ring) Of(kind string) []Key {
	return slices.DeleteFunc(r.Keys(), func(k Key) bool { return k.Kind != kind })
}
