package account_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/keypair"
)

const accessToken = "header.an~access~token.signature"

// newEndpoint is a token endpoint, and a host's identity endpoint, that counts.
func newEndpoint(t *testing.T) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, accessToken)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/token", asked
}

// only is settings of these variables alone.
func only(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load(t.Context(), config.Options{NoEnvFile: true, Environ: append([]string{
		"SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
	}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func token(t *testing.T, dir string, environ ...string) {
	t.Helper()
	got, err := account.New(only(t, environ...), account.Options{CacheDir: dir}).Token(t.Context())
	if err != nil || got.AccessToken != accessToken {
		t.Fatalf("%v, %v", got, err)
	}
}

func writePair(t *testing.T, name string) {
	t.Helper()
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, pair.PEM().Reveal())
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestCacheWorksForEachKind: of two processes one asks, and what is kept is encrypted.
func TestCacheWorksForEachKind(t *testing.T) {
	files := t.TempDir()
	pair := filepath.Join(files, "pair.pem")
	writePair(t, pair)
	idToken := write(t, filepath.Join(files, "id"), "a.b.c")
	for name, tt := range map[string]struct {
		set     []string
		keyFile bool
	}{
		"client secret":    {[]string{"SMTPSEND_OFFICE_CLIENT_SECRET=abcdefghijklmnopqrstuvwxyz0123456789.~-_"}, false},
		"certificate":      {[]string{"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + pair}, false},
		"federated token":  {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE=" + idToken}, true},
		"managed identity": {[]string{"SMTPSEND_OFFICE_MANAGED_IDENTITY=system"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := newEndpoint(t)
			dir := t.TempDir()
			if runtime.GOOS != "windows" {
				if err := os.Chmod(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			set := append(tt.set, "SMTPSEND_OFFICE_TOKEN_ENDPOINT="+url, "AZURE_POD_IDENTITY_AUTHORITY_HOST="+strings.TrimSuffix(url, "/token"))
			for range 3 {
				token(t, dir, set...)
			}
			if asked.Load() != 1 {
				t.Errorf("asked %d times", asked.Load())
			}
			info, err := os.Stat(filepath.Join(dir, "key"))
			if (err == nil) != tt.keyFile || tt.keyFile && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("key file: %v, %v", info, err)
			}
			_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
				if data, _ := os.ReadFile(path); bytes.Contains(data, []byte(accessToken)) || bytes.Contains(data, []byte("an~access")) {
					t.Errorf("%s has the token", path)
				}
				return nil
			})
		})
	}
}

// TestKeyFileThatCannotBeMade: the token is not kept, which is said, and mail goes out.
func TestKeyFileThatCannotBeMade(t *testing.T) {
	url, asked := newEndpoint(t)
	taken := write(t, filepath.Join(t.TempDir(), "file"), "")
	cfg := only(t, "SMTPSEND_OFFICE_MANAGED_IDENTITY=system", "AZURE_POD_IDENTITY_AUTHORITY_HOST="+strings.TrimSuffix(url, "/token"))
	for n := range int32(2) {
		var warnings []error
		a := account.New(cfg, account.Options{CacheDir: filepath.Join(taken, "dir"), Warn: func(err error) { warnings = append(warnings, err) }})
		got, err := a.Token(t.Context())
		if err != nil || got.AccessToken != accessToken || asked.Load() != n+1 {
			t.Errorf("%v, %v, asked %d times", got, err, asked.Load())
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "key file") {
			t.Errorf("warnings: %v", warnings)
		}
	}
}

func TestTokenThatAnotherProgramKeepsIsNotKeptTwice(t *testing.T) {
	dir := t.TempDir()
	name := write(t, filepath.Join(t.TempDir(), "token"), accessToken+"\n")
	token(t, dir, "SMTPSEND_OFFICE_ACCESS_TOKEN_FILE="+name)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestRotatedCredentialLeavesOldFilesUnread: a token that an old key fetched is not used
// with the new one, and is again with the old one.
func TestRotatedCredentialLeavesOldFilesUnread(t *testing.T) {
	url, asked := newEndpoint(t)
	dir, pair := t.TempDir(), filepath.Join(t.TempDir(), "pair.pem")
	_ = os.Chmod(dir, 0o700)
	set := []string{"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + pair, "SMTPSEND_OFFICE_TOKEN_ENDPOINT=" + url}
	writePair(t, pair)
	old, err := os.ReadFile(pair)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range []int32{1, 2, 2} {
		switch step {
		case 1:
			writePair(t, pair)
		case 2:
			write(t, pair, string(old))
		}
		token(t, dir, set...)
		if asked.Load() != want {
			t.Errorf("step %d: asked %d times", step, asked.Load())
		}
	}
}

// TestCredentialThatComesLater: a process that began without its file finds it.
func TestCredentialThatComesLater(t *testing.T) {
	url, _ := newEndpoint(t)
	pair := filepath.Join(t.TempDir(), "pair.pem")
	a := account.New(only(t, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE="+pair, "SMTPSEND_OFFICE_TOKEN_ENDPOINT="+url), account.Options{})
	if _, err := a.Token(t.Context()); err == nil {
		t.Error("a token without a certificate")
	}
	writePair(t, pair)
	if _, err := a.Token(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAKeyFileThatIsNotOursKeepsNoToken: the process goes on without a cache, and says so
// once. So it does where no file can be made.
func TestAKeyFileThatIsNotOursKeepsNoToken(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"a link":          func(dir string) error { return os.Symlink("elsewhere", filepath.Join(dir, "key")) },
		"empty":           func(dir string) error { return os.WriteFile(filepath.Join(dir, "key"), nil, 0o600) },
		"short":           func(dir string) error { return os.WriteFile(filepath.Join(dir, "key"), []byte("x"), 0o600) },
		"a directory":     func(dir string) error { return os.Mkdir(filepath.Join(dir, "key"), 0o700) },
		"no directory":    func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) },
		"a lock in place": func(dir string) error { return os.Mkdir(filepath.Join(dir, "key.lock"), 0o700) },
	} {
		url, asked := newEndpoint(t)
		dir := filepath.Join(t.TempDir(), "cache")
		if err := errors.Join(os.Mkdir(dir, 0o700), spoil(dir)); err != nil {
			t.Fatal(err)
		}
		var warned []error
		cfg := only(t, "SMTPSEND_OFFICE_TOKEN_ENDPOINT="+url, "SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:T", "T=a.b.c")
		a := account.New(cfg, account.Options{CacheDir: dir, Warn: func(err error) { warned = append(warned, err) }})
		for range 2 {
			if got, err := a.Token(t.Context()); err != nil || got.AccessToken != accessToken {
				t.Errorf("%s: %v", name, err)
			}
		}
		if asked.Load() != 1 || len(warned) != 1 || !strings.HasPrefix(fmt.Sprint(warned[0]), "the access token is not kept: ") {
			t.Errorf("%s: %d requests, warned %v", name, asked.Load(), warned)
		}
	}
}
