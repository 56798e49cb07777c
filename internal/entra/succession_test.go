package entra_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// knowing answers token requests with the secrets that it knows.
func knowing(t *testing.T, known map[string]bool) (entra.Options, *[]string) {
	t.Helper()
	asked := &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := r.FormValue("client_secret")
		*asked = append(*asked, value)
		w.Header().Set("Content-Type", "application/json")
		if !known[value] {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"token-` + value + `","expires_in":3599,"token_type":"Bearer"}`))
	}))
	t.Cleanup(server.Close)
	return entra.Options{TokenURL: server.URL, ClientID: "client", Scopes: []string{"s/.default"}}, asked
}

// TestRenewableSeesWhatChanges: what takes a refused one's place is looked for each time,
// one that is refused as well is not kept, and the one in use is not asked for twice.
func TestRenewableSeesWhatChanges(t *testing.T) {
	known := map[string]bool{"first": true}
	o, asked := knowing(t, known)
	places := []string{"first"}
	var taken []string
	o.Credential = entra.NewRenewable(entra.Secret(secret.New("first")), func() ([]entra.Credential, error) {
		var list []entra.Credential
		for _, p := range places {
			list = append(list, entra.Secret(secret.New(p)))
		}
		return list, nil
	}, func(c entra.Credential, refused *entra.Error) {
		params, _ := c.Params(t.Context(), "", "")
		taken = append(taken, params.Get("client_secret"))
	})
	source := entra.New(o)
	get := func(want string) {
		t.Helper()
		token, err := source.Token(t.Context())
		switch {
		case want == "" && err == nil:
			t.Fatalf("got %s", token.AccessToken)
		case want != "" && (err != nil || token.AccessToken != "token-"+want):
			t.Fatalf("got %v, %v, want that of %s; asked with %v", token, err, want, *asked)
		}
	}
	get("first")
	delete(known, "first")
	get("") // there is no other one yet
	places = append(places, "second")
	get("") // which Entra ID does not know yet
	known["second"] = true
	get("second")
	delete(known, "second")
	known["third"] = true
	places = []string{"third"}
	get("third")
	if len(taken) != 2 || taken[0] != "second" || taken[1] != "third" {
		t.Errorf("taken: %v", taken)
	}
	if n := len(*asked); n != 8 {
		t.Errorf("%d requests: %v", n, *asked)
	}
}

func TestSuccessionSaysWhyTheNextCannotBeUsed(t *testing.T) {
	o, _ := knowing(t, nil)
	unreadable := errors.New("unreadable")
	calls := 0
	o.Credential = entra.NewSuccession(entra.Secret(secret.New("first")), func() (entra.Credential, error) {
		calls++
		return nil, unreadable
	}, func(*entra.Error) { t.Error("used") })
	source := entra.New(o)
	for range 2 {
		_, err := source.Token(t.Context())
		var refused *entra.Error
		if !errors.Is(err, unreadable) || !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("next was called %d times", calls)
	}
}

// TestSuccessionSaysWhichIsRefused: the words of Entra ID are the same for both.
func TestSuccessionSaysWhichIsRefused(t *testing.T) {
	o, _ := knowing(t, nil)
	o.Credential = entra.NewSuccession(entra.Secret(secret.New("first")), func() (entra.Credential, error) { return entra.Secret(secret.New("next")), nil },
		func(*entra.Error) { t.Error("used") })
	_, err := entra.New(o).Token(t.Context())
	refused, ok := errors.AsType[*entra.Error](err)
	if !ok || !refused.RefusesCredential() || !strings.Contains(err.Error(), "(AADSTS7000215), and so was the next one: ") {
		t.Errorf("got %v", err)
	}
}

// plain is a credential that cannot be compared.
type plain struct{ form func() url.Values }

func (p plain) Params(context.Context, string, string) (url.Values, error) { return p.form(), nil }
func (plain) Fingerprint() [32]byte                                        { return [32]byte{} }

func TestSuccessionTakesEveryKindOfCredential(t *testing.T) {
	o, _ := knowing(t, map[string]bool{"next": true})
	first := plain{func() url.Values { return url.Values{"client_secret": {"first"}} }}
	used := 0
	o.Credential = entra.NewSuccession(first, func() (entra.Credential, error) { return entra.Secret(secret.New("next")), nil }, func(*entra.Error) { used++ })
	source := entra.New(o)
	for range 2 {
		if token, err := source.Token(t.Context()); err != nil || token.AccessToken != "token-next" {
			t.Errorf("got %v, %v", token, err)
		}
	}
	if used != 1 {
		t.Errorf("told %d times", used)
	}
}

// TestRefusalsOfACredential: the numbers that the catalogue of failures has for a secret or
// a certificate that another one may replace, and those of what no other one helps.
func TestRefusalsOfACredential(t *testing.T) {
	for number, want := range map[int]bool{
		7000215: true, 7000222: true, 700027: true, 700030: true, 1000502: true, 50012: true,
		700016: false, 7000112: false, 700213: false, 700024: false, 90033: false, 50196: false,
	} {
		refused := &entra.Error{HTTPStatus: 401, Code: "invalid_client", AADSTS: []int{number}}
		if got := refused.RefusesCredential(); got != want {
			t.Errorf("AADSTS%d: %v", number, got)
		}
	}
}
