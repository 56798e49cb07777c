package entra_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientID     = "11111111-2222-3333-4444-555555555555"
	clientSecret = "abc8Q~needs+coding&=in a/form"
	scope        = "https://outlook.office365.com/.default"
	goodAnswer   = `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"tok-1"}`
)

// endpoint is a token endpoint behind TLS that answers each request with the
// next of its answers, and the last one for ever.
type endpoint struct {
	*httptest.Server
	mu      sync.Mutex
	answers []http.HandlerFunc // guarded by mu
	forms   []url.Values       // guarded by mu
}

func newEndpoint(t *testing.T, answers ...http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{answers: answers}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(e.serve))
	e.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that trusts nobody makes it write
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what cannot be read is missing in the form that the test compares
	e.mu.Lock()
	e.forms = append(e.forms, r.PostForm)
	answer := e.answers[0]
	if len(e.answers) > 1 {
		e.answers = e.answers[1:]
	}
	e.mu.Unlock()
	answer(w, r)
}

func (e *endpoint) requests() []url.Values {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.forms)
}

func (e *endpoint) source() *entra.Source {
	roots := x509.NewCertPool()
	roots.AddCert(e.Certificate())
	return entra.New(entra.Options{
		TokenURL: e.URL + "/tenant/oauth2/v2.0/token", ClientID: clientID, Scopes: []string{scope},
		Credential: entra.Secret(secret.New(clientSecret)),
		HTTPClient: entra.NewHTTPClient(roots, noProxy),
	})
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// answer writes status, headers ("Name: value") and body.
func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const isJSON = "Content-Type: application/json; charset=utf-8"

// atOnce lets a retry follow without a pause.
const atOnce = "Retry-After: 0"

func TestTokenPostsTheClientCredentialsForm(t *testing.T) {
	e := newEndpoint(t, answer(200, goodAnswer, isJSON))
	before := time.Now()
	token, err := e.source().Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token.AccessToken != "tok-1" || token.Type() != "Bearer" {
		t.Errorf("token = %q of type %q", token.AccessToken, token.Type())
	}
	if life := token.Expiry.Sub(before); life < 3590*time.Second || life > 3610*time.Second {
		t.Errorf("life = %v, want 3599 s", life)
	}
	want := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {clientID},
		"client_secret": {clientSecret}, "scope": {scope},
	}
	if got := e.requests(); len(got) != 1 || got[0].Encode() != want.Encode() {
		t.Errorf("requests = %v, want one %v", got, want)
	}
}

func TestExpiresInComesInManyForms(t *testing.T) {
	for form, want := range map[string]time.Duration{
		`3599`: 3599 * time.Second, `"3599"`: 3599 * time.Second, `3599.0`: 3599 * time.Second, `"3599.9"`: 3599 * time.Second,
		`1e3`: 1000 * time.Second, `"86399"`: 86399 * time.Second, `9999999999`: (1<<31 - 1) * time.Second,
		`""`: 10 * time.Minute, `null`: 10 * time.Minute, `-5`: 10 * time.Minute, `-4294967295`: 10 * time.Minute,
		`0`: 10 * time.Minute, `"soon"`: 10 * time.Minute, `[1]`: 10 * time.Minute,
	} {
		e := newEndpoint(t, answer(200, `{"access_token":"tok-1","token_type":"Bearer","expires_in":`+form+`}`, isJSON))
		before := time.Now()
		token, err := e.source().Token(t.Context())
		if err != nil {
			t.Errorf("expires_in %s: %v", form, err)
			continue
		}
		if life := token.Expiry.Sub(before); life < want-time.Second || life > want+time.Minute {
			t.Errorf("expires_in %s: life = %v, want %v", form, life, want)
		}
	}
	e := newEndpoint(t, answer(200, `{"access_token":"tok-1","token_type":"Bearer"}`, "Content-Type: text/plain"))
	if token, err := e.source().Token(t.Context()); err != nil || time.Until(token.Expiry) > 10*time.Minute || time.Until(token.Expiry) < 9*time.Minute {
		t.Errorf("no expires_in, JSON as text/plain: %+v, %v", token, err)
	}
	e = newEndpoint(t, answer(200, "\ufeff"+goodAnswer, isJSON))
	if token, err := e.source().Token(t.Context()); err != nil || token.AccessToken != "tok-1" {
		t.Errorf("byte order mark: %+v, %v", token, err)
	}
}

const wrongSecret = `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. ` +
	`Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '` +
	clientID + `'.\r\nTrace ID: 5a2f0000-1111-2222-3333-444455556666\r\nCorrelation ID: 6b3f0000-1111-2222-3333-444455556666\r\n` +
	`Timestamp: 2026-11-22 08:15:30Z","error_codes":[7000215],"timestamp":"2026-11-22 08:15:30Z",` +
	`"trace_id":"5a2f0000-1111-2222-3333-444455556666","correlation_id":"6b3f0000-1111-2222-3333-444455556666",` +
	`"error_uri":"https://login.microsoftonline.com/error?code=7000215"}`

func TestRefusalKeepsWhatTheEndpointSaid(t *testing.T) {
	e := newEndpoint(t, answer(401, wrongSecret, isJSON))
	_, err := e.source().Token(t.Context())
	refused, ok := errors.AsType[*entra.Error](err)
	if !ok {
		t.Fatalf("err = %v, want *entra.Error", err)
	}
	if len(e.requests()) != 1 {
		t.Errorf("%d requests for a refusal, want 1", len(e.requests()))
	}
	got := fmt.Sprintln(refused.HTTPStatus, refused.Code, refused.AADSTS, refused.CorrelationID, refused.TraceID, refused.Timestamp, refused.Attempts)
	const want = "401 invalid_client [7000215] 6b3f0000-1111-2222-3333-444455556666 5a2f0000-1111-2222-3333-444455556666 2026-11-22 08:15:30Z 1\n"
	if got != want {
		t.Errorf("fields = %s\nwant     %s", got, want)
	}
	if want := "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + clientID + "'."; refused.Description != want {
		t.Errorf("Description = %q\nwant %q", refused.Description, want)
	}
	if want := "entra: token refused: AADSTS7000215: Invalid client secret provided (HTTP 401, invalid_client, correlation ID 6b3f0000-1111-2222-3333-444455556666, trace ID 5a2f0000-1111-2222-3333-444455556666, at 2026-11-22 08:15:30Z)"; err.Error() != want {
		t.Errorf("Error() = %s\nwant %s", err, want)
	}
	if !refused.Refusal() || refused.Transient() || refused.Throttled() {
		t.Errorf("Refusal, Transient, Throttled = %v, %v, %v", refused.Refusal(), refused.Transient(), refused.Throttled())
	}
}

func TestWhatIsNoRefusalIsTriedAgain(t *testing.T) {
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	for name, first := range map[string]http.HandlerFunc{
		"408": answer(408, "", atOnce), "429": answer(429, "Too Many Requests", "Content-Type: text/plain", atOnce),
		"500": answer(500, "<html>oops</html>", "Content-Type: text/html", atOnce), "503": answer(503, "", atOnce),
		"503 with OAuth error":  answer(503, `{"error":"invalid_client"}`, isJSON, atOnce),
		"403 of a proxy":        answer(403, "<html>Blocked by policy</html>", "Content-Type: text/html", atOnce),
		"200 of a portal":       answer(200, "<html>Log in to the Wi-Fi</html>", "Content-Type: text/html", atOnce),
		"200 empty":             answer(200, "", atOnce),
		"redirect":              answer(302, "", "Location: https://portal.example/", atOnce),
		"temporarily":           answer(400, `{"error":"temporarily_unavailable"}`, isJSON, atOnce),
		"directory not there":   answer(400, `{"error":"invalid_request","error_codes":[90033]}`, isJSON, atOnce),
		"directory by its text": answer(400, `{"error":"invalid_request","error_description":"AADSTS90033: busy"}`, isJSON, atOnce),
		"connection closed":     hangUp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, first, answer(200, goodAnswer, isJSON))
			token, err := e.source().Token(t.Context())
			if err != nil || token.AccessToken != "tok-1" {
				t.Errorf("Token = %v, %v, want the second answer's", token, err)
			}
			if n := len(e.requests()); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
		})
	}
}

func TestAnswersThatStayAsTheyAreAreNotAskedForAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		first http.HandlerFunc
		want  string
	}{
		"200 without a token":     {answer(200, `{"token_type":"Bearer"}`, isJSON), "sent no token but application/json"},
		"JSON of something else":  {answer(400, `{"message":"no"}`, isJSON), "sent no OAuth answer but application/json"},
		"error that is an object": {answer(400, `{"error":{"code":"x"}}`, isJSON), "sent no OAuth answer but application/json"},
		"token with a line end":   {answer(200, `{"access_token":"tok-1\n","token_type":"Bearer"}`, isJSON), "sent no usable token: xoauth2: token contains LF (HTTP 200)"},
		"token with a control":    {answer(200, `{"access_token":"tok\u0001-1","token_type":"Bearer"}`, isJSON), "sent no usable token: xoauth2: token contains ^A"},
		"token with words":        {answer(200, `{"access_token":"the tok-1","token_type":"Bearer"}`, isJSON), "sent no usable token: xoauth2: token contains a blank"},
		"token that has no end":   {answer(200, `{"access_token":"`+strings.Repeat("x", 70_000)+`","token_type":"Bearer"}`, isJSON), "sent no usable token: xoauth2: token is longer than 65536 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, tt.first, answer(200, goodAnswer, isJSON))
			token, err := e.source().Token(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "tok-1") {
				t.Errorf("Token = %v, %v, want %q", token, err, tt.want)
			}
			if n := len(e.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestFiveAttemptsAreAllThereAre(t *testing.T) {
	e := newEndpoint(t, answer(503, "<html><b>down</b>", "Content-Type: text/html", atOnce, "X-Ms-Request-Id: trace-7"))
	_, err := e.source().Token(t.Context())
	if n := len(e.requests()); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
	host := strings.TrimPrefix(e.URL, "https://")
	if want := "entra: " + host + " sent no OAuth answer but text/html (HTTP 503, 5 attempts, trace ID trace-7)"; err == nil || err.Error() != want {
		t.Errorf("Error() = %v\nwant %s", err, want)
	}
}

func TestRedirectDoesNotCarryTheSecretAway(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := newEndpoint(t, answer(200, goodAnswer, isJSON))
		e := newEndpoint(t, answer(status, "", "Location: "+elsewhere.URL, atOnce))
		if _, err := e.source().Token(t.Context()); err == nil {
			t.Errorf("HTTP %d gave a token", status)
		}
		if n := len(elsewhere.requests()); n != 0 {
			t.Errorf("HTTP %d was followed with %d requests", status, n)
		}
	}
}

func TestAnswerWithoutEndIsNotReadToItsEnd(t *testing.T) {
	e := newEndpoint(t, answer(200, strings.Repeat(" ", 1<<20)+goodAnswer, isJSON), answer(401, wrongSecret, isJSON))
	_, err := e.source().Token(t.Context())
	// The first answer counts as a fault of the network, the second ends it.
	if refused, ok := errors.AsType[*entra.Error](err); !ok || refused.Code != "invalid_client" || refused.Attempts != 2 {
		t.Errorf("err = %v", err)
	}
}

func TestUntrustedCertificateIsNotTriedAgain(t *testing.T) {
	e := newEndpoint(t, answer(200, goodAnswer, isJSON))
	s := entra.New(entra.Options{
		TokenURL: e.URL, ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
		HTTPClient: entra.NewHTTPClient(x509.NewCertPool(), noProxy),
	})
	_, err := s.Token(t.Context())
	unknown, ok := errors.AsType[x509.UnknownAuthorityError](err)
	if !ok || unknown.Cert == nil {
		t.Errorf("err = %v, want x509.UnknownAuthorityError", err)
	}
	if refused, ok := errors.AsType[*entra.Error](err); !ok || refused.Attempts != 1 || refused.Refusal() {
		t.Errorf("err = %#v", err)
	}
}

// TestOldTLSIsNotTriedAgain: no later request finds another version.
func TestOldTLSIsNotTriedAgain(t *testing.T) {
	e := httptest.NewUnstartedServer(answer(200, goodAnswer, isJSON))
	e.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	e.StartTLS()
	t.Cleanup(e.Close)
	s := entra.New(entra.Options{
		TokenURL: e.URL, ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
		HTTPClient: entra.NewHTTPClient(nil, noProxy),
	})
	_, err := s.Token(t.Context())
	if refused, ok := errors.AsType[*entra.Error](err); !ok || refused.Attempts != 1 || refused.Symptom().Fault != smtp.FaultTLSVersion {
		t.Errorf("err = %#v", err)
	}
}

func TestSecretIsNotSentInTheClear(t *testing.T) {
	for url, want := range map[string]string{
		"http://login.example/t/token": "entra: token endpoint at login.example is not reached by https",
		"ftp://login.example/t":        "entra: token endpoint at login.example is not reached by https",
		"login.example":                "entra: token endpoint is not a URL with a host",
		"https://%zz/":                 "entra: token endpoint is not a URL with a host",
	} {
		s := entra.New(entra.Options{TokenURL: url, Credential: entra.Secret(secret.New(clientSecret))})
		if _, err := s.Token(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
	plain := httptest.NewServer(answer(200, goodAnswer, isJSON))
	defer plain.Close()
	s := entra.New(entra.Options{TokenURL: plain.URL, Credential: entra.Secret(secret.New(clientSecret)), HTTPClient: entra.NewHTTPClient(nil, noProxy)})
	if _, err := s.Token(t.Context()); err != nil {
		t.Errorf("http on loopback: %v", err)
	}
}

// Endpoints and what stands before them repeat a form in whatever writing.
func TestNoErrorHoldsTheSecret(t *testing.T) {
	describe := func(text string) string {
		return fmt.Sprintf(`{"error":"invalid_client","error_description":%q}`, text)
	}
	const half = len(clientSecret) / 2
	for name, write := range map[string]func(form url.Values) (status int, body string){
		"as it is": func(url.Values) (int, string) { return 400, describe("got " + clientSecret) },
		"form":     func(form url.Values) (int, string) { return 400, describe(form.Encode()) },
		"base64": func(form url.Values) (int, string) {
			return 400, describe(base64.StdEncoding.EncodeToString([]byte(form.Encode() + " " + clientSecret)))
		},
		"two lines":    func(url.Values) (int, string) { return 400, describe(clientSecret[:half] + "\n" + clientSecret[half:]) },
		"page":         func(form url.Values) (int, string) { return 502, "cannot pass on " + form.Encode() },
		"escaped page": func(url.Values) (int, string) { return 502, "<p>" + html.EscapeString(clientSecret) },
		"end of what is kept": func(url.Values) (int, string) {
			return 502, strings.Repeat("x", 256-half) + " " + clientSecret
		},
		"JSON of its own": func(url.Values) (int, string) { return 400, fmt.Sprintf(`{"message":%q}`, clientSecret) },
	} {
		e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) {
			status, body := write(r.PostForm)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
		_, err := e.source().Token(t.Context())
		if err == nil {
			t.Fatal("no error")
		}
		said := fmt.Sprintf("%v %+v %#v", err, err, err)
		for i := range clientSecret[:len(clientSecret)-8] {
			if part := clientSecret[i : i+8]; strings.Contains(said, part) {
				t.Errorf("%s: the error holds %q: %s", name, part, said)
			}
		}
		if !strings.Contains(said, "[redacted]") {
			t.Errorf("%s: nothing was redacted: %s", name, said)
		}
	}
}

func TestAnswerThatMayHoldATokenIsNotQuoted(t *testing.T) {
	e := newEndpoint(t, answer(200, `{"token":"the-token"}`, isJSON))
	_, err := e.source().Token(t.Context())
	if said := fmt.Sprintf("%+v %#v", err, err); err == nil || strings.Contains(said, "the-token") {
		t.Errorf("got %s", said)
	}
}

func TestTokenEndsWithItsContext(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	e := newEndpoint(t, func(http.ResponseWriter, *http.Request) { close(arrived); <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := e.source().Token(ctx)
	if !errors.Is(err, context.Canceled) || len(e.requests()) != 1 {
		t.Errorf("err = %v after %d requests, want context.Canceled after 1", err, len(e.requests()))
	}
}

func TestCredentialThatFailsIsReported(t *testing.T) {
	e := newEndpoint(t, answer(200, goodAnswer, isJSON))
	s := entra.New(entra.Options{TokenURL: e.URL, ClientID: clientID, Credential: entra.Secret(secret.String{})})
	if _, err := s.Token(t.Context()); err == nil || err.Error() != "entra: making the client credential: client secret is empty" {
		t.Errorf("empty secret: %v", err)
	}
	s = entra.New(entra.Options{TokenURL: e.URL, ClientID: clientID})
	if _, err := s.Token(t.Context()); err == nil || err.Error() != "entra: no client credential" {
		t.Errorf("no credential: %v", err)
	}
	if len(e.requests()) != 0 {
		t.Errorf("%d requests, want none", len(e.requests()))
	}
}

func TestFingerprintTellsSecretsApart(t *testing.T) {
	a, again, b := entra.Secret(secret.New("secret-a")), entra.Secret(secret.New("secret-a")), entra.Secret(secret.New("secret-b"))
	if a.Fingerprint() != again.Fingerprint() || a.Fingerprint() == b.Fingerprint() {
		t.Error("fingerprints do not follow the secrets")
	}
	if entra.Secret(secret.String{}).Fingerprint() != [32]byte{} || a.Fingerprint() == [32]byte{} {
		t.Error("only the absent secret has the zero fingerprint")
	}
}
