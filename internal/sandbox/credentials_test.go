package sandbox_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// otherKey is one that no certificate has.
var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// certificate is one of the key, which issuer signs; nil is itself.
func certificate(t testing.TB, name string, public, signer any, issuer *x509.Certificate, end time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end, BasicConstraintsValid: true, IsCA: issuer == nil,
	}
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claim is an assertion before it is signed.
type claim struct {
	method jwt.SigningMethod
	header map[string]any
	claims jwt.MapClaims
	key    any
}

func sha1Of(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func sha256Of(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// right is an assertion that the sandbox takes.
func right(s *sandbox.Sandbox, c *x509.Certificate) *claim {
	now := time.Now()
	return &claim{
		method: jwt.SigningMethodPS256, key: signingKey(),
		header: map[string]any{"x5t#S256": sha256Of(c)},
		claims: jwt.MapClaims{
			"aud": s.URL() + "/" + s.TenantID() + "/oauth2/v2.0/token", "iss": s.ClientID(), "sub": s.ClientID(),
			"jti": rand.Text(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		},
	}
}

// prove asks for a token with an assertion, and returns the AADSTS number and the text of
// the refusal.
func prove(t testing.TB, s *sandbox.Sandbox, assertion string) (aadsts int, text string) {
	t.Helper()
	a := post(t, s, s.TenantID(), form(s, "client_secret", "", "client_assertion", assertion,
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
	var got struct {
		Token       string `json:"access_token"`
		Codes       []int  `json:"error_codes"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if got.Token != "" {
		if c, err := diagnosis.ReadClaims(got.Token); err != nil || c.AppIDACR != "2" {
			t.Errorf("claims %+v, %v", c, err)
		}
		return 0, ""
	}
	if len(got.Codes) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return got.Codes[0], got.Description
}

func (c *claim) sign(t testing.TB) string {
	t.Helper()
	token := jwt.NewWithClaims(c.method, c.claims)
	for name, value := range c.header {
		token.Header[name] = value
	}
	text, err := token.SignedString(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCertificates(t *testing.T) {
	own := certificate(t, "own", &signingKey().PublicKey, signingKey(), nil, time.Now().Add(time.Hour))
	old := certificate(t, "old", &signingKey().PublicKey, signingKey(), nil, time.Now().Add(-time.Hour))
	unknown := certificate(t, "unknown", &signingKey().PublicKey, signingKey(), nil, time.Now().Add(time.Hour))
	authority := certificate(t, "authority", &otherKey().PublicKey, otherKey(), nil, time.Now().Add(time.Hour))
	issued := certificate(t, "mail.contoso.example", &signingKey().PublicKey, otherKey(), authority, time.Now().Add(time.Hour))
	ended := certificate(t, "mail.contoso.example", &signingKey().PublicKey, otherKey(), authority, time.Now().Add(-time.Hour))
	stranger := certificate(t, "other.contoso.example", &signingKey().PublicKey, otherKey(), authority, time.Now().Add(time.Hour))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	elliptical := certificate(t, "EC", &curve.PublicKey, curve, nil, time.Now().Add(time.Hour))
	s := start(t, sandbox.Options{Certificates: []*x509.Certificate{own, old, elliptical}})
	s.Credentials().Keys().AddSubject("mail.contoso.example", authority)
	chain := func(c *x509.Certificate) func(*claim) {
		return func(a *claim) {
			a.header = map[string]any{"x5t#S256": sha256Of(c), "x5c": []string{base64.StdEncoding.EncodeToString(c.Raw)}}
		}
	}
	replace := func(name string, value any) func(*claim) { return func(a *claim) { a.claims[name] = value } }
	for name, tt := range map[string]struct {
		change func(*claim)
		aadsts int
		text   string // a part of it
	}{
		"PS256 and SHA-256": {func(*claim) {}, 0, ""},
		"RS256 and SHA-1": {func(a *claim) {
			a.method, a.header = jwt.SigningMethodRS256, map[string]any{"x5t": sha1Of(own)}
		}, 0, ""},
		"the issuer as audience": {replace("aud", s.URL()+"/"+s.TenantID()+"/v2.0"), 0, ""},
		"a trusted subject":      {chain(issued), 0, ""},

		"not registered": {func(a *claim) { a.header["x5t#S256"] = sha256Of(unknown) }, 700027,
			"[Reason - The key was not found., Thumbprint of key used by client: '"},
		"another subject":          {chain(stranger), 700027, "The key was not found."},
		"a trusted one that ended": {chain(ended), 1000502, "not within its specified validity window"},
		"expired":                  {func(a *claim) { a.header["x5t#S256"] = sha256Of(old) }, 700027, "The key used is expired., Thumbprint of key used by client: '"},
		"another key":              {func(a *claim) { a.key = otherKey() }, 700027, "Key was found, but use of the key to verify the signature failed."},
		"an EC key": {func(a *claim) {
			a.method, a.key, a.header = jwt.SigningMethodES256, curve, map[string]any{"x5t#S256": sha256Of(elliptical)}
		}, 5002738, "'ES256' is not a supported signature algorithm"},
		"the secret as key":     {func(a *claim) { a.method, a.key = jwt.SigningMethodHS256, []byte(s.ClientSecret()) }, 5002738, "'HS256'"},
		"no signature":          {func(a *claim) { a.method, a.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType }, 5002738, "'none'"},
		"no thumbprint":         {func(a *claim) { a.header = nil }, 50027, "No certificate thumbprint specified in token header."},
		"another type":          {func(a *claim) { a.header["typ"] = "at+jwt" }, 5002727, "Invalid JWT header type"},
		"another audience":      {replace("aud", s.URL()+"/"+rand.Text()+"/oauth2/v2.0/token"), 700023, "audience claim does not match Realm issuer"},
		"another client":        {replace("iss", rand.Text()), 700021, "doesn't match 'client_id' parameter"},
		"another subject claim": {replace("sub", rand.Text()), 700021, "doesn't match 'client_id' parameter"},
		"too late":              {replace("exp", time.Now().Add(-6*time.Minute).Unix()), 700024, "Client assertion is not within its valid time range. Current time: "},
		"too early":             {replace("nbf", time.Now().Add(6*time.Minute).Unix()), 700024, "Client assertion is not within its valid time range."},
		"no end":                {replace("exp", nil), 700024, "not within its valid time range"},
		"no jti":                {replace("jti", ""), 50027, "'jti' is missing"},
	} {
		a := right(s, own)
		tt.change(a)
		if aadsts, text := prove(t, s, a.sign(t)); aadsts != tt.aadsts || !strings.Contains(text, tt.text) {
			t.Errorf("%s: %d %s; want %d %s", name, aadsts, text, tt.aadsts, tt.text)
		}
	}
	once := right(s, own).sign(t)
	for i, want := range []int{0, 50027} {
		if aadsts, text := prove(t, s, once); aadsts != want {
			t.Errorf("request %d with one jti: %d %s, want %d", i+1, aadsts, text, want)
		}
	}
}

func TestFederatedCredentials(t *testing.T) {
	s := start(t, sandbox.Options{})
	for name, tt := range map[string]struct {
		claims idissuer.Claims
		aadsts int
		text   string
	}{
		"right":            {idissuer.Claims{Subject: idissuer.SubjectGitHub}, 0, ""},
		"another issuer":   {idissuer.Claims{Issuer: "https://token.actions.githubusercontent.com"}, 700211, "presented assertion issuer 'https://token.actions.githubusercontent.com'"},
		"another subject":  {idissuer.Claims{Subject: "repo:Contoso/reports:ref:refs/heads/main"}, 700213, "presented assertion subject 'repo:Contoso/reports:ref:refs/heads/main'"},
		"another audience": {idissuer.Claims{Subject: idissuer.SubjectGitHub, Audience: "https://github.com/contoso"}, 700212, "presented assertion audience 'https://github.com/contoso'"},
		"too late":         {idissuer.Claims{Subject: idissuer.SubjectGitHub, Life: -6 * time.Minute}, 700024, "not within its valid time range"},
	} {
		token, err := s.Credentials().Issuer().Token(tt.claims)
		if err != nil {
			t.Fatal(err)
		}
		if aadsts, text := prove(t, s, token); aadsts != tt.aadsts || !strings.Contains(text, tt.text) {
			t.Errorf("%s: %d %s; want %d %s", name, aadsts, text, tt.aadsts, tt.text)
		}
	}
	forged := &claim{method: jwt.SigningMethodRS256, key: otherKey(), claims: jwt.MapClaims{
		"iss": s.Credentials().Issuer().URL(), "sub": idissuer.SubjectGitHub, "aud": idissuer.Audience, "exp": time.Now().Add(time.Minute).Unix(),
	}}
	if aadsts, text := prove(t, s, forged.sign(t)); aadsts != 50013 {
		t.Errorf("forged: %d %s", aadsts, text)
	}
	for _, k := range s.Credentials().Keys().Of(keyring.KindFederated) {
		if err := s.Credentials().Keys().Remove(k.ID); err != nil {
			t.Error(err)
		}
	}
	token, err := s.Credentials().Issuer().Token(idissuer.Claims{Subject: idissuer.SubjectGitHub})
	if err != nil {
		t.Fatal(err)
	}
	if aadsts, text := prove(t, s, token); aadsts != 70025 {
		t.Errorf("no federated credential: %d %s", aadsts, text)
	}
}

// The issuer can be verified by others: what its discovery names verifies its tokens.
func TestIssuerIsAnOpenIDProvider(t *testing.T) {
	s := start(t, sandbox.Options{})
	var configuration struct {
		Issuer string
		JWKS   string `json:"jwks_uri"`
	}
	get(t, s, s.Credentials().Issuer().URL()+"/.well-known/openid-configuration", &configuration)
	var set struct {
		Keys []struct{ Kty, Alg, Kid, N, E string }
	}
	get(t, s, configuration.JWKS, &set)
	if configuration.Issuer != s.Credentials().Issuer().URL() || len(set.Keys) != 1 || set.Keys[0].Alg != "RS256" {
		t.Fatalf("%+v, %+v", configuration, set)
	}
	n, err := base64.RawURLEncoding.DecodeString(set.Keys[0].N)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Credentials().Issuer().Token(idissuer.Claims{Subject: "x"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Parse(text, func(*jwt.Token) (any, error) {
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, nil
	})
	if err != nil || token.Header["kid"] != set.Keys[0].Kid {
		t.Errorf("%v, %v", token, err)
	}
}

// ask makes a request of JSON, and returns status and body.
func ask(t testing.TB, s *sandbox.Sandbox, method, path string, body any) (int, map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := httpClient(t, s).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got map[string]any
	_ = json.NewDecoder(response.Body).Decode(&got) // errors are texts
	return response.StatusCode, got
}

// Credentials are added, ended and removed while the sandbox runs.
func TestCredentialsChange(t *testing.T) {
	s := start(t, sandbox.Options{})
	answers := func(secret string) int {
		var got struct {
			Codes []int `json:"error_codes"`
		}
		if err := json.Unmarshal([]byte(post(t, s, s.TenantID(), form(s, "client_secret", secret)).body), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Codes) == 0 {
			return 0
		}
		return got.Codes[0]
	}
	status, second := ask(t, s, http.MethodPost, "/api/credentials", map[string]string{"secret": "the second secret"})
	id, _ := second["id"].(string)
	if status != http.StatusCreated || id == "" || second["hint"] != "the" || second["secret"] != nil {
		t.Fatalf("%d %v", status, second)
	}
	if first, next := answers(s.ClientSecret()), answers("the second secret"); first != 0 || next != 0 {
		t.Errorf("both are registered: %d, %d", first, next)
	}
	if status, got := ask(t, s, http.MethodGet, "/api/credentials", nil); status != http.StatusOK || got["registration_id"] != s.Credentials().Application().RegistrationID() {
		t.Errorf("list: %d %v", status, got)
	}
	first := s.Credentials().Keys().Keys()[0].ID
	if status, _ := ask(t, s, http.MethodPost, "/api/credentials/"+first+"/expire", nil); status != http.StatusNoContent || answers(s.ClientSecret()) != 7000222 {
		t.Errorf("expired: %d, AADSTS%d", status, answers(s.ClientSecret()))
	}
	if status, _ := ask(t, s, http.MethodDelete, "/api/credentials/"+id, nil); status != http.StatusNoContent || answers("the second secret") != 7000215 {
		t.Errorf("removed: %d, AADSTS%d", status, answers("the second secret"))
	}
	own := certificate(t, "own", &signingKey().PublicKey, signingKey(), nil, time.Now().Add(time.Hour))
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw}))
	if status, got := ask(t, s, http.MethodPost, "/api/credentials", map[string]string{"certificate": text}); status != http.StatusCreated || len(got["thumbprint"].(string)) != 40 {
		t.Errorf("certificate: %d %v", status, got)
	}
	if aadsts, text := prove(t, s, right(s, own).sign(t)); aadsts != 0 {
		t.Errorf("%d %s", aadsts, text)
	}
	for body, want := range map[string]int{`{"certificate":"x"}`: 400, `{}`: 400, `{"colour":1}`: 400} {
		if status, got := ask(t, s, http.MethodPost, "/api/credentials", json.RawMessage(body)); status != want {
			t.Errorf("%s: %d %v", body, status, got)
		}
	}
	if status, _ := ask(t, s, http.MethodDelete, "/api/credentials/"+id, nil); status != http.StatusNotFound {
		t.Errorf("removed twice: %d", status)
	}
}
