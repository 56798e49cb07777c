// Package idissuer is an issuer of the sandbox whose tokens an application may trust in
// place of a secret, as CI systems and Kubernetes have one: OpenID discovery, a key set
// (OpenID Connect Discovery 1.0; RFC 7517), and the endpoints by which GitHub Actions and
// Azure Pipelines give a job its token.
package idissuer

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/smtpsend/smtpsend/internal/sandbox/jsonanswer"
)

// Audience is that of a token for Entra ID (Microsoft Entra, "Workload identity
// federation").
const Audience = "api://AzureADTokenExchange"

// Life is how long a token is valid: as short as that of GitHub Actions.
const Life = 5 * time.Minute

// The subjects of tokens, in the form of each platform.
const (
	SubjectGitHub         = "repo:contoso/reports:ref:refs/heads/main"
	SubjectGitLab         = "project_path:contoso/reports:ref_type:branch:ref:main"
	SubjectAzurePipelines = "sc://contoso/reports/smtpsend"
	SubjectKubernetes     = "system:serviceaccount:reports:smtpsend"
)

// Subjects are all of these.
func Subjects() []string {
	return []string{SubjectGitHub, SubjectGitLab, SubjectAzurePipelines, SubjectKubernetes}
}

// path is where the issuer is below the sandbox's URL.
const path = "/issuer"

// Issuer signs tokens. It is safe for concurrent use once SetURL was called.
type Issuer struct {
	url    string
	key    func() (*rsa.PrivateKey, error)
	job    string // the token of a job
	connID string // of the service connection
}

// New returns an issuer with key; nil makes a new one at the first use.
func New(key *rsa.PrivateKey) *Issuer {
	i := &Issuer{job: rand.Text(), connID: uuid.NewString()}
	i.key = sync.OnceValues(func() (*rsa.PrivateKey, error) {
		if key != nil {
			return key, nil
		}
		return rsa.GenerateKey(rand.Reader, 2048)
	})
	return i
}

// SetURL says where the sandbox is, such as https://127.0.0.1:1.
func (i *Issuer) SetURL(base string) { i.url = base + path }

// URL is the iss of the tokens.
func (i *Issuer) URL() string { return i.url }

// JobToken is what a job shows to get a token of its own.
func (i *Issuer) JobToken() string { return i.job }

// ServiceConnection is the ID of the one that Azure Pipelines has.
func (i *Issuer) ServiceConnection() string { return i.connID }

// GitHubURL is ACTIONS_ID_TOKEN_REQUEST_URL, which has a query already.
func (i *Issuer) GitHubURL() string { return i.url + "/github?api-version=2.0" }

// AzurePipelinesURL is SYSTEM_OIDCREQUESTURI.
func (i *Issuer) AzurePipelinesURL() string { return i.url + "/azure-pipelines/oidctoken" }

// Claims say what a token is to hold.
type Claims struct {
	Subject  string        `json:"subject"`
	Audience string        `json:"audience"` // "" is Audience
	Issuer   string        `json:"issuer"`   // "" is URL
	Life     time.Duration `json:"life"`     // 0 is Life; below 0 it expired that long ago
}

// Token returns a token signed with RS256, the only algorithm that Entra ID takes of other
// issuers.
func (i *Issuer) Token(c Claims) (string, error) {
	key, err := i.key()
	if err != nil {
		return "", fmt.Errorf("idissuer: making a key: %w", err)
	}
	if c.Audience == "" {
		c.Audience = Audience
	}
	if c.Issuer == "" {
		c.Issuer = i.url
	}
	if c.Life == 0 {
		c.Life = Life
	}
	end := time.Now().Add(c.Life)
	begin := time.Now()
	if c.Life < 0 {
		begin = end.Add(-Life)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: c.Issuer, Subject: c.Subject, Audience: jwt.ClaimStrings{c.Audience}, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(begin), NotBefore: jwt.NewNumericDate(begin), ExpiresAt: jwt.NewNumericDate(end),
	})
	t.Header["kid"] = kid(key)
	signed, err := t.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("idissuer: signing a token: %w", err)
	}
	return signed, nil
}

// Key verifies the tokens.
func (i *Issuer) Key() (*rsa.PublicKey, error) {
	key, err := i.key()
	if err != nil {
		return nil, fmt.Errorf("idissuer: making a key: %w", err)
	}
	return &key.PublicKey, nil
}

func kid(key *rsa.PrivateKey) string {
	sum := sha256.Sum256(key.N.Bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Routes returns the handlers by their patterns of http.ServeMux. They give tokens, so
// they are for HTTPS only.
func (i *Issuer) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET " + path + "/.well-known/openid-configuration": i.configuration,
		"GET " + path + "/keys":                             i.keys,
		"GET " + path + "/github":                           i.github,
		"POST " + path + "/azure-pipelines/oidctoken":       i.azurePipelines,
	}
}

func (i *Issuer) configuration(w http.ResponseWriter, _ *http.Request) {
	jsonanswer.Write(w, http.StatusOK, map[string]any{
		"issuer": i.url, "jwks_uri": i.url + "/keys",
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported":                      []string{"sub", "aud", "exp", "iat", "iss", "jti", "nbf"},
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	key, err := i.key()
	if err != nil {
		http.Error(w, "no key", http.StatusInternalServerError)
		return
	}
	encode := base64.RawURLEncoding.EncodeToString
	jsonanswer.Write(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid(key),
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}}})
}

// github is the endpoint of GitHub Actions (its toolkit, oidc-utils.ts): GET with the
// job's token and the audience.
func (i *Issuer) github(w http.ResponseWriter, r *http.Request) {
	if !i.authorized(r) {
		jsonanswer.Write(w, http.StatusUnauthorized, map[string]string{"message": "Unauthorized"})
		return
	}
	token, err := i.Token(Claims{Subject: SubjectGitHub, Audience: r.URL.Query().Get("audience")})
	i.answer(w, map[string]any{"value": token, "count": 1}, err)
}

// azurePipelines is "Oidctoken - Create" of Azure DevOps.
func (i *Issuer) azurePipelines(w http.ResponseWriter, r *http.Request) {
	switch q := r.URL.Query(); {
	case !i.authorized(r):
		jsonanswer.Write(w, http.StatusUnauthorized, map[string]string{"message": "TF400813: The user is not authorized to access this resource."})
		return
	case q.Get("api-version") == "":
		jsonanswer.Write(w, http.StatusBadRequest, map[string]string{"message": "No api-version was supplied for the request."})
		return
	case q.Get("serviceConnectionId") != i.connID:
		jsonanswer.Write(w, http.StatusNotFound, map[string]string{"message": "The service connection does not exist, or this pipeline may not use it."})
		return
	}
	token, err := i.Token(Claims{Subject: SubjectAzurePipelines})
	i.answer(w, map[string]any{"oidcToken": token}, err)
}

func (i *Issuer) answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		http.Error(w, "no token", http.StatusInternalServerError)
		return
	}
	jsonanswer.Write(w, http.StatusOK, body)
}

// authorized reports the job's token, after "bearer" in any case.
func (i *Issuer) authorized(r *http.Request) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return ok && strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare([]byte(token), []byte(i.job)) == 1
}

// Verify checks the signature of a token, and nothing else.
func (i *Issuer) Verify(token string) error {
	key, err := i.Key()
	if err != nil {
		return err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
	if _, err := parser.Parse(token, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return errors.New("idissuer: the signature is not of this issuer")
	}
	return nil
}
