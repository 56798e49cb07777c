package graph_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/secret"
)

func pair(t *testing.T) *keypair.Pair {
	t.Helper()
	p, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start is a sandbox where the application has one certificate, and a client of it.
func start(t *testing.T, o sandbox.Options, p *keypair.Pair) (*sandbox.Sandbox, *graph.Client) {
	t.Helper()
	box, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	if _, err := box.Credentials().Application().AddCertificate(p.Certificate().Raw); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(box.CAPEM())
	client := entra.NewHTTPClient(roots, nil)
	source := entra.New(entra.Options{
		TokenURL: strings.ReplaceAll(box.TokenEndpoint(), "#TenantID#", box.TenantID()), ClientID: box.ClientID(),
		Credential: entra.Certificate(p, false), Scopes: []string{"https://graph.microsoft.com/.default"}, HTTPClient: client,
	})
	return box, &graph.Client{Base: box.URL(), HTTP: client, Token: func(ctx context.Context) (secret.String, error) {
		token, err := source.Token(ctx)
		if err != nil {
			return secret.String{}, err
		}
		return secret.New(token.AccessToken), nil
	}}
}

func TestAddAndRemoveKey(t *testing.T) {
	first, second := pair(t), pair(t)
	box, client := start(t, sandbox.Options{}, first)
	object := box.Credentials().Application().RegistrationID()
	id, err := client.AddKey(t.Context(), object, first, second.Certificate())
	registered := box.Credentials().Application().Certificates()
	if err != nil || len(registered) != 2 || registered[1].KeyID != id {
		t.Fatalf("%q, %v; registered: %v", id, err, registered)
	}
	if err := client.RemoveKey(t.Context(), object, second, registered[0].KeyID); err != nil {
		t.Fatal(err)
	}
	if left := box.Credentials().Application().Certificates(); len(left) != 1 || left[0].KeyID != id {
		t.Errorf("left: %v", left)
	}
}

func TestGraphRefuses(t *testing.T) {
	first, second := pair(t), pair(t)
	box, client := start(t, sandbox.Options{}, first)
	object := box.Credentials().Application().RegistrationID()
	add := func(object string, signer *keypair.Pair) error {
		_, err := client.AddKey(t.Context(), object, signer, second.Certificate())
		return err
	}
	for name, tt := range map[string]struct {
		err   error
		code  string
		named string // in the catalogue of failures
	}{
		"a proof by another key":               {add(object, second), "Authentication_MissingOrMalformed", "graph-proof-refused"},
		"another application":                  {add(tenant.NewGUID(), first), "Request_ResourceNotFound", "graph-object-unknown"},
		"a key that is gone":                   {client.RemoveKey(t.Context(), object, first, tenant.NewGUID()), "Request_BadRequest", "graph-refused"},
		"the application without a permission": {func() error { _, _, err := client.Application(t.Context(), box.ClientID()); return err }(), "Authorization_RequestDenied", "graph-permission-missing"},
	} {
		var refused *graph.Error
		if !errors.As(tt.err, &refused) || refused.Code != tt.code || refused.Message == "" || refused.RequestID == "" {
			t.Errorf("%s: %v", name, tt.err)
			continue
		}
		if found := diagnosis.Find(refused.Symptom(), diagnosis.Facts{}); found.Code != tt.named {
			t.Errorf("%s is named %s, want %s", name, found.Code, tt.named)
		}
	}
	if n := len(box.Credentials().Application().Certificates()); n != 1 {
		t.Errorf("%d certificates", n)
	}
}

func TestApplicationWithThePermission(t *testing.T) {
	first := pair(t)
	scenario := tenant.DefaultScenario()
	scenario.Applications[0].GraphRoles = []string{"Application.Read.All"}
	box, client := start(t, sandbox.Options{Scenario: scenario}, first)
	object, keys, err := client.Application(t.Context(), box.ClientID())
	sum := sha1.Sum(first.Certificate().Raw)
	if err != nil || object != box.Credentials().Application().RegistrationID() || len(keys) != 1 || !bytes.Equal(keys[0].Thumbprint, sum[:]) {
		t.Errorf("%s, %v, %v", object, keys, err)
	}
}

// TestGraphRepeatsATokenInPart, in another form, or with what no one sees between.
func TestGraphRepeatsATokenInPart(t *testing.T) {
	first := pair(t)
	var sent []string
	repeat := func(s string) []string {
		unseen := ""
		for i := 0; i < len(s); i += 4 {
			unseen += s[i:min(i+4, len(s))] + "\u200b"
		}
		return []string{s[len(s)-40:], strings.ToUpper(s[20:60]), base64.StdEncoding.EncodeToString([]byte(s))[:100], unseen[100:200]}
	}
	_, client := start(t, sandbox.Options{GraphHook: func(w http.ResponseWriter, r *http.Request) bool {
		var body struct{ Proof string }
		_ = json.NewDecoder(r.Body).Decode(&body) // an empty one is seen below
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		sent = append(sent, token, body.Proof)
		var answer struct {
			Error struct{ Code, Message string } `json:"error"`
		}
		answer.Error.Code, answer.Error.Message = strings.Join(repeat(body.Proof), " "), strings.Join(repeat(token), " ")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(answer)
		return true
	}}, first)
	_, err := client.AddKey(t.Context(), "id", first, first.Certificate())
	if err == nil || len(sent) != 2 || len(sent[0]) < 100 || len(sent[1]) < 100 {
		t.Fatalf("%v, %d", err, len(sent))
	}
	for _, s := range sent {
		for _, form := range append(secret.Writings(s), strings.ToUpper(s)) {
			for i := range len(form) - 12 {
				if strings.Contains(err.Error(), form[i:i+12]) {
					t.Fatalf("%s of a token is in: %v", form[i:i+12], err)
				}
			}
		}
	}
}

// TestWhatIsNotGraph: pages of others, redirects and endless answers.
func TestWhatIsNotGraph(t *testing.T) {
	first := pair(t)
	var answer http.HandlerFunc
	box, client := start(t, sandbox.Options{GraphHook: func(w http.ResponseWriter, r *http.Request) bool {
		answer(w, r)
		return true
	}}, first)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
		named  string // in the catalogue of failures
	}{
		"a page": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); w.Write([]byte("<html>\x1b[2J")) }, "Microsoft Graph refused addKey with HTTP 502", "graph-trouble"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, box.URL()+"/elsewhere", http.StatusTemporaryRedirect)
		}, "Microsoft Graph refused addKey with HTTP 307", "graph-refused"},
		"an endless answer": {func(w http.ResponseWriter, _ *http.Request) {
			for chunk := strings.Repeat("x", 1<<16); ; {
				if _, err := w.Write([]byte(chunk)); err != nil {
					return
				}
			}
		}, "Microsoft Graph: addKey: the answer is longer than 1 MiB", "graph-trouble"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hi")) }, "Microsoft Graph: addKey: the answer is not JSON of the expected form", "graph-trouble"},
		"its own token": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			w.Write([]byte(`{"error":{"code":"x","message":"` + r.Header.Get("Authorization") + `"}}`))
		}, "Microsoft Graph refused addKey with HTTP 400: x: Bearer [redacted]", "graph-refused"},
	} {
		answer = tt.answer
		_, err := client.AddKey(t.Context(), "id", first, first.Certificate())
		failed, ok := errors.AsType[*graph.Error](err)
		if !ok || err.Error() != tt.want {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if found := diagnosis.Find(failed.Symptom(), diagnosis.Facts{}); found.Code != tt.named {
			t.Errorf("%s is named %s, want %s", name, found.Code, tt.named)
		}
	}
	client.Base = strings.Replace(box.URL(), "https", "http", 1)
	if _, err := client.AddKey(t.Context(), "id", first, first.Certificate()); err == nil || !strings.Contains(err.Error(), "https://") {
		t.Errorf("in the clear: %v", err)
	}
}
