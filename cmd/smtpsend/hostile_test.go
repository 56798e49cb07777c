package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// What comes in from elsewhere in these tests. mark is how it is found again in
// what smtpsend shows: to be sure that it was shown at all.
const (
	mark   = "MARK"
	escs   = mark + "\x1b]0;PWNED\a\x1b[2J\x1b[31m\u009b31m\u009d0;x\u0085\x7f\v\f\x08\x00" // steers
	hidden = mark + "\u202eRTL\u2066\u2069\u200e\u200f\u061c\u2028\u2029\u200b\u200d\ufeff\u00ad\U000e0041\U000e007f"
	octets = mark + "\x9b31m\xff\xc3("
	lines  = mark + "\r\nsmtpsend: fix: run this\rover\n\tand this"
	evil   = escs + hidden + octets
	// argument is what an argument of a process can hold, and a field of a header.
	argument = mark + "\x1b]0;PWNED\a\x1b[2J\u009b31m\u202eRTL\u200b\u061c\U000e0041\u2028\x9b\x7f\xff"
)

// steering returns what of output a terminal would obey or not show, "" for
// nothing. With smtp CRLF is a line end. It knows nothing of the package that
// keeps it out.
func steering(output []byte, smtp bool) string {
	if smtp {
		output = bytes.ReplaceAll(output, []byte("\r\n"), []byte("\n"))
	}
	for i := 0; i < len(output); {
		r, n := utf8.DecodeRune(output[i:])
		bad := r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r == 0xad || r == 0x61c || r == 0xfeff
		for _, span := range [][2]rune{{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xe0000, 0xe0fff}} {
			bad = bad || r >= span[0] && r <= span[1]
		}
		if bad {
			return fmt.Sprintf("%q at %d: ...%q...", output[i:i+n], i, output[max(0, i-60):min(len(output), i+40)])
		}
		i += n
	}
	return ""
}

// ordeal is one command line with something hostile in it.
type ordeal struct {
	name    string
	args    []string // the verb begins it
	stdin   string
	files   map[string]string            // by name below the directory, which is @ in args, env and files' names
	env     map[string]string            // beside what leads to server and endpoint
	server  map[string]string            // replies, as serveSMTP takes them
	answer  func(http.ResponseWriter)    // of the token endpoint
	silent  bool                         // nothing of the hostile text need be shown
	brief   bool                         // end before a second attempt would be made
	smtp    bool                         // standard output is SMTP
	instead func(t *testing.T, s *scene) // of running args
}

// scene is the surroundings of one ordeal.
type scene struct {
	dir string // with all files but the cache
	env map[string]string
}

func (s *scene) at(text string) string { return strings.ReplaceAll(text, "@@", s.dir) }

// stream is standard output or error, which several goroutines write to.
type stream struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *stream) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}

// perform runs one command line in this process.
func (s *scene) perform(t *testing.T, o ordeal, more ...string) (out, errs []byte) {
	t.Helper()
	var stdout, stderr stream
	p := &process{stdin: strings.NewReader(o.stdin), stdout: &stdout, stderr: &stderr}
	for name, value := range s.env {
		p.environ = append(p.environ, name+"="+value)
	}
	args := slices.Clone(more)
	switch {
	case o.brief && o.silent: // whatever comes of it
		args = append(args, "--timeout", "300ms")
	case o.brief: // what is shown may take a while on a busy machine
		args = append(args, "--timeout", "20s")
	}
	for _, a := range o.args {
		args = append(args, s.at(a))
	}
	run(t.Context(), p, args)
	return stdout.Bytes(), stderr.Bytes()
}

// newScene makes the directory, the server and the endpoint of an ordeal.
func newScene(t *testing.T, o ordeal, cache string) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir()}
	s.env = map[string]string{
		"HOME": s.dir, "SMTPSEND_STATE_DIR": s.dir + "/state", "SMTPSEND_CACHE_DIR": cache, "SMTPSEND_MAIL_SENDER": "app@contoso.example",
		"SMTPSEND_OFFICE_CLIENT_ID": "11111111-2222-3333-4444-555555555555", "SMTPSEND_OFFICE_TENANT_ID": "99999999-8888-7777-6666-555555555555",
		"SMTPSEND_OFFICE_CLIENT_SECRET": "the secret of the tests", "SMTPSEND_DEAD_LETTER_DIR": s.dir,
	}
	for name, text := range o.files {
		name = filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(s.at(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(s.env, serverFor(t, o.server))
	s.env["SMTPSEND_OFFICE_TOKEN_ENDPOINT"] = endpointFor(t, o.answer)
	for name, value := range o.env {
		s.env[name] = s.at(value)
	}
	return s
}

// serverFor is an SMTP server with these replies; the settings lead to it.
func serverFor(t *testing.T, say map[string]string) map[string]string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go serveAll(listener, say)
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	return map[string]string{"SMTPSEND_MAIL_SERVER": host, "SMTPSEND_SMTP_PORT": port, "SMTPSEND_SMTP_SECURITY": "0"}
}

// endpointFor is a token endpoint, which gives a token unless answer says
// otherwise.
func endpointFor(t *testing.T, answer func(http.ResponseWriter)) string {
	t.Helper()
	if answer == nil {
		answer = func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"`+hostileToken()+`"}`)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	t.Cleanup(server.Close)
	return server.URL + "/token"
}

// refusal is an endpoint that answers with a status and a body.
func answering(status int, kind, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// entraError is an answer of the endpoint with text in every place for words.
func entraError(t testing.TB, text string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"error": "invalid_client" + text, "error_description": "AADSTS7000215: Invalid client secret provided. " + text, "error_codes": []int{7000215},
		"timestamp": text, "trace_id": text, "correlation_id": text, "error_uri": text, "suberror": text, "claims": text,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestNothingForeignSteersTheTerminal runs every verb with hostile text in every
// place where something foreign comes in, as people see it and as JSON, and with
// all that -v and --trace add.
func TestNothingForeignSteersTheTerminal(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
	t.Chdir(t.TempDir())
	// A token may come when a connection was refused already; then it is stored
	// after its ordeal, so the directories live on. Each has its own: the endpoint of
	// another may have the same port.
	caches := t.TempDir()
	seen := map[string]bool{}
	for _, o := range ordeals(t) {
		if len(o.args) > 0 {
			seen[o.args[0]] = true
		}
		t.Run(o.name, func(t *testing.T) {
			for _, more := range [][]string{nil, {"--json"}, {"-v", "--trace"}} {
				cache, err := os.MkdirTemp(caches, "cache")
				if err != nil {
					t.Fatal(err)
				}
				s := newScene(t, o, cache)
				if o.instead != nil {
					o.instead(t, s)
					return
				}
				out, errs := s.perform(t, o, more...)
				s.judge(t, o, fmt.Sprint(more), out, errs)
			}
		})
	}
	root, _ := newRoot(&process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}, nil)
	for _, verb := range root.Commands() {
		if !seen[verb.Name()] {
			t.Errorf("the verb %s is not tried", verb.Name())
		}
	}
}

// judge looks at what was printed.
func (s *scene) judge(t *testing.T, o ordeal, how string, out, errs []byte) {
	t.Helper()
	if bad := steering(out, o.smtp); bad != "" {
		t.Errorf("%s: standard output holds %s", how, bad)
	}
	if bad := steering(errs, false); bad != "" {
		t.Errorf("%s: standard error holds %s", how, bad)
	}
	if bytes.Contains(errs, []byte("\nsmtpsend: fix: run this")) || bytes.Contains(out, []byte("\nsmtpsend: fix: run this")) {
		t.Errorf("%s: a foreign line end makes a line", how)
	}
	if !o.silent && !strings.Contains(strings.ToUpper(string(out)+string(errs)), mark) {
		t.Errorf("%s: nothing of the hostile text is shown:\n%s%s", how, out, errs)
	}
	if strings.Contains(how, "json") && len(out) > 0 && !o.smtp && out[0] == '{' && !json.Valid(out) {
		t.Errorf("%s: no JSON: %s", how, out)
	}
}

// hostileToken has claims that people are shown.
func hostileToken() string {
	claims, _ := json.Marshal(map[string]any{
		"aud": "https://outlook.office365.com/" + hidden, "appid": escs, "oid": hidden, "tid": hidden, "roles": []string{escs, hidden, "x\ny"},
		"appidacr": "1", "uti": escs, "exp": 4102444800,
	})
	return jwtOf(`{"typ":"JWT","alg":"none"}`, string(claims))
}

func inContext(t *testing.T, f func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	return func() { cancel(); <-done }
}

// tlsServer speaks TLS from the first octet, with a certificate that nobody
// trusts and that bears name.
func tlsServer(t *testing.T, name string) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := pkix.Name{CommonName: name, Organization: []string{name}, OrganizationalUnit: []string{escs}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: about, Issuer: about, DNSNames: []string{mark + "\x1b[2J.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go serveAll(listener, nil)
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	return map[string]string{"SMTPSEND_MAIL_SERVER": host, "SMTPSEND_SMTP_PORT": port, "SMTPSEND_SMTP_SECURITY": "1"}
}
