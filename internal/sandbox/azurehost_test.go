package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// identity asks a host in Azure.
func identity(t testing.TB, base string, query url.Values, header map[string]string) (*http.Response, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var got map[string]any
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return response, got
}

// variables is an environment as a map.
func variables(list []string) map[string]string {
	all := map[string]string{}
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		all[name] = value
	}
	return all
}

func TestVirtualMachine(t *testing.T) {
	s := start(t, sandbox.Options{})
	at := strings.Replace(s.URL(), "https:", "http:", 1) + "/metadata/identity/oauth2/token"
	for name, tt := range map[string]struct {
		query  []string
		header map[string]string
		status int
		text   string
	}{
		"system":           {nil, nil, 200, ""},
		"by client ID":     {[]string{"client_id", s.ClientID()}, nil, 200, ""},
		"by object ID":     {[]string{"object_id", s.ObjectID()}, nil, 200, ""},
		"by resource ID":   {[]string{"msi_res_id", "/subscriptions/x/resourcegroups/y/providers/Microsoft.ManagedIdentity/userAssignedIdentities/smtpsend"}, nil, 200, ""},
		"another identity": {[]string{"client_id", "x"}, nil, 400, "Identity not found"},
		"no header":        {nil, map[string]string{}, 400, "Required metadata header not specified"},
		"another resource": {[]string{"resource", "https://outlook.example"}, nil, 400, "AADSTS500011: "},
		"no version":       {[]string{"api-version", ""}, nil, 400, "api-version"},
	} {
		q := url.Values{"api-version": {"2018-02-01"}, "resource": {"https://outlook.office365.com"}}
		for i := 0; i+1 < len(tt.query); i += 2 {
			q.Set(tt.query[i], tt.query[i+1])
		}
		if tt.header == nil {
			tt.header = map[string]string{"Metadata": "true"}
		}
		response, got := identity(t, at, q, tt.header)
		text, _ := got["error_description"].(string)
		if response.StatusCode != tt.status || !strings.Contains(text, tt.text) {
			t.Errorf("%s: %d %v", name, response.StatusCode, got)
		}
		if tt.status == 200 {
			checkIdentityToken(t, s, got)
		}
	}
	s.Credentials().AzureHost().Answer(http.StatusNotFound, 1)
	for _, want := range []int{404, 200} {
		q := url.Values{"api-version": {"2018-02-01"}, "resource": {"https://outlook.office365.com"}}
		if response, got := identity(t, at, q, map[string]string{"Metadata": "true"}); response.StatusCode != want {
			t.Errorf("%d %v, want %d", response.StatusCode, got, want)
		}
	}
}

// checkIdentityToken looks at an answer: all of its members are texts.
func checkIdentityToken(t testing.TB, s *sandbox.Sandbox, got map[string]any) {
	t.Helper()
	token, _ := got["access_token"].(string)
	on, _ := got["expires_on"].(string)
	end, err := strconv.ParseInt(on, 10, 64)
	claims, claimsErr := diagnosis.ReadClaims(token)
	if err != nil || claimsErr != nil || time.Until(time.Unix(end, 0)) < 50*time.Minute || claims.AppID != s.ClientID() {
		t.Errorf("%v, claims %+v", got, claims)
	}
}

func TestAppService(t *testing.T) {
	s := start(t, sandbox.Options{})
	env, err := s.Credentials().Env("", wallet.AppService)
	if err != nil {
		t.Fatal(err)
	}
	at := variables(env)
	q := url.Values{"api-version": {"2019-08-01"}, "resource": {"https://outlook.office365.com"}}
	right := map[string]string{"X-Identity-Header": at["IDENTITY_HEADER"]}
	response, got := identity(t, at["IDENTITY_ENDPOINT"], q, right)
	if response.StatusCode != 200 {
		t.Fatalf("%d %v", response.StatusCode, got)
	}
	checkIdentityToken(t, s, got)
	if response, got := identity(t, at["IDENTITY_ENDPOINT"], q, map[string]string{"X-Identity-Header": "x"}); response.StatusCode != 401 {
		t.Errorf("another header: %d %v", response.StatusCode, got)
	}
	q.Set("principal_id", "x")
	if response, got := identity(t, at["IDENTITY_ENDPOINT"], q, right); response.StatusCode != 400 || !strings.HasPrefix(got["message"].(string), "No User Assigned") {
		t.Errorf("another identity: %d %v", response.StatusCode, got)
	}
}

func TestAzureArc(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "azcmagent", "tokens")
	s := start(t, sandbox.Options{ArcKeys: dir})
	env, err := s.Credentials().Env("", wallet.Arc)
	if err != nil {
		t.Fatal(err)
	}
	at := variables(env)["IDENTITY_ENDPOINT"]
	q := url.Values{"api-version": {"2020-06-01"}, "resource": {"https://outlook.office365.com"}}
	response, got := identity(t, at, q, map[string]string{"Metadata": "true"})
	file, ok := strings.CutPrefix(response.Header.Get("Www-Authenticate"), "Basic realm=")
	if response.StatusCode != 401 || !ok || filepath.Dir(file) != dir || filepath.Ext(file) != ".key" {
		t.Fatalf("%d %v %v", response.StatusCode, response.Header, got)
	}
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 401} { // the key is good once
		response, got := identity(t, at, q, map[string]string{"Metadata": "true", "Authorization": "Basic " + string(key)})
		if response.StatusCode != want {
			t.Errorf("request %d: %d %v, want %d", i+1, response.StatusCode, got, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("something is left: %v", err)
	}
}
