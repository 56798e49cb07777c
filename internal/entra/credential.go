package entra

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"net/url"

	"github.com/smtpsend/smtpsend/internal/secret"
)

// Credential proves to the token endpoint who the client is. Implementations
// are safe for concurrent use.
type Credential interface {
	// Params returns the form fields that prove clientID to the endpoint
	// tokenURL, such as client_secret, or client_assertion and its type. It is
	// called for each request, so that an assertion can be new each time. Its
	// error must not hold the credential.
	Params(ctx context.Context, clientID, tokenURL string) (url.Values, error)

	// Fingerprint returns 32 octets that are the same for the same credential,
	// differ for another, and cannot be found without it: a cache derives its
	// key from them. All zero says that there is no stable secret to derive
	// them from.
	Fingerprint() [32]byte
}

// Secret returns the credential of a client secret (its value, not its ID).
func Secret(value secret.String) Credential { return secretCredential{value} }

type secretCredential struct{ value secret.String }

func (c secretCredential) Params(context.Context, string, string) (url.Values, error) {
	if c.value.IsZero() {
		return nil, errors.New("client secret is empty")
	}
	return url.Values{"client_secret": {c.value.Reveal()}}, nil
}

func (c secretCredential) Fingerprint() [32]byte {
	return fingerprint("client secret", []byte(c.value.Reveal()))
}

// fingerprint derives the octets of Credential.Fingerprint with HKDF (RFC
// 5869), so that they say nothing about the credential itself.
func fingerprint(kind string, material []byte) (out [32]byte) {
	if len(material) == 0 {
		return out
	}
	// Key fails for outputs longer than 255 hashes only, or in FIPS mode for
	// short inputs; then there is no fingerprint.
	key, err := hkdf.Key(sha256.New, material, nil, "smtpsend credential fingerprint 1: "+kind, len(out))
	if err != nil {
		return out
	}
	copy(out[:], key)
	return out
}
