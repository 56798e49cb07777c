package graph

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/keypair"
)

// proofLife is how long a proof is valid: Graph takes 10 minutes at most.
const proofLife = 10 * time.Minute

// audiences are those that Microsoft's page has had: of Azure AD Graph (2019 to 2024 at
// least), and of Microsoft Graph (in later copies).
func audiences() []string {
	return []string{"00000002-0000-0000-c000-000000000000", "00000003-0000-0000-c000-000000000000"}
}

// newProof is a JWT about the object ID, signed by a pair that is registered there. It is
// made as the signing credentials of .NET make it, which Microsoft's example uses: RS256,
// with the SHA-1 thumbprint in kid and x5t.
func newProof(signer *keypair.Pair, objectID, audience string) (string, error) {
	key, leaf, err := signer.Signer()
	if err != nil {
		return "", err
	}
	now := time.Now().Truncate(time.Second)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"aud": audience, "iss": objectID, "nbf": now.Unix(), "exp": now.Add(proofLife).Unix(),
	})
	sum := sha1.Sum(leaf.Raw)
	token.Header["kid"] = strings.ToUpper(hex.EncodeToString(sum[:]))
	token.Header["x5t"] = base64.RawURLEncoding.EncodeToString(sum[:])
	proof, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("signing a proof of possession: %w", err)
	}
	return proof, nil
}
