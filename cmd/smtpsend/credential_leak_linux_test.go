package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// The secrets of the kinds of credentials. Each is in no other text.
const (
	leakSecret   = "Fq8~client-secret+of/the=app"
	leakNext     = "Gr9~next-client-secret+of/the=app"
	leakPassword = "Hs0~password-of-the-key"
	leakJob      = "It1~token-of-the-ci-job"
	leakHeader   = "Ju2~header-of-the-host"
)

// leakToken is a JWT whose signature alone is secret: what it claims may be shown.
func leakToken(signature string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256"}`) + "." + part(`{"iss":"https://i.example","sub":"s","aud":"api://x","exp":4000000000}`) + "." + part(signature)
}

// echo refuses every request with all that it was sent, in three encodings, and gives an
// ID token to whoever asks for one. It keeps the assertions that it got.
type echo struct {
	*httptest.Server
	mu         sync.Mutex
	assertions []string
	grants     bool // gives tokens in place of refusals
}

func (e *echo) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.URL.Path == "/idtoken" {
		fmt.Fprintf(w, `{"value":%q}`, leakToken("signature of the id token"))
		return
	}
	form, _ := url.ParseQuery(string(body))
	e.assertions = append(e.assertions, form.Get("client_assertion"))
	if e.grants {
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3599}`, leakToken("signature of the access token"))
		return
	}
	all := string(body)
	for _, values := range form {
		all += " " + strings.Join(values, " ") + " " + base64.StdEncoding.EncodeToString([]byte(values[0]))
	}
	for _, values := range r.Header {
		all += " " + strings.Join(values, " ")
	}
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprintf(w, `{"error":"invalid_client","error_codes":[7000222],"error_description":%q}`, "AADSTS7000222: "+all)
}

// leakKind is a kind of credential: its variables, and what of it is secret.
type leakKind struct {
	set     []string
	secrets []string
}

func leakKinds(t *testing.T, base string) map[string]leakKind {
	t.Helper()
	dir := t.TempDir()
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	text := pair.PEM().Reveal()
	at := strings.Index(text, "-----BEGIN PRIVATE KEY")
	block, _ := pem.Decode([]byte(text[at:]))
	key := strings.Split(text[at:], "\n")[3:12] // lines that no certificate has
	key = append(key, hex.EncodeToString(block.Bytes[300:340]), string(block.Bytes[300:340]))
	idToken, access := leakToken("signature of a file's token"), leakToken("signature of another program's token")
	return map[string]leakKind{
		"secrets":          {[]string{"SMTPSEND_OFFICE_CLIENT_SECRET=" + leakSecret, "SMTPSEND_OFFICE_CLIENT_SECRET_NEXT=" + leakNext}, []string{leakSecret, leakNext}},
		"certificate":      {[]string{"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + write("pair.pem", text), "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD=" + leakPassword}, append(key, leakPassword)},
		"wrong file":       {[]string{"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + write("two.pem", text+text[at:]), "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD=" + leakPassword}, append(key, leakPassword)},
		"federated file":   {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE=" + write("id", idToken)}, []string{signatureOf(idToken)}},
		"federated value":  {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:OUR_TOKEN", "OUR_TOKEN=" + idToken}, []string{signatureOf(idToken)}},
		"program":          {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_COMMAND=sh -c 'echo $1; echo $1 >&2' x " + idToken}, []string{signatureOf(idToken)}},
		"failing program":  {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_COMMAND=sh -c 'echo $1; echo $1 >&2; exit 1' x " + idToken}, []string{signatureOf(idToken)}},
		"GitHub Actions":   {[]string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + base + "/idtoken", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + leakJob}, []string{leakJob, signatureOf(leakToken("signature of the id token"))}},
		"App Service":      {[]string{"IDENTITY_ENDPOINT=" + base + "/msi", "IDENTITY_HEADER=" + leakHeader}, []string{leakHeader}},
		"access token":     {[]string{"SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=" + write("access", access)}, []string{signatureOf(access)}},
		"access program":   {[]string{"SMTPSEND_OFFICE_ACCESS_TOKEN_COMMAND=echo " + access}, []string{signatureOf(access)}},
		"unusable, quoted": {[]string{"SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=" + write("two", access+"\n"+access)}, []string{signatureOf(access)}},
	}
}

func signatureOf(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

// leakVerbs are the outputs that are searched. None of them is meant to print a token.
var leakVerbs = [][]string{
	{"config", "show"}, {"--json", "config", "show"}, {"config", "check"}, {"-v", "token"}, {"--json", "-v", "doctor"}, {"doctor"},
	{"-v", "send", "--to", "a@contoso.example", "--text", "x", "--trace"}, {"--json", "send", "--to", "a@contoso.example", "--text", "x"},
}

// TestNoCredentialIsShown runs each kind against an endpoint that repeats what it gets,
// and searches what is printed, and the cache, for every secret in each writing.
func TestNoCredentialIsShown(t *testing.T) {
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	for name, kind := range leakKinds(t, e.URL) {
		t.Run(name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "cache")
			environ := append([]string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SMTPSEND_CACHE_DIR=" + cache, "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
				"SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_TOKEN_ENDPOINT=" + e.URL + "/token", "SMTPSEND_MAIL_SENDER=a@contoso.example",
				"SMTPSEND_MAIL_SERVER=127.0.0.1", "SMTPSEND_SMTP_PORT=1", "SMTPSEND_SMTP_SECURITY=0",
			}, kind.set...)
			e.mu.Lock()
			e.assertions = nil
			e.mu.Unlock()
			printed := map[string][]byte{}
			for _, verb := range leakVerbs {
				isToken := verb[len(verb)-1] == "token" && strings.HasPrefix(name, "access")
				if isToken {
					continue // which prints it, as it is asked to
				}
				cmd := exec.Command("smtpsend", verb...)
				cmd.Env = environ
				printed[strings.Join(verb, " ")], _ = cmd.CombinedOutput()
			}
			e.mu.Lock()
			e.grants = true
			e.mu.Unlock()
			cmd := exec.Command("smtpsend", "token")
			cmd.Env = environ
			_ = cmd.Run() // which prints a token, and fills the cache
			e.mu.Lock()
			e.grants = false
			for _, assertion := range e.assertions {
				if assertion != "" {
					kind.secrets = append(kind.secrets, signatureOf(assertion))
				}
			}
			e.mu.Unlock()
			kind.secrets = append(kind.secrets, signatureOf(leakToken("signature of the access token")))
			_ = filepath.WalkDir(cache, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Type().IsRegular() {
					printed[path], _ = os.ReadFile(path)
				}
				return nil
			})
			search(t, printed, kind.secrets)
		})
	}
}

func search(t *testing.T, printed map[string][]byte, secrets []string) {
	t.Helper()
	for where, text := range printed {
		if isOutput := !filepath.IsAbs(where); isOutput && len(text) == 0 {
			t.Errorf("%s: nothing to search", where)
		}
		for _, s := range secrets {
			for _, written := range append(secret.Writings(s), url.QueryEscape(s), base64.RawURLEncoding.EncodeToString([]byte(s))) {
				if bytes.Contains(text, []byte(written)) {
					t.Errorf("%s: holds %.12q...:\n%s", where, written, text)
					return
				}
			}
		}
	}
}
