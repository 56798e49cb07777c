package idtoken

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// maxClaim is the length in octets to which a claim is cut: as much as a federated
// credential has room for.
const maxClaim = 600

// Claims are what Entra ID compares with the federated credential, octet for octet.
type Claims struct {
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	Audience string    `json:"audience"` // the first
	Expires  time.Time `json:"expires,omitzero"`
}

// ReadClaims reads the claims of a token without verifying it: Entra ID does that. ok
// reports that it is a JWT.
func ReadClaims(token secret.String) (c Claims, ok bool) {
	var all jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token.Reveal(), &all); err != nil {
		return Claims{}, false
	}
	clean := func(text string) string { return printable.Line(text[:min(len(text), maxClaim)]) }
	c = Claims{Issuer: clean(all.Issuer), Subject: clean(all.Subject)}
	if len(all.Audience) > 0 {
		c.Audience = clean(all.Audience[0])
	}
	if all.ExpiresAt != nil {
		c.Expires = all.ExpiresAt.Time
	}
	return c, true
}
