package sandbox

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

// claims are those of an Entra v1.0 access token for an application. The
// version is the resource's choice: Exchange Online takes v1.0, so the v2.0
// endpoint issues it too.
type claims struct {
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
	TokenID   string   `json:"uti"`
	Version   string   `json:"ver"`
}

var errToken = errors.New("token refused")

// tokenIssuer signs and verifies tokens (RFC 7515, RS256).
type tokenIssuer struct {
	key *rsa.PrivateKey
	kid string
}

func newTokenIssuer(key *rsa.PrivateKey) (*tokenIssuer, error) {
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("making signing key: %w", err)
		}
	}
	sum := sha256.Sum256(key.N.Bytes())
	return &tokenIssuer{key: key, kid: base64.RawURLEncoding.EncodeToString(sum[:20])}, nil
}

func (t *tokenIssuer) sign(c claims) (string, error) {
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

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// verify checks signature and times. Errors wrap errToken and say what a
// tester may know; Exchange itself says nothing.
func (t *tokenIssuer) verify(token string, now time.Time) (claims, error) {
	parts := strings.Split(token, ".")
	// encoding/base64 skips line ends; a token has none.
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") {
		return claims{}, fmt.Errorf("%w: no JWT", errToken)
	}
	var header struct{ Alg string }
	if err := decodePart(parts[0], &header); err != nil || header.Alg != "RS256" {
		return claims{}, fmt.Errorf("%w: header is not one of RS256", errToken)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return claims{}, fmt.Errorf("%w: signature is not base64url", errToken)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&t.key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return claims{}, fmt.Errorf("%w: signature is not of this sandbox", errToken)
	}
	var c claims
	if err := decodePart(parts[1], &c); err != nil {
		return claims{}, err
	}
	switch at := now.Unix(); {
	case at >= c.Expires:
		return claims{}, fmt.Errorf("%w: expired", errToken)
	case at < c.NotBefore:
		return claims{}, fmt.Errorf("%w: not yet valid", errToken)
	}
	return c, nil
}

func decodePart(part string, into any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return fmt.Errorf("%w: a part is not base64url", errToken)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: a part is no JSON", errToken)
	}
	return nil
}

// jwks is the key set by which others verify the tokens (RFC 7517).
func (t *tokenIssuer) jwks() any {
	return map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": t.kid, "x5t": t.kid,
		"n": encode(t.key.N.Bytes()), "e": encode(big.NewInt(int64(t.key.E)).Bytes()),
	}}}
}
