package entraid

import (
	"encoding/base64"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// checkAssertion wants the signature of a registered certificate that is valid.
func checkAssertion(a *tenant.Application, assertion string) *refusal {
	refused := func(reason string) *refusal {
		return &refusal{401, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not " +
			"registered on application. [Reason - " + reason + "]"}
	}
	ended := false
	_, err := jwt.Parse(assertion, func(t *jwt.Token) (any, error) {
		text, _ := t.Header["x5t#S256"].(string)
		thumbprint, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(thumbprint) != 32 {
			return nil, jwt.ErrTokenUnverifiable
		}
		c, ok := a.CertificateForToken([32]byte(thumbprint))
		if !ok {
			return nil, jwt.ErrTokenUnverifiable
		}
		ended = time.Now().After(c.NotAfter)
		return c.PublicKey, nil
	}, jwt.WithValidMethods([]string{"PS256", "RS256"}), jwt.WithIssuer(a.ClientID), jwt.WithExpirationRequired())
	switch {
	case err != nil:
		return refused("The key was not found.")
	case ended:
		return refused("The key used is expired.")
	}
	return nil
}
