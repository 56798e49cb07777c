package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

func TestTokenResponse(t *testing.T) {
	s := start(t, sandbox.Options{})
	a := post(t, s, s.TenantID(), form(s))
	var got struct {
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
		ExtExpiresIn int    `json:"ext_expires_in"`
		AccessToken  string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("got %d %s, %v", a.status, a.body, err)
	}
	if got.TokenType != "Bearer" || got.ExpiresIn < 3599 || got.ExpiresIn > 5399 || got.ExtExpiresIn != got.ExpiresIn {
		t.Errorf("got %+v", got)
	}
	c, err := diagnosis.ReadClaims(got.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if c.Audience != "https://outlook.office365.com" || c.AppID != s.ClientID() || c.ObjectID != s.ObjectID() ||
		c.TenantID != s.TenantID() || c.AppIDACR != "1" || c.IDType != "app" || fmt.Sprint(c.Roles) != "[SMTP.SendAsApp]" {
		t.Errorf("got %+v", c)
	}
	if left := time.Until(c.Expires); left < time.Hour-time.Minute || left > 90*time.Minute {
		t.Errorf("expires in %v", left)
	}
}

// Clients that know only the header of RFC 6749 2.3.1 get a token too.
func TestTokenForASecretInTheAuthorizationHeader(t *testing.T) {
	s := start(t, sandbox.Options{})
	for secret, want := range map[string]int{s.ClientSecret(): 200, "wrong": 401} {
		f := form(s, "client_id", "", "client_secret", "")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/"+s.TenantID()+"/oauth2/v2.0/token", strings.NewReader(f.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(url.QueryEscape(s.ClientID()), url.QueryEscape(secret))
		resp, err := httpClient(t, s).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("HTTP %d, want %d", resp.StatusCode, want)
		}
	}
}

func TestTokenRefusals(t *testing.T) {
	s := start(t, sandbox.Options{Scenario: &tenant.Scenario{Applications: []tenant.Application{
		{}, {ClientID: "11111111-1111-1111-1111-111111111111", ClientSecret: "old", SecretExpired: true},
		{ClientID: "22222222-2222-2222-2222-222222222222", ClientSecret: "x", Disabled: true},
	}}})
	const guid = "00000000-0000-4000-8000-000000000000"
	tests := map[string]struct {
		tenant  string
		changes []string
		status  int
		code    string
		aadsts  int
	}{
		"wrong secret":     {"", []string{"client_secret", "wrong"}, 401, "invalid_client", 7000215},
		"unknown client":   {"", []string{"client_id", guid}, 400, "unauthorized_client", 700016},
		"unknown tenant":   {guid, nil, 400, "invalid_request", 90002},
		"misspelt tenant":  {"contoso", nil, 400, "invalid_request", 900023},
		"tenant common":    {"common", nil, 400, "invalid_request", 9001023},
		"delegated scope":  {"", []string{"scope", "https://outlook.office.com/SMTP.Send"}, 400, "invalid_scope", 1002012},
		"unknown resource": {"", []string{"scope", "https://outlook.example/.default"}, 400, "invalid_resource", 500011},
		"no secret":        {"", []string{"client_secret", ""}, 401, "invalid_client", 7000218},
		"no client id":     {"", []string{"client_id", ""}, 400, "invalid_request", 900144},
		"no scope":         {"", []string{"scope", ""}, 400, "invalid_request", 900144},
		"no grant type":    {"", []string{"grant_type", ""}, 400, "invalid_request", 900144},
		"password grant":   {"", []string{"grant_type", "password"}, 400, "unsupported_grant_type", 70003},
		"expired secret":   {"", []string{"client_id", "11111111-1111-1111-1111-111111111111", "client_secret", "old"}, 401, "invalid_client", 7000222},
		"disabled":         {"", []string{"client_id", "22222222-2222-2222-2222-222222222222"}, 401, "unauthorized_client", 7000112},
		"no JWT":           {"", []string{"client_secret", "", "client_assertion", "x.y.z", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, 400, "invalid_request", 50027},
	}
	shape := regexp.MustCompile(`^AADSTS(\d+): [^\r]+\r\nTrace ID: ([0-9a-f-]{36})\r\nCorrelation ID: ([0-9a-f-]{36})\r\nTimestamp: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)$`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.tenant == "" {
				tt.tenant = s.TenantID()
			}
			a := post(t, s, tt.tenant, form(s, tt.changes...))
			var got struct {
				Error         string `json:"error"`
				Description   string `json:"error_description"`
				Codes         []int  `json:"error_codes"`
				Timestamp     string `json:"timestamp"`
				TraceID       string `json:"trace_id"`
				CorrelationID string `json:"correlation_id"`
				URI           string `json:"error_uri"`
			}
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatalf("%s: %v", a.body, err)
			}
			if a.status != tt.status || got.Error != tt.code || fmt.Sprint(got.Codes) != fmt.Sprintf("[%d]", tt.aadsts) {
				t.Errorf("got %d %s", a.status, a.body)
			}
			m := shape.FindStringSubmatch(got.Description)
			if m == nil || m[1] != fmt.Sprint(tt.aadsts) || m[2] != got.TraceID || m[3] != got.CorrelationID || m[4] != got.Timestamp {
				t.Errorf("description %q", got.Description)
			}
			if got.URI != "https://login.microsoftonline.com/error?code="+m[1] {
				t.Errorf("uri %q", got.URI)
			}
		})
	}
}

func TestEndpointTrouble(t *testing.T) {
	tests := map[string]struct {
		status            int
		contentType, body string // body: a part of it
	}{
		"token-throttled":   {429, "text/plain", "Too Many Requests"},
		"token-unavailable": {503, "text/html", "Service Unavailable"},
		"token-not-json":    {200, "text/html; charset=utf-8", "Sign in to the network"},
		"token-empty":       {200, "application/json; charset=utf-8", ""},
		"token-missing":     {200, "application/json; charset=utf-8", `{"token_type":"Bearer","expires_in":3599}`},
		"expires-in-string": {200, "application/json; charset=utf-8", `"expires_in":"`},
		"slow,delay=10ms":   {200, "application/json; charset=utf-8", `"access_token":`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			text := name
			if strings.HasPrefix(name, "slow") {
				text += ",stage=token"
			}
			s := start(t, withFaults(t, sandbox.Options{RetryAfter: 2 * time.Second}, text))
			a := post(t, s, s.TenantID(), form(s))
			if a.status != tt.status || a.header.Get("Content-Type") != tt.contentType || !strings.Contains(a.body, tt.body) {
				t.Errorf("got %d %v %s", a.status, a.header, a.body)
			}
			if name == "token-throttled" && (a.header.Get("Retry-After") != "2" || a.body != tt.body) {
				t.Errorf("got %v, %q", a.header, a.body)
			}
		})
	}
}

func TestEndpointCut(t *testing.T) {
	for _, text := range []string{"token-cut", "connection-closed,stage=token"} {
		s := start(t, withFaults(t, sandbox.Options{}, text))
		resp, err := httpClient(t, s).PostForm(s.URL()+"/"+s.TenantID()+"/oauth2/v2.0/token", form(s))
		if err == nil {
			var v any
			err = json.NewDecoder(resp.Body).Decode(&v)
			_ = resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: got a whole answer", text)
		}
	}
}

func TestClockSkew(t *testing.T) {
	s := start(t, withFaults(t, sandbox.Options{}, "clock-skew"))
	a := post(t, s, s.TenantID(), form(s))
	date, err := http.ParseTime(a.header.Get("Date"))
	if ahead := time.Until(date); err != nil || ahead < 119*time.Minute || ahead > 121*time.Minute {
		t.Errorf("Date %q is %v ahead, %v", a.header.Get("Date"), ahead, err)
	}
}

func TestKeysVerifyTokens(t *testing.T) {
	s := start(t, sandbox.Options{})
	var configuration struct {
		JWKS          string `json:"jwks_uri"`
		TokenEndpoint string `json:"token_endpoint"`
		Issuer        string `json:"issuer"`
	}
	get(t, s, s.URL()+"/"+s.TenantID()+"/v2.0/.well-known/openid-configuration", &configuration)
	if configuration.TokenEndpoint != strings.Replace(s.TokenEndpoint(), "#TenantID#", s.TenantID(), 1) ||
		configuration.Issuer != "https://sts.windows.net/"+s.TenantID()+"/" {
		t.Errorf("got %+v", configuration)
	}
	var set struct {
		Keys []struct{ Kty, Alg, Kid, N, E string }
	}
	get(t, s, configuration.JWKS, &set)
	if len(set.Keys) != 1 || set.Keys[0].Kty != "RSA" || set.Keys[0].E != "AQAB" || set.Keys[0].N == "" {
		t.Errorf("got %+v", set)
	}
}

func get(t *testing.T, s *sandbox.Sandbox, url string, into any) {
	t.Helper()
	resp, err := httpClient(t, s).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("%s: %d, %v", url, resp.StatusCode, err)
	}
}

func TestNoTokenInClear(t *testing.T) {
	s := start(t, sandbox.Options{})
	plain := strings.Replace(s.URL(), "https:", "http:", 1)
	resp, err := http.PostForm(plain+"/"+s.TenantID()+"/oauth2/v2.0/token", form(s))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusForbidden || s.Stats().TokenRequests != 0 {
		t.Errorf("got %s, %+v", resp.Status, s.Stats())
	}
}
