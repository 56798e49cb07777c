package graph

import (
	"crypto/sha1"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// audience of a proof, as Microsoft's page of June 2024 has it.
const audience = "00000002-0000-0000-c000-000000000000"

// maxProof is the longest life of a proof.
const maxProof = 10 * time.Minute

// proves reports a proof of possession: a JWT that one of the application's valid
// certificates signed, about the object ID of the app registration. It is signed with
// RS256, as Microsoft's example does it.
func proves(a *tenant.Application, proof string, now time.Time) bool {
	for _, c := range a.Certificates() {
		if now.After(c.NotAfter) || now.Before(c.NotBefore) {
			continue
		}
		claims := jwt.RegisteredClaims{}
		_, err := jwt.ParseWithClaims(proof, &claims, func(*jwt.Token) (any, error) { return c.PublicKey, nil },
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience), jwt.WithIssuer(a.RegistrationID()),
			jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithLeeway(time.Minute))
		if err == nil && claims.NotBefore != nil && claims.ExpiresAt.Sub(claims.NotBefore.Time) <= maxProof {
			return true
		}
	}
	return false
}

func shortThumbprint(c tenant.Certificate) []byte {
	sum := sha1.Sum(c.Raw)
	return sum[:]
}
