package entra

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/presented"
)

// assertionType is that of a JWT (RFC 7523 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// paramAssertionType is its parameter of a token request.
const paramAssertionType = "client_assertion_type"

// assertionLife is how long an assertion is valid, as in Microsoft's libraries. It is
// used at once; the rest is for clocks that differ.
const assertionLife = 10 * time.Minute

// Certificate returns the credential of a certificate and its private key: each request
// has an assertion of its own, signed with PS256 (Microsoft identity platform,
// "Microsoft identity platform application authentication certificate credentials").
// With chain the assertion holds the certificates, for an application that trusts an
// issuer and a subject name.
func Certificate(pair *keypair.Pair, chain bool) Credential {
	return certificateCredential{pair, chain}
}

type certificateCredential struct {
	pair  *keypair.Pair
	chain bool
}

func (c certificateCredential) Params(_ context.Context, clientID, tokenURL string) (url.Values, error) {
	key, leaf, err := c.pair.Signer()
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("making the ID of an assertion: %w", err)
	}
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.RegisteredClaims{
		Audience: jwt.ClaimStrings{tokenURL}, Issuer: clientID, Subject: clientID, ID: id.String(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(assertionLife)),
	})
	digest := sha256.Sum256(leaf.Raw)
	token.Header["x5t#S256"] = base64.RawURLEncoding.EncodeToString(digest[:])
	if c.chain {
		token.Header["x5c"] = encodedChain(leaf, c.pair.Chain())
	}
	assertion, err := token.SignedString(key)
	if err != nil {
		return nil, fmt.Errorf("signing an assertion: %w", err)
	}
	return assertionParams(assertion), nil
}

// encodedChain is the certificate and the others (RFC 7515 4.1.6).
func encodedChain(leaf *x509.Certificate, all []*x509.Certificate) []string {
	list := []string{base64.StdEncoding.EncodeToString(leaf.Raw)}
	for _, c := range all {
		if !c.Equal(leaf) {
			list = append(list, base64.StdEncoding.EncodeToString(c.Raw))
		}
	}
	return list
}

func assertionParams(assertion string) url.Values {
	return url.Values{paramAssertionType: {assertionType}, "client_assertion": {assertion}}
}

func (c certificateCredential) Fingerprint() [32]byte {
	return fingerprint("certificate", []byte(c.pair.Key().Reveal()))
}

func (c certificateCredential) proof(url.Values) *presented.Proof {
	leaf := c.pair.Certificate()
	if leaf == nil {
		return nil
	}
	short, long := keypair.Thumbprints(leaf)
	return &presented.Proof{Thumbprint: short, ThumbprintSHA256: long, Starts: leaf.NotBefore, Ends: leaf.NotAfter}
}

// presented is what a refused request showed, for credentials that have something to show.
func (r *recorder) presented(credential Credential, params url.Values) *presented.Proof {
	shows, ok := credential.(interface {
		proof(params url.Values) *presented.Proof
	})
	if !ok {
		return nil
	}
	proof := shows.proof(params)
	if proof == nil {
		return nil
	}
	proof.At = time.Now().UTC().Truncate(time.Second)
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil {
		proof.Their = date.UTC()
	}
	return proof
}
