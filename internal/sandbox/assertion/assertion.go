// Package assertion verifies the client assertions of token requests (RFC 7523 2.2) as
// Entra ID does, with its words: those that an application signs with the key of its
// certificate ("Microsoft identity platform application authentication certificate
// credentials"), and tokens of other issuers ("Workload identity federation").
//
// A certificate's is checked in this order: form and algorithm, issuer and subject, key,
// signature, audience, time, and that its jti was not used before. Of the last, Microsoft
// documents no error; it says only that each request needs another jti.
package assertion

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// Refusal is Entra's no to an assertion.
type Refusal struct {
	Status int    // HTTP
	Code   string // OAuth's "error"
	AADSTS int
	Text   string // after "AADSTSnnn: "
}

func refuse(aadsts int, format string, args ...any) *Refusal {
	return &Refusal{http.StatusUnauthorized, "invalid_client", aadsts, fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) *Refusal {
	return &Refusal{http.StatusBadRequest, "invalid_request", 50027, fmt.Sprintf(format, args...)}
}

const (
	read           = "Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
	readFederation = "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)

// leeway is by how much clocks may differ.
const leeway = 5 * time.Minute

// maxUsed bounds the values of jti that are kept.
const maxUsed = 100_000

// Request is an assertion, and whose it is to be.
type Request struct {
	ClientID  string
	Name      string // of the application
	Keys      *keyring.Ring
	Assertion string
	Audiences []string // that name the token endpoint
}

// Verifier verifies assertions. It is safe for concurrent use.
type Verifier struct {
	issuer *idissuer.Issuer

	mu   sync.Mutex
	used map[string]time.Time // jti, and until when it counts
}

// New returns a verifier. Of other issuers it can verify the tokens of issuer alone.
func New(issuer *idissuer.Issuer) *Verifier {
	return &Verifier{issuer: issuer, used: map[string]time.Time{}}
}

// Verify returns nil for an assertion that proves the application.
func (v *Verifier) Verify(r Request, now time.Time) *Refusal {
	var claims jwt.RegisteredClaims
	token, _, err := jwt.NewParser().ParseUnverified(r.Assertion, &claims)
	if errors.Is(err, jwt.ErrTokenUnverifiable) && token != nil {
		return unsupported(token)
	}
	if err != nil {
		return malformed("JWT token is invalid or malformed.")
	}
	if kind := token.Header["typ"]; kind != nil && kind != "JWT" {
		return &Refusal{http.StatusBadRequest, "invalid_request", 5002727,
			"Invalid JWT header type specified. Allowed types: 'JWT','http://openid.net/specs/jwt/1.0'."}
	}
	isForeign := strings.HasPrefix(claims.Issuer, "https://") || strings.HasPrefix(claims.Issuer, "http://")
	if isForeign {
		return v.federated(r, token, claims, now)
	}
	return v.certificate(r, token, claims, now)
}

// algorithms that Entra ID takes of certificates: RSA alone.
func algorithms() []string { return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} }

func unsupported(token *jwt.Token) *Refusal {
	return &Refusal{http.StatusBadRequest, "invalid_request", 5002738, fmt.Sprintf(
		"Invalid JWT token. '%v' is not a supported signature algorithm. Supported signing algorithms are: '%s'",
		token.Header["alg"], strings.Join(algorithms(), ","))}
}

func (v *Verifier) certificate(r Request, token *jwt.Token, claims jwt.RegisteredClaims, now time.Time) *Refusal {
	switch {
	case !slices.Contains(algorithms(), token.Method.Alg()):
		return unsupported(token)
	case !strings.EqualFold(claims.Issuer, r.ClientID) || !strings.EqualFold(claims.Subject, r.ClientID):
		return refuse(700021, "Client assertion application identifier doesn't match 'client_id' parameter. %s", read)
	}
	print := thumbprint(token)
	if print == "" {
		return malformed("Invalid JWT token. No certificate thumbprint specified in token header.")
	}
	key, refusal := findKey(r, token, print, now)
	if refusal != nil {
		return refusal
	}
	parser := jwt.NewParser(jwt.WithValidMethods(algorithms()), jwt.WithoutClaimsValidation())
	if _, err := parser.Parse(r.Assertion, func(*jwt.Token) (any, error) { return key.public, nil }); err != nil {
		return unsigned(r, key.found, print, "Client assertion failed signature validation.",
			"Key was found, but use of the key to verify the signature failed.")
	}
	if !slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(r.Audiences, a) }) {
		return refuse(700023, "Client assertion audience claim does not match Realm issuer. %s", read)
	}
	if refusal := timely(claims, now); refusal != nil {
		return refusal
	}
	return v.once(r, claims, now)
}

// once refuses a jti that was used before (RFC 7523 3).
func (v *Verifier) once(r Request, claims jwt.RegisteredClaims, now time.Time) *Refusal {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, until := range v.used {
		if now.After(until) {
			delete(v.used, id)
		}
	}
	id := r.ClientID + " " + claims.ID
	switch _, again := v.used[id]; {
	case claims.ID == "":
		return malformed("JWT token is invalid or malformed. The claim 'jti' is missing.")
	case again:
		return malformed("JWT token is invalid or malformed. Its 'jti' was used before: a new one is needed for each request.")
	case len(v.used) >= maxUsed:
		return &Refusal{http.StatusServiceUnavailable, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again."}
	}
	v.used[id] = claims.ExpiresAt.Add(leeway)
	return nil
}

// timely checks nbf and exp.
func timely(claims jwt.RegisteredClaims, now time.Time) *Refusal {
	var from, to time.Time
	if claims.NotBefore != nil {
		from = claims.NotBefore.Time
	}
	if claims.ExpiresAt != nil {
		to = claims.ExpiresAt.Time
	}
	if now.Before(from.Add(-leeway)) || !now.Before(to.Add(leeway)) {
		if from.IsZero() {
			from = time.Unix(0, 0)
		}
		const layout = "2006-01-02T15:04:05.0000000Z"
		return refuse(700024, "Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s. %s",
			now.UTC().Format(layout), from.UTC().Format(layout), to.UTC().Format(layout), read)
	}
	return nil
}

// thumbprint is that of the header, in hexadecimal digits.
func thumbprint(token *jwt.Token) string {
	for _, name := range []string{"x5t#S256", "x5t"} {
		text, _ := token.Header[name].(string)
		if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); err == nil && len(raw) > 0 {
			return strings.ToUpper(hex.EncodeToString(raw))
		}
	}
	return ""
}

// usable is a key that may have signed.
type usable struct {
	public *rsa.PublicKey
	found  keyring.Key
}

// unsigned is what Entra says of a key.
func unsigned(r Request, found keyring.Key, print, what, reason string) *Refusal {
	const layout = "01/02/2006 15:04:05"
	key := ""
	if found.ID != "" {
		key = fmt.Sprintf(", Found key 'Start=%s, End=%s'", found.Start.UTC().Format(layout), found.End.UTC().Format(layout))
	}
	return refuse(700027, "%s [Reason - %s, Thumbprint of key used by client: '%s'%s, Please visit the Azure Portal, Graph Explorer or directly use MS Graph "+
		"to see configured keys for app Id '%s'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the "+
		"corresponding service endpoint and https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a "+
		"query request URL, such as 'https://graph.microsoft.com/beta/applications/%s'].", what, reason, print, key, r.ClientID, r.ClientID)
}
