package entra_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

const identityHeader = "header~of~the~host"

func fromHost(m entra.Elsewhere) *entra.Source {
	return entra.New(entra.Options{Elsewhere: m, Scopes: []string{scope}, HTTPClient: entra.NewHTTPClient(nil, noProxy)})
}

// host answers as a host's identity endpoint, and keeps what it was asked.
type host struct {
	*httptest.Server
	seen []*http.Request
}

func newHost(t *testing.T, handler http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.seen = append(h.seen, r)
		handler(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func TestEachHostIsAskedInItsWay(t *testing.T) {
	for name, tt := range map[string]struct {
		path             string
		identity         entra.ManagedIdentity
		wantPath, header string
		query            map[string]string
	}{
		"virtual machine":         {"", entra.ManagedIdentity{}, "/metadata/identity/oauth2/token", "", map[string]string{"api-version": "2018-02-01", "resource": "https://outlook.office365.com"}},
		"a machine's client id":   {"", entra.ManagedIdentity{Name: "client_id", Value: "id"}, "/metadata/identity/oauth2/token", "", map[string]string{"client_id": "id"}},
		"a machine's resource id": {"", entra.ManagedIdentity{Name: "msi_res_id", Value: "/sub/x"}, "/metadata/identity/oauth2/token", "", map[string]string{"msi_res_id": "/sub/x"}},
		"App Service":             {"/msi/token", entra.ManagedIdentity{Header: secret.New(identityHeader)}, "/msi/token", identityHeader, map[string]string{"api-version": "2019-08-01"}},
		"App Service's object id": {"/msi/token", entra.ManagedIdentity{Header: secret.New(identityHeader), Name: "object_id", Value: "o"}, "/msi/token", identityHeader, map[string]string{"principal_id": "o"}},
		"App Service's resource":  {"/msi/token", entra.ManagedIdentity{Header: secret.New(identityHeader), Name: "msi_res_id", Value: "/r"}, "/msi/token", identityHeader, map[string]string{"mi_res_id": "/r"}},
	} {
		expires := time.Now().Add(20 * time.Hour).Truncate(time.Second)
		h := newHost(t, answer(200, fmt.Sprintf(`{"access_token":"tok-1","expires_on":"%d","resource":"x","token_type":"Bearer"}`, expires.Unix())))
		tt.identity.Endpoint = h.URL + tt.path
		token, err := fromHost(tt.identity).Token(t.Context())
		if err != nil || token.AccessToken != "tok-1" || !token.Expiry.Equal(expires) {
			t.Errorf("%s: %v, %v", name, token, err)
			continue
		}
		r := h.seen[0]
		isMetadata := r.Header.Get("Metadata") == "true"
		if r.Method != http.MethodGet || r.URL.Path != tt.wantPath || r.Header.Get("X-Identity-Header") != tt.header || isMetadata != (tt.header == "") {
			t.Errorf("%s: %s %s, %v", name, r.Method, r.URL, r.Header)
		}
		for key, want := range tt.query {
			if got := r.URL.Query().Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
	}
}

func TestWhatAHostSaysInPlaceOfAToken(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []http.HandlerFunc
		want    string // of the error; "" for a token
		asked   int
	}{
		"identity not found":  {[]http.HandlerFunc{answer(400, `{"error":"invalid_request","error_description":"Identity not found"}`, isJSON)}, "Identity not found", 1},
		"its own JSON":        {[]http.HandlerFunc{answer(400, `{"statusCode":400,"message":"Unable to load the proper Managed Identity."}`, isJSON)}, "Unable to load the proper Managed Identity", 1},
		"not ready, then is":  {[]http.HandlerFunc{answer(404, ``, atOnce), answer(410, ``, atOnce), answer(200, `{"access_token":"tok-1"}`)}, "", 3},
		"throttled, then not": {[]http.HandlerFunc{answer(429, ``, atOnce), answer(200, `{"access_token":"tok-1","expires_in":"3599"}`)}, "", 2},
		"a token of blanks":   {[]http.HandlerFunc{answer(200, `{"access_token":"a b"}`)}, "sent no usable token", 1},
		"no token":            {[]http.HandlerFunc{answer(200, `{"token":"abcdefghijklmnop"}`, isJSON)}, "sent no token but", 1},
		"a redirect":          {[]http.HandlerFunc{answer(302, ``, "Location: http://other.example/", atOnce)}, "a redirect", 5},
	} {
		n := 0
		h := newHost(t, func(w http.ResponseWriter, r *http.Request) { tt.answers[min(n, len(tt.answers)-1)](w, r); n++ })
		_, err := fromHost(entra.ManagedIdentity{Endpoint: h.URL}).Token(t.Context())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || len(h.seen) != tt.asked {
			t.Errorf("%s: %v after %d requests", name, err, len(h.seen))
		}
		if err != nil && strings.Contains(err.Error(), "abcdefghijklmnop") {
			t.Errorf("%s: the answer may hold a token: %v", name, err)
		}
	}
}

// unreachable is a network in which every request ends with an error.
type unreachable struct {
	err   error
	asked int
}

func (u *unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	u.asked++
	return nil, u.err
}

// TestSilentHostIsAskedTwice: each of these requests may take seconds.
func TestSilentHostIsAskedTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		asked int
	}{
		"no route":         {syscall.EHOSTUNREACH, 2},
		"no answer":        {os.ErrDeadlineExceeded, 2},
		"an agent's start": {syscall.ECONNREFUSED, 5},
	} {
		synctest.Test(t, func(t *testing.T) {
			network := &unreachable{err: tt.err}
			source := entra.New(entra.Options{Elsewhere: entra.ManagedIdentity{Endpoint: "http://169.254.169.254"}, Scopes: []string{scope}, HTTPClient: &http.Client{Transport: network}})
			_, err := source.Token(t.Context())
			var failed *entra.Error
			if !errors.As(err, &failed) || network.asked != tt.asked || failed.Attempts != tt.asked {
				t.Errorf("%s: %v after %d requests, want %d", name, err, network.asked, tt.asked)
			}
		})
	}
}

// TestHostCannotHaveItsHeaderQuoted: an endpoint that repeats what it got.
func TestHostCannotHaveItsHeaderQuoted(t *testing.T) {
	h := newHost(t, func(w http.ResponseWriter, r *http.Request) {
		answer(400, `{"error":"invalid_request","error_description":"bad header `+r.Header.Get("X-Identity-Header")+`"}`, isJSON)(w, r)
	})
	_, err := fromHost(entra.ManagedIdentity{Endpoint: h.URL, Header: secret.New(identityHeader)}).Token(t.Context())
	if err == nil || strings.Contains(err.Error(), identityHeader) || !strings.Contains(err.Error(), "bad header [redacted]") {
		t.Error(err)
	}
}

func TestEndpointOfAHostIsNear(t *testing.T) {
	for _, endpoint := range []string{"http://metadata.example", "http://10.0.0.1/x", "ftp://127.0.0.1", "", "127.0.0.1:1", "http://169.254.169.254.example"} {
		if _, err := fromHost(entra.ManagedIdentity{Endpoint: endpoint, Header: secret.New(identityHeader)}).Token(t.Context()); err == nil || !strings.Contains(err.Error(), "the endpoint of the managed identity") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func TestNoHostIsNamed(t *testing.T) {
	h := newHost(t, answer(200, ""))
	h.Close()
	_, err := fromHost(entra.ManagedIdentity{Endpoint: h.URL}).Token(t.Context())
	refused, ok := errors.AsType[*entra.Error](err)
	if !ok || refused.Symptom().Fault != smtp.FaultManagedIdentity {
		t.Error(err)
	}
}

// arc is Azure Arc's agent: it names a file, and gives a token for what is in it.
func arc(challenge, content, answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Basic "+content {
			w.Header().Set("Www-Authenticate", challenge)
			http.Error(w, `{"error":"unauthorized_client","error_description":"Missing Basic Authorization header"}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, answer)
	}
}

const arcKey = "key~of~the~agent"

func TestArcProvesItselfByAFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.key")
	if err := os.WriteFile(name, []byte(arcKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, challenge := range []string{"Basic realm=" + name, `basic realm="` + name + `"`} {
		h := newHost(t, arc(challenge, arcKey, `{"access_token":"tok-1","expires_in":"3599"}`))
		token, err := fromHost(entra.ManagedIdentity{Endpoint: h.URL + "/metadata/identity/oauth2/token", Arc: true, ArcKeys: dir}).Token(t.Context())
		if err != nil || token.AccessToken != "tok-1" || len(h.seen) != 2 || h.seen[1].URL.Query().Get("api-version") != "2020-06-01" {
			t.Errorf("%s: %v, %d requests", challenge, err, len(h.seen))
		}
	}
}

// TestArcChallengesThatAreNotFollowed: whoever answers at the agent's port must not have
// another file sent to it.
func TestArcChallengesThatAreNotFollowed(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write := func(name string, octets int) string {
		if err := os.WriteFile(name, []byte(strings.Repeat("s", octets)), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	victim := write(filepath.Join(elsewhere, "victim.key"), 20)
	link := filepath.Join(dir, "link.key")
	if err := errors.Join(os.Symlink(victim, link), os.Mkdir(filepath.Join(dir, "dir.key"), 0o700), os.Mkdir(filepath.Join(dir, "sub"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for name, challenge := range map[string]string{
		"another directory":  "Basic realm=" + victim,
		"a path that climbs": "Basic realm=" + dir + "/../" + filepath.Base(elsewhere) + "/victim.key",
		"a link":             "Basic realm=" + link,
		"a directory":        "Basic realm=" + filepath.Join(dir, "dir.key"),
		"below it":           "Basic realm=" + write(filepath.Join(dir, "sub", "a.key"), 20),
		"another extension":  "Basic realm=" + write(filepath.Join(dir, "a.txt"), 20),
		"no extension":       "Basic realm=" + dir + "/.key/",
		"too large":          "Basic realm=" + write(filepath.Join(dir, "large.key"), 4097),
		"absent":             "Basic realm=" + filepath.Join(dir, "none.key"),
		"relative":           "Basic realm=a.key",
		"another scheme":     "Bearer realm=" + victim,
		"none":               "",
	} {
		h := newHost(t, arc(challenge, "\x00", ""))
		_, err := fromHost(entra.ManagedIdentity{Endpoint: h.URL, Arc: true, ArcKeys: dir}).Token(t.Context())
		wrong, ok := errors.AsType[*entra.ArcError](err)
		if !ok || wrong.Fault() != smtp.FaultArcKey || len(h.seen) != 1 {
			t.Errorf("%s: %v, %d requests", name, err, len(h.seen))
		} else if strings.Contains(err.Error(), "ssss") {
			t.Errorf("%s: the file is in %v", name, err)
		}
	}
}

func TestArcConfirmsWhoseTokenItIs(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.key")
	if err := os.WriteFile(name, []byte(arcKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for said, ok := range map[string]bool{``: false, `,"client_id":"other"`: false, `,"client_id":"MINE"`: true} {
		h := newHost(t, arc("Basic realm="+name, arcKey, `{"access_token":"tok-1"`+said+`}`))
		_, err := fromHost(entra.ManagedIdentity{Endpoint: h.URL, Arc: true, ArcKeys: dir, Name: "client_id", Value: "mine"}).Token(t.Context())
		if (err == nil) != ok {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestTokenOfAnotherProgram(t *testing.T) {
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, tt := range map[string]struct {
		token, want string
		fault       smtp.Fault
		expires     time.Time
	}{
		"a JWT":    {jwtUntil(end), "", "", end},
		"opaque":   {"EwBwA8l6BAAU", "", "", time.Time{}},
		"expired":  {jwtUntil(time.Unix(1e9, 0)), "expired at 2001-09-09T01:46:40Z", smtp.FaultAccessTokenEnded, time.Time{}},
		"two":      {"a\nb", "no usable token", smtp.FaultAccessToken, time.Time{}},
		"no token": {"", "no usable token", smtp.FaultAccessToken, time.Time{}},
	} {
		p := entra.Provider{Name: "FILE", Get: fixed(tt.token)}
		got, err := fromHost(p).Token(t.Context())
		if tt.want == "" {
			isShort := tt.expires.IsZero() && time.Until(got.Expiry) < 11*time.Minute
			if err != nil || got.AccessToken != tt.token || !isShort && !got.Expiry.Equal(tt.expires) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		refused, ok := errors.AsType[*entra.Error](err)
		if !ok || !strings.Contains(err.Error(), tt.want) || refused.Symptom().Fault != tt.fault || refused.Transient() {
			t.Errorf("%s: %v", name, err)
		}
		if data, _ := json.Marshal(refused); tt.token != "" && strings.Contains(string(data), tt.token) {
			t.Errorf("%s: the token is in %s", name, data)
		}
	}
}

func fixed(token string) func(context.Context) (secret.String, error) {
	return func(context.Context) (secret.String, error) { return secret.New(token), nil }
}

func jwtUntil(end time.Time) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"exp":%d}`, end.Unix())) + ".x"
}
