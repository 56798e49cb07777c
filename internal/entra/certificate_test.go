package entra_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// source asks e with a credential.
func source(e *endpoint, c entra.Credential) *entra.Source {
	roots := x509.NewCertPool()
	roots.AddCert(e.Server.Certificate())
	return entra.New(entra.Options{
		TokenURL: e.URL + "/tenant/oauth2/v2.0/token", ClientID: clientID, Scopes: []string{scope}, Credential: c,
		HTTPClient: entra.NewHTTPClient(roots, noProxy),
	})
}

// refuse answers in JSON, and lets a retry follow at once.
func refuse(status int, body string) http.HandlerFunc { return answer(status, body, isJSON, atOnce) }

// newPair is a pair in a file, as accounts have it.
func newPair(t *testing.T) *keypair.Pair {
	t.Helper()
	made, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "pair.pem")
	if err := os.WriteFile(name, []byte(made.PEM().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := keypair.Open(t.Context(), keypair.Files{Certificate: name})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// assertion is a JWT as RFC 7515 has it, verified without the library that signed it.
type assertion struct {
	header struct {
		Alg, Typ string
		Print    string   `json:"x5t#S256"`
		Chain    []string `json:"x5c"`
	}
	claims struct {
		Aud           any
		Iss, Sub, Jti string
		Nbf, Iat, Exp float64
	}
}

func verified(t *testing.T, text string, public *rsa.PublicKey) (a assertion) {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	decode := func(part string) []byte {
		data, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := errors.Join(json.Unmarshal(decode(parts[0]), &a.header), json.Unmarshal(decode(parts[1]), &a.claims)); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPSS(public, crypto.SHA256, digest[:], decode(parts[2]), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
		t.Errorf("signature: %v", err)
	}
	return a
}

func TestAssertionIsWhatMicrosoftDescribes(t *testing.T) {
	pair := newPair(t)
	leaf := pair.Certificate()
	public := leaf.PublicKey.(*rsa.PublicKey)
	print256 := sha256.Sum256(leaf.Raw)
	const tokenURL = "https://login.example/tenant/oauth2/v2.0/token"
	ids := map[string]bool{}
	for _, withChain := range []bool{false, true, false} {
		params, err := entra.Certificate(pair, withChain).Params(t.Context(), clientID, tokenURL)
		if err != nil || params.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || len(params) != 2 {
			t.Fatalf("%v, %v", params, err)
		}
		a := verified(t, params.Get("client_assertion"), public)
		if a.header.Alg != "PS256" || a.header.Typ != "JWT" || a.header.Print != base64.RawURLEncoding.EncodeToString(print256[:]) {
			t.Errorf("header %+v", a.header)
		}
		if withChain != (len(a.header.Chain) == 1 && a.header.Chain[0] == base64.StdEncoding.EncodeToString(leaf.Raw)) {
			t.Errorf("with chain %v: %d certificates", withChain, len(a.header.Chain))
		}
		c, now := a.claims, float64(time.Now().Unix())
		if aud, _ := json.Marshal(c.Aud); !strings.Contains(string(aud), `"`+tokenURL+`"`) || c.Iss != clientID || c.Sub != clientID {
			t.Errorf("claims %+v", c)
		}
		if c.Exp-c.Nbf != 600 || c.Iat != c.Nbf || math.Abs(now-c.Nbf) > 60 || c.Jti == "" || ids[c.Jti] {
			t.Errorf("times and ID %+v", c)
		}
		ids[c.Jti] = true
	}
}

func TestEachRequestHasAnAssertionOfItsOwn(t *testing.T) {
	e := newEndpoint(t, refuse(503, `{}`), answer(200, goodAnswer))
	token, err := source(e, entra.Certificate(newPair(t), false)).Token(t.Context())
	if err != nil || token.AccessToken != "tok-1" {
		t.Fatal(err)
	}
	if len(e.requests()) != 2 || e.requests()[0].Get("client_assertion") == e.requests()[1].Get("client_assertion") || e.requests()[0].Has("client_secret") {
		t.Errorf("forms %v", e.requests())
	}
}

// TestRefusedCertificateIsNamed: both thumbprints are there, the assertion is not, even
// when an endpoint repeats it.
func TestRefusedCertificateIsNamed(t *testing.T) {
	pair := newPair(t)
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		refuse(401, `{"error":"invalid_client","error_description":"AADSTS700027: not registered `+r.PostFormValue("client_assertion")+`","error_codes":[700027]}`)(w, r)
	})
	_, err := source(e, entra.Certificate(pair, false)).Token(t.Context())
	refused, ok := errors.AsType[*entra.Error](err)
	if !ok || refused.Presented == nil {
		t.Fatal(err)
	}
	short, long := keypair.Thumbprints(pair.Certificate())
	if p := refused.Presented; p.Thumbprint != short || p.ThumbprintSHA256 != long || !p.Ends.Equal(pair.Certificate().NotAfter) || !strings.Contains(p.Note(), "behind the endpoint's") {
		t.Errorf("%+v", p)
	}
	sent := e.requests()[0].Get("client_assertion")
	data, _ := json.Marshal(refused)
	for _, text := range []string{err.Error(), string(data)} {
		if strings.Contains(text, sent[len(sent)-40:]) {
			t.Errorf("the signature is in %s", text)
		}
	}
	restored, _ := errors.AsType[*entra.Error](entra.RestoreError(data))
	if restored == nil || *restored.Presented != *refused.Presented {
		t.Errorf("a remembered refusal says %+v", restored)
	}
}

func TestPairThatEntraRefusesIsNotSent(t *testing.T) {
	e := newEndpoint(t, answer(200, goodAnswer))
	other := newPair(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	if err := errors.Join(os.WriteFile(cert, newPair(t).CertificatePEM(), 0o600), os.WriteFile(key, []byte(other.PEM().Reveal()), 0o600)); err != nil {
		t.Fatal(err)
	}
	pair, err := keypair.Open(t.Context(), keypair.Files{Certificate: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source(e, entra.Certificate(pair, false)).Token(t.Context()); !errors.Is(err, keypair.ErrNotItsKey) {
		t.Error(err)
	}
	if len(e.requests()) != 0 {
		t.Error("it was sent")
	}
}

func TestFederatedTokenIsSentUnchangedAndNew(t *testing.T) {
	n := 0
	e := newEndpoint(t, refuse(503, `{}`), answer(200, goodAnswer))
	get := func(context.Context) (secret.String, error) {
		n++
		return secret.New(strings.Repeat("t", n) + ".a.b"), nil
	}
	if _, err := source(e, entra.Federated(get)).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e.requests()[0].Get("client_assertion") != "t.a.b" || e.requests()[1].Get("client_assertion") != "tt.a.b" {
		t.Errorf("%v", e.requests())
	}
	_, err := source(e, entra.Federated(func(context.Context) (secret.String, error) { return secret.String{}, nil })).Token(t.Context())
	absent, ok := errors.AsType[*entra.FederatedError](err)
	if !ok || absent.Fault() != smtp.FaultFederatedToken || !strings.Contains(err.Error(), "the federated token is empty") {
		t.Error(err)
	}
	_, err = source(e, entra.Federated(func(context.Context) (secret.String, error) {
		return secret.String{}, &idtoken.Error{Err: errors.New("cannot be had"), Temporary: true}
	})).Token(t.Context())
	if got := diagnosis.FaultOf(err); got != smtp.FaultFederatedTrouble {
		t.Errorf("trouble of a CI system is %s: %v", got, err)
	}
}

func TestRefusedFederatedTokenShowsItsClaims(t *testing.T) {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	token := part(`{"alg":"RS256"}`) + "." + part(`{"iss":"https://token.actions.githubusercontent.com","sub":"repo:a/b:ref:x","aud":"api://x","exp":1}`) + ".c2lnbmF0dXJl"
	e := newEndpoint(t, refuse(401, `{"error":"invalid_client","error_description":"AADSTS700213: No matching","error_codes":[700213]}`))
	_, err := source(e, entra.Federated(func(context.Context) (secret.String, error) { return secret.New(token), nil })).Token(t.Context())
	refused, ok := errors.AsType[*entra.Error](err)
	if !ok || refused.Presented == nil || refused.Presented.Subject != "repo:a/b:ref:x" || refused.Presented.Audience != "api://x" {
		t.Fatalf("%v", err)
	}
	if note := refused.Presented.Note(); !strings.Contains(note, "It ended at 1970-01-01T00:00:01Z.") {
		t.Error(note)
	}
}

// bySecret refuses every secret but those.
func bySecret(good ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, s := range good {
			if r.PostFormValue("client_secret") == s {
				answer(200, goodAnswer)(w, r)
				return
			}
		}
		refuse(401, `{"error":"invalid_client","error_description":"AADSTS7000222: expired","error_codes":[7000222]}`)(w, r)
	}
}

func of(value string) func() (entra.Credential, error) {
	return func() (entra.Credential, error) {
		if value == "" {
			return nil, nil
		}
		return entra.Secret(secret.New(value)), nil
	}
}

func TestSuccessionUsesTheNextWithOneWarning(t *testing.T) {
	e := newEndpoint(t, bySecret("second~secret"))
	var mu sync.Mutex
	var warnings []*entra.Error
	s := source(e, entra.NewSuccession(entra.Secret(secret.New("first~secret")), of("second~secret"), func(refused *entra.Error) {
		mu.Lock()
		defer mu.Unlock()
		warnings = append(warnings, refused)
	}))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(warnings) != 1 || warnings[0].AADSTS[0] != 7000222 {
		t.Errorf("warnings %v", warnings)
	}
	before := len(e.requests())
	if _, err := s.Token(t.Context()); err != nil || len(e.requests()) != before+1 {
		t.Errorf("%v, %d requests", err, len(e.requests())-before)
	}
}

func TestSuccessionAsksEachOnceWhenAllAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		next     func() (entra.Credential, error)
		requests int
		want     string
	}{
		"none":      {of(""), 1, "AADSTS7000222"},
		"refused":   {of("second~secret"), 2, "AADSTS7000222"},
		"the same":  {of("first~secret"), 1, "AADSTS7000222"},
		"no longer": {func() (entra.Credential, error) { return nil, os.ErrPermission }, 1, "the next credential cannot be used: permission denied"},
	} {
		e := newEndpoint(t, bySecret())
		warned := 0
		s := source(e, entra.NewSuccession(entra.Secret(secret.New("first~secret")), tt.next, func(*entra.Error) { warned++ }))
		for round := 1; round <= 2; round++ {
			_, err := s.Token(t.Context())
			if refused, ok := errors.AsType[*entra.Error](err); !ok || !refused.Refusal() || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v", name, err)
			}
			if len(e.requests()) != round*tt.requests {
				t.Errorf("%s: %d requests in round %d", name, len(e.requests()), round)
			}
		}
		if name != "refused" && warned > 0 {
			t.Errorf("%s: %d warnings", name, warned)
		}
	}
}

func TestOnlyWrongAndExpiredCredentialsAreFollowed(t *testing.T) {
	e := newEndpoint(t, refuse(400, `{"error":"unauthorized_client","error_description":"AADSTS700016: no application","error_codes":[700016]}`))
	s := source(e, entra.NewSuccession(entra.Secret(secret.New("first~secret")), of("second~secret"), func(*entra.Error) { t.Error("warned") }))
	if _, err := s.Token(t.Context()); err == nil || len(e.requests()) != 1 {
		t.Errorf("%v, %d requests", err, len(e.requests()))
	}
}

func TestFingerprints(t *testing.T) {
	one, two := newPair(t), newPair(t)
	if entra.Certificate(one, false).Fingerprint() != entra.Certificate(one, true).Fingerprint() {
		t.Error("of one key there are two")
	}
	if entra.Certificate(one, false).Fingerprint() == entra.Certificate(two, false).Fingerprint() {
		t.Error("two keys have one")
	}
	if entra.Federated(nil).Fingerprint() != [32]byte{} {
		t.Error("a federated token has one")
	}
	if _, err := x509.ParsePKCS8PrivateKey([]byte(one.Key().Reveal())); err != nil {
		t.Error(err)
	}
}
