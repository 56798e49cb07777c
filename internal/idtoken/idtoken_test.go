package idtoken_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// stay is how the client of an account treats redirects.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func TestFileIsReadEachTime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	get := idtoken.FromFile(name)
	if _, err := get(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot be had: "+name+" cannot be read: ") {
		t.Errorf("no file: %v", err)
	}
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(name, []byte("\ufeff "+want+"\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := get(t.Context()); err != nil || got.Reveal() != want {
			t.Errorf("%q, %v, want %s", got.Reveal(), err, want)
		}
	}
}

func TestProgram(t *testing.T) {
	sh := func(script string) idtoken.Get {
		return idtoken.FromProgram(program.Program{Words: []string{"sh", "-c", script}})
	}
	if got, err := sh("echo tok.en.x")(t.Context()); err != nil || got.Reveal() != "tok.en.x" {
		t.Errorf("%q, %v", got.Reveal(), err)
	}
	for script, want := range map[string]string{
		"exit 3": "cannot be had: the program ended with exit status 3", "true": "cannot be had: the output of the program is empty",
		"head -c 70000 /dev/zero | tr '\\0' x": "cannot be had: the program printed more than 65536 octets",
	} {
		if _, err := sh(script)(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

const jobToken = "job~token~of~the~run"

func TestGitHubAndAzurePipelines(t *testing.T) {
	var seen *http.Request
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, query = r, r.URL.RawQuery
		fmt.Fprint(w, `{"value":"github.id.token","oidcToken":"azure.id.token","count":1}`)
	}))
	defer server.Close()
	request := idtoken.Request{URL: server.URL + "/idtoken?run=7", Token: secret.New(jobToken), Client: server.Client()}
	got, err := idtoken.FromGitHub(request, "api://AzureADTokenExchange")(t.Context())
	if err != nil || got.Reveal() != "github.id.token" || seen.Method != http.MethodGet || query != "audience=api%3A%2F%2FAzureADTokenExchange&run=7" {
		t.Errorf("GitHub: %q, %v, %s %s", got.Reveal(), err, seen.Method, query)
	}
	if seen.Header.Get("Authorization") != "Bearer "+jobToken {
		t.Errorf("the job's token is not sent: %v", seen.Header)
	}
	got, err = idtoken.FromAzurePipelines(request, "c1")(t.Context())
	if err != nil || got.Reveal() != "azure.id.token" || seen.Method != http.MethodPost || query != "api-version=7.1&run=7&serviceConnectionId=c1" {
		t.Errorf("Azure Pipelines: %q, %v, %s %s", got.Reveal(), err, seen.Method, query)
	}
}

// TestAnswersThatAreNoToken: the error says why, and never holds the job's token, the
// address's parameters or what was answered.
func TestAnswersThatAreNoToken(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(other.Close)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"403": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusForbidden)
		}, "it said HTTP 403"},
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "it said HTTP 500"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, "it said HTTP 307"},
		"a page":       {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "its answer has no token"},
		"no member":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"x":"y"}`) }, "its answer has no token"},
		"null":         {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":null}`) }, "its answer has no token"},
		"another type": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"value":{"a":1}}`) }, "its answer has no token"},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"value":"`, strings.Repeat("a", 1<<20), `"}`)
		}, "its answer is longer than 1 MiB"},
		"torn": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"value":"a`)
		}, "reading the answer: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // after trouble it is asked again
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			client := server.Client()
			client.CheckRedirect = stay
			_, err := idtoken.FromGitHub(idtoken.Request{URL: server.URL + "/?sig=s3cret", Token: secret.New(jobToken), Client: client}, "a")(t.Context())
			if err == nil || !strings.HasSuffix(err.Error(), ": "+tt.want) || !strings.HasPrefix(err.Error(), "cannot be had: GitHub Actions at 127.0.0.1:") {
				t.Errorf("%s: %v", name, err)
			} else if strings.Contains(err.Error(), jobToken) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: it leaks: %v", name, err)
			}
		})
	}
}

// ci answers with one status after the other, 0 being no answer.
type ci struct {
	statuses []int
	asked    int
}

func (c *ci) RoundTrip(r *http.Request) (*http.Response, error) {
	status := c.statuses[min(c.asked, len(c.statuses)-1)]
	c.asked++
	if status == 0 {
		return nil, syscall.ECONNRESET
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(`{"value":"tok.en.x"}`)), Request: r}, nil
}

// TestTroubleOfTheCISystemPasses, and what does not pass is not asked again.
func TestTroubleOfTheCISystemPasses(t *testing.T) {
	for _, tt := range []struct {
		statuses    []int
		asked       int
		isTemporary bool
		isToken     bool
	}{
		{[]int{503, 0, 200}, 3, false, true},
		{[]int{429}, 4, true, false},
		{[]int{0}, 4, true, false},
		{[]int{403}, 1, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			system := &ci{statuses: tt.statuses}
			_, err := idtoken.FromGitHub(idtoken.Request{URL: "https://ci.example/", Client: &http.Client{Transport: system}}, "a")(t.Context())
			failed, isError := errors.AsType[*idtoken.Error](err)
			if isError == tt.isToken || system.asked != tt.asked || (isError && failed.Temporary != tt.isTemporary) {
				t.Errorf("%v: %v after %d requests", tt.statuses, err, system.asked)
			}
		})
	}
}

// TestInterruptedWhileTheCISystemHasTrouble ends at once, and says so.
func TestInterruptedWhileTheCISystemHasTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		began := time.Now()
		_, err := idtoken.FromGitHub(idtoken.Request{URL: "https://ci.example/", Client: &http.Client{Transport: &ci{statuses: []int{503}}}}, "a")(ctx)
		if took := time.Since(began); !errors.Is(err, context.Canceled) || took != time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestOnlyHTTPSIsAsked(t *testing.T) {
	for address, want := range map[string]string{
		"http://ci.example/x?sig=s3cret": "its address at ci.example is not https", "ftp://ci.example/": "is not https",
		"": "is not a URL with a host", "%zz": "is not a URL with a host", "https:///x": "is not a URL with a host",
		"http://127.0.0.1.evil.example/": "is not https", "http://2130706433.example/": "is not https",
	} {
		_, err := idtoken.FromGitHub(idtoken.Request{URL: address, Token: secret.New(jobToken), Client: http.DefaultClient}, "a")(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func jwt(claims string) secret.String {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return secret.New(part(`{"alg":"RS256"}`) + "." + part(claims) + ".c2ln")
}

func TestClaimsOfATokenAreShownAsTheyAre(t *testing.T) {
	end := time.Unix(1_800_000_000, 0)
	for name, tt := range map[string]struct {
		token secret.String
		want  idtoken.Claims
		isJWT bool
	}{
		"usual":                {jwt(`{"iss":"https://i","sub":"repo:a/b:ref:x","aud":"api://x","exp":1800000000}`), idtoken.Claims{Issuer: "https://i", Subject: "repo:a/b:ref:x", Audience: "api://x", Expires: end}, true},
		"several audiences":    {jwt(`{"aud":["one","two"]}`), idtoken.Claims{Audience: "one"}, true},
		"none":                 {jwt(`{}`), idtoken.Claims{}, true},
		"escapes of terminals": {jwt(`{"sub":"a\u001b[2Jb"}`), idtoken.Claims{Subject: `a\x1b[2Jb`}, true},
		"as long as it may be": {jwt(`{"sub":"` + strings.Repeat("x", 700) + `"}`), idtoken.Claims{Subject: strings.Repeat("x", 600)}, true},
		"another type":         {jwt(`{"sub":{"a":1}}`), idtoken.Claims{}, false},
		"not JSON":             {jwt(`x`), idtoken.Claims{}, false},
		"opaque":               {secret.New("an opaque token"), idtoken.Claims{}, false},
		"empty":                {secret.String{}, idtoken.Claims{}, false},
		"an end beyond time":   {jwt(`{"iss":"i","exp":1e300}`), idtoken.Claims{Issuer: "i"}, true},
	} {
		got, ok := idtoken.ReadClaims(tt.token)
		if name == "an end beyond time" {
			got.Expires = time.Time{} // whatever it is, nothing breaks
		}
		if ok != tt.isJWT || !got.Expires.Equal(tt.want.Expires) || got.Issuer != tt.want.Issuer || got.Subject != tt.want.Subject || got.Audience != tt.want.Audience {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}
