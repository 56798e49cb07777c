//go:build linux

package interop_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/azurehost"
	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// scope is what is asked for.
const scope = "https://outlook.office365.com/.default"

// needModules makes sure of modules of npm.
func needModules(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := os.Stat(filepath.Join("../../.peers/node_modules", name, "package.json")); err != nil {
			lacking(t, "the module %s is not installed: run make peers", name)
		}
	}
}

func argument(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pairIn makes a certificate and its key in a file.
func pairIn(t testing.TB) (*keypair.Pair, string) {
	t.Helper()
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(name, []byte(pair.PEM().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	return pair, name
}

// TestOpenIDProvider: a certified provider of others takes our token requests, and refuses
// what was changed on the way.
func TestOpenIDProvider(t *testing.T) {
	needModules(t, "oidc-provider")
	const secret = "a secret of more than thirty-two characters + & = %"
	pair, file := pairIn(t)
	_, line := serve(t, node(t, "oidc-provider.js", argument(t, map[string]string{
		"secret": secret, "certificate": string(pair.CertificatePEM()), "scope": scope,
	})), "ready ")
	base := strings.TrimSpace(strings.TrimPrefix(line, "ready "))
	ask := func(client string, settings ...string) result {
		t.Helper()
		cmd := exec.Command(binary, "token", "--refresh")
		cmd.Env = append(settings, "HOME="+t.TempDir(), "SMTPSEND_OFFICE_TOKEN_ENDPOINT="+base+"/token",
			"SMTPSEND_OFFICE_CLIENT_ID="+client, "SMTPSEND_OFFICE_TENANT_ID=contoso.example")
		return finish(t, cmd)
	}
	for name, tt := range map[string]struct {
		client   string
		settings string
		refused  bool
	}{
		"client_secret_post": {"with-secret", "SMTPSEND_OFFICE_CLIENT_SECRET=" + secret, false},
		"another secret":     {"with-secret", "SMTPSEND_OFFICE_CLIENT_SECRET=" + secret + "x", true},
		"private_key_jwt":    {"with-certificate", "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + file, false},
	} {
		r := ask(tt.client, tt.settings)
		if got := strings.TrimSpace(r.stdout) != ""; got == tt.refused || (r.code == 0) == tt.refused {
			t.Errorf("%s: %v", name, r)
		}
		if tt.refused && !strings.Contains(r.stderr, "invalid_client") {
			t.Errorf("%s: %v", name, r)
		}
	}
	_, other := pairIn(t)
	if r := ask("with-certificate", "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE="+other); r.code == 0 || !strings.Contains(r.stderr, "invalid_client") {
		t.Errorf("another certificate: %v", r)
	}
	tampered(t, base, pair)
}

// tampered changes an assertion of ours: a part of it, its audience, and the request that
// it is in a second time.
func tampered(t *testing.T, base string, pair *keypair.Pair) {
	t.Helper()
	post := func(form url.Values) int {
		form.Set("grant_type", "client_credentials")
		form.Set("client_id", "with-certificate")
		form.Set("scope", scope)
		response, err := http.PostForm(base+"/token", form)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer response.Body.Close()
		return response.StatusCode
	}
	fresh := func(audience string) url.Values {
		params, err := entra.Certificate(pair, false).Params(t.Context(), "with-certificate", audience)
		if err != nil {
			t.Fatal(err)
		}
		return params
	}
	right := fresh(base + "/token")
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} { // its jti counts once
		if got := post(right); got != want {
			t.Errorf("request %d with an assertion: HTTP %d, want %d", i+1, got, want)
		}
	}
	if got := post(fresh("https://other.example/token")); got != http.StatusUnauthorized {
		t.Errorf("another audience: HTTP %d", got)
	}
	for part, what := range []string{"header", "claims", "signature"} {
		form := fresh(base + "/token")
		parts := strings.Split(form.Get("client_assertion"), ".")
		middle := len(parts[part]) / 2
		changed := "A"
		if parts[part][middle] == 'A' {
			changed = "B"
		}
		parts[part] = parts[part][:middle] + changed + parts[part][middle+1:]
		form.Set("client_assertion", strings.Join(parts, "."))
		if got := post(form); got != http.StatusUnauthorized && got != http.StatusBadRequest {
			t.Errorf("another %s: HTTP %d", what, got)
		}
	}
}

// TestLibrariesOfMicrosoft: the sandbox is to them what Entra ID is.
func TestLibrariesOfMicrosoft(t *testing.T) {
	needModules(t, "@azure/identity", "@azure/msal-node")
	box, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	pair, file := pairIn(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, box.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	assertion, err := box.Credentials().Issuer().Token(idissuer.Claims{Subject: idissuer.SubjectKubernetes})
	if err != nil {
		t.Fatal(err)
	}
	_, thumbprint := keypair.Thumbprints(pair.Certificate())
	said := func() map[string]string {
		cmd := node(t, "azure.js", argument(t, map[string]string{
			"authority": box.URL(), "tenant": box.TenantID(), "client": box.ClientID(), "secret": box.ClientSecret(),
			"certificate": file, "thumbprint": thumbprint, "assertion": assertion, "scope": scope,
		}))
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+ca)
		return pairsOf(t, finish(t, cmd))
	}
	for name, text := range said() {
		if isCertificate := strings.HasSuffix(name, "certificate"); isCertificate != strings.Contains(text, "AADSTS700027") {
			t.Errorf("%s, with a certificate that is not registered: %s", name, text)
		}
	}
	box.Credentials().Keys().AddCertificate(pair.Certificate(), pair.Certificate().NotBefore)
	acr := map[bool]string{true: "1", false: "2"}
	for name, text := range said() {
		claims, err := diagnosis.ReadClaims(text)
		if err != nil || claims.AppID != box.ClientID() || claims.AppIDACR != acr[strings.HasSuffix(name, "secret")] {
			t.Errorf("%s: %s, %+v", name, text, claims)
		}
	}
	keys := box.Credentials().Keys()
	for _, k := range keys.Of(keyring.KindSecret) {
		must(t, keys.Expire(k.ID))
	}
	for _, kind := range []string{keyring.KindCertificate, keyring.KindFederated} {
		for _, k := range keys.Of(kind) {
			must(t, keys.Remove(k.ID))
		}
	}
	for name, text := range said() {
		_, kind, _ := strings.Cut(name, " ")
		if want := map[string]string{"secret": "AADSTS7000222", "certificate": "AADSTS700027", "assertion": "AADSTS70025"}[kind]; want == "" || !strings.Contains(text, want) {
			t.Errorf("%s, ended or removed: %s; want %s", name, text, want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pairsOf reads what azure.js prints.
func pairsOf(t testing.TB, r result) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		var pair [2]string
		if err := json.Unmarshal([]byte(line), &pair); err != nil {
			t.Fatalf("%v: %v", err, r)
		}
		all[pair[0]] = pair[1]
	}
	if len(all) != 6 {
		t.Fatal(r)
	}
	return all
}

// TestManagedIdentityOfMicrosoft: the sandbox's hosts in Azure are what Microsoft's library
// takes for them.
func TestManagedIdentityOfMicrosoft(t *testing.T) {
	needModules(t, "@azure/identity")
	box, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	for _, kind := range []string{wallet.IMDS, wallet.AppService, wallet.Arc} {
		env, err := box.Credentials().Env("", kind)
		if err != nil {
			t.Fatal(err)
		}
		if dir, err := box.Credentials().AzureHost().ArcKeys(); kind == wallet.Arc && (err != nil || dir != azurehost.AgentKeys) {
			continue // the library reads no key from elsewhere
		}
		for _, client := range []string{"", box.ClientID(), "11111111-2222-3333-4444-555555555555"} {
			if kind == wallet.Arc && client != "" {
				continue // the library does not ask Arc for one
			}
			cmd := node(t, "azure-identity.js", argument(t, map[string]string{"client": client, "scope": scope}))
			cmd.Env = append(cmd.Env, env...)
			r := finish(t, cmd)
			isKnown := client == "" || client == box.ClientID()
			claims, err := diagnosis.ReadClaims(strings.TrimSpace(r.stdout))
			if got := err == nil && claims.AppID == box.ClientID(); got != isKnown {
				t.Errorf("%s, identity %q: %v", kind, client, r)
			}
		}
	}
}
