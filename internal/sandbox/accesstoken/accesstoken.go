// Package accesstoken is the access token of Microsoft Entra ID for an
// application: its claims, its signature (RFC 7515, RS256) and the key set by
// which others verify it. The sandbox's token endpoint signs tokens, its
// submission server verifies them.
package accesstoken

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Claims are those of an Entra v1.0 access token for an application. The
// version is the resource's choice: Exchange Online takes v1.0, so the v2.0
// endpoint issues it too.
type Claims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	AIO       string   `json:"aio"`
	AppName   string   `json:"app_displayname"`
	AppID     string   `json:"appid"`
	AppIDACR  string   `json:"appidacr"`
	IDP       string   `json:"idp"`
	IDType    string   `json:"idtyp"`
	ObjectID  string   `json:"oid"`
	RH        string   `json:"rh"`
	Roles     []string `json:"roles,omitempty"`
	Subject   string   `json:"sub"`
	TenantID  string   `json:"tid"`
	TokenID   string   `json:"uti"` // one of its own for each token
	Version   string   `json:"ver"`
}

// ErrRefused is wrapped by every error of Verify.
var ErrRefused = errors.New("token refused")

// Issuer signs and verifies tokens. Its methods are safe for concurrent use.
type Issuer struct {
	key *rsa.PrivateKey
	kid string
}

// NewIssuer returns an issuer with key, or with a new one (some 0.1 s) for nil.
func NewIssuer(key *rsa.PrivateKey) (*Issuer, error) {
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("making signing key: %w", err)
		}
	}
	sum := sha256.Sum256(key.N.Bytes())
	return &Issuer{key: key, kid: base64.RawURLEncoding.EncodeToString(sum[:20])}, nil
}

// Sign returns the token that says c. AIO, RH and TokenID, whose values mean
// something to Entra alone, are random.
func (t *Issuer) Sign(c Claims) (string, error) {
	c.AIO, c.RH, c.TokenID = random(30), random(24), random(16)
	header, err := json.Marshal(map[string]string{"typ": "JWT", "alg": "RS256", "x5t": t.kid, "kid": t.kid})
	if err != nil {
		return "", fmt.Errorf("encoding header: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	signed := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, t.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	return signed + "." + encode(signature), nil
}

// random returns n random octets in base64url.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return encode(b)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Verify checks signature and times. Errors wrap ErrRefused and say what a
// tester may know; Exchange itself says nothing.
func (t *Issuer) Verify(token string, now time.Time) (Claims, error) {
	parts := strings.Split(token, ".")
	// encoding/base64 skips line ends; a token has none.
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") {
		return Claims{}, fmt.Errorf("%w: not a JWT", ErrRefused)
	}
	var header struct{ Alg string }
	if err := decodePart(parts[0], &header); err != nil || header.Alg != "RS256" {
		return Claims{}, fmt.Errorf("%w: header is not one of RS256", ErrRefused)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return Claims{}, fmt.Errorf("%w: signature is not base64url", ErrRefused)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&t.key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return Claims{}, fmt.Errorf("%w: signature is not of this sandbox", ErrRefused)
	}
	var c Claims
	if err := decodePart(parts[1], &c); err != nil {
		return Claims{}, err
	}
	switch at := now.Unix(); {
	case at >= c.Expires:
		return Claims{}, fmt.Errorf("%w: expired", ErrRefused)
	case at < c.NotBefore:
		return Claims{}, fmt.Errorf("%w: not yet valid", ErrRefused)
	}
	return c, nil
}

func decodePart(part string, into any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return fmt.Errorf("%w: a part is not base64url", ErrRefused)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: a part is not JSON", ErrRefused)
	}
	return nil
}

// JWKS is the key set by which others verify the tokens (RFC 7517).
func (t *Issuer) JWKS() any {
	return map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": t.kid, "x5t": t.kid,
		"n": encode(t.key.N.Bytes()), "e": encode(big.NewInt(int64(t.key.E)).Bytes()),
	}}}
}
