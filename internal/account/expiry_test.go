package account_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/keypair"
)

// today is the day on which a client secret ends in 29 days.
var today = time.Date(2027, 11, 1, 12, 0, 0, 0, time.Local)

// warnings are what an account says of ends when it makes its credential.
func warnings(t *testing.T, cfg *config.Config, now time.Time) (texts []string) {
	t.Helper()
	a := account.New(cfg, account.Options{
		Now: func() time.Time { return now },
		Warn: func(err error) {
			if w, ok := errors.AsType[*expiry.Warning](err); ok {
				texts = append(texts, w.Item.When(w.At))
			}
		},
	})
	for range 2 {
		if _, err := a.Entra(); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

// With the clock moved: 31 days before nothing is said, 29 days before and on the day
// after one warning, however often the credential is used.
func TestACredentialWarnsOfItsEndOnce(t *testing.T) {
	secret := settings(t, "SMTPSEND_OFFICE_CLIENT_SECRET_EXPIRES=2027-11-30")
	certificate := withCertificate(t, pairUntil(t, t.TempDir(), "client.pem", today.AddDate(0, 0, 29)))
	for _, tt := range []struct {
		name string
		cfg  *config.Config
		now  time.Time
		want string
	}{
		{"secret", secret, today.AddDate(0, 0, -2), ""},
		{"secret", secret, today, "ends on 2027-11-30, in 29 days"},
		{"secret", secret, today.AddDate(0, 0, 30), "ended on 2027-11-30, 1 day ago"},
		{"certificate", certificate, today.AddDate(0, 0, -2), ""},
		{"certificate", certificate, today, "ends on 2027-11-30, in 29 days"},
		{"certificate", certificate, today.AddDate(0, 0, 30), "ended on 2027-11-30, 1 day ago"},
	} {
		got := warnings(t, tt.cfg, tt.now)
		asWanted := len(got) == 1 && strings.HasSuffix(got[0], tt.want)
		if (tt.want == "" && got != nil) || (tt.want != "" && !asWanted) {
			t.Errorf("%s at %v: %q, want %q", tt.name, tt.now, got, tt.want)
		}
	}
}

// pairUntil writes a certificate with its key that ends then, and returns its path.
func pairUntil(t *testing.T, dir, name string, ends time.Time) string {
	t.Helper()
	pair, err := keypair.New(keypair.Template{Bits: 2048, Life: time.Hour, Now: func() time.Time { return ends.Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	return put(t, filepath.Join(dir, name), pair.PEM().Reveal())
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// other are settings without a client secret.
func other(t *testing.T, more ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load(t.Context(), config.Options{NoEnvFile: true, Environ: append([]string{
		"SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
	}, more...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func withCertificate(t *testing.T, path string) *config.Config {
	t.Helper()
	return other(t, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE="+path)
}

// ends are the kinds and states of all that ends, and what could not be read.
func ends(t *testing.T, cfg *config.Config, now time.Time) string {
	t.Helper()
	items, err := account.New(cfg, account.Options{}).Proof().Watch().All(t.Context())
	texts := []string{}
	for _, i := range items {
		texts = append(texts, fmt.Sprintf("%s %s", i.Kind, i.State(now, expiry.Notice)))
		if i.Followed {
			texts = append(texts, "followed")
		}
	}
	if err != nil {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, ", ")
}

// The next certificate is found in its usual place, and takes the place of the first
// only when it lives longer.
func TestEndsOfCertificates(t *testing.T) {
	dir := t.TempDir()
	cfg := withCertificate(t, pairUntil(t, dir, "client.pem", today.AddDate(0, 0, 20)))
	if got := ends(t, cfg, today); got != "client certificate ends soon" {
		t.Error(got)
	}
	pairUntil(t, dir, "client.pem.next", today.AddDate(1, 0, 0))
	if got := ends(t, cfg, today); got != "client certificate ends soon, followed, next client certificate valid" {
		t.Error(got)
	}
	if got := warnings(t, cfg, today); len(got) != 1 {
		t.Errorf("warnings %q", got)
	}
	pairUntil(t, dir, "client.pem.next", today.AddDate(0, 0, 10))
	if got := ends(t, cfg, today); got != "client certificate ends soon, next client certificate ends soon" {
		t.Error(got)
	}
	put(t, filepath.Join(dir, "client.pem.next"), "not a certificate")
	if got := ends(t, cfg, today); !strings.HasPrefix(got, "client certificate ends soon, ") || !strings.Contains(got, "client.pem.next does not contain") {
		t.Error(got)
	}
}

// A next certificate that a setting names is not there between two rotations: then all
// ends are known, as without the setting.
func TestANextCertificateThatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	cfg := withCertificate(t, pairUntil(t, dir, "client.pem", today.AddDate(0, 0, 20)))
	cfg.OfficeClientCertificateNextFile = filepath.Join(dir, "next.pem")
	if got := ends(t, cfg, today); got != "client certificate ends soon" {
		t.Error(got)
	}
	pairUntil(t, dir, "next.pem", today.AddDate(1, 0, 0))
	if got := ends(t, cfg, today); got != "client certificate ends soon, followed, next client certificate valid" {
		t.Error(got)
	}
}

// The key of a certificate may be encrypted: its end is known without the password.
func TestEndsNeedNoKey(t *testing.T) {
	dir := t.TempDir()
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	cfg := withCertificate(t, put(t, filepath.Join(dir, "client.pem"), string(pair.CertificatePEM())))
	if got := ends(t, cfg, time.Now()); got != "client certificate valid" {
		t.Error(got)
	}
}

// Tokens that another program renews are worth a word only after their end.
func TestEndsOfTokens(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iss":"x","sub":"y","aud":"z","exp":%d}`, today.Unix()))
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`))
	token := header + "." + claims + ".c2lnbmF0dXJl"
	file := put(t, filepath.Join(t.TempDir(), "token"), token)
	for name, tt := range map[string]struct {
		settings []string
		kind     string
	}{
		"file":           {[]string{"AZURE_FEDERATED_TOKEN_FILE=" + file}, "federated token"},
		"variable":       {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:T", "T=" + token}, "federated token"},
		"access token":   {[]string{"SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=" + file}, "access token"},
		"of a program":   {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_COMMAND=/bin/false"}, ""},
		"not a JWT":      {[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:T", "T=opaque"}, ""},
		"of a machine":   {[]string{"SMTPSEND_OFFICE_MANAGED_IDENTITY=system"}, ""},
		"secret, no day": {[]string{"SMTPSEND_OFFICE_CLIENT_SECRET=abcdefghijklmnopqrstuvwxyz0123456789.~-_"}, ""},
	} {
		cfg := other(t, tt.settings...)
		want := []string{"", ""}
		if tt.kind != "" {
			want = []string{tt.kind + " valid", tt.kind + " ended"}
		}
		got := []string{ends(t, cfg, today.Add(-time.Minute)), ends(t, cfg, today.Add(time.Minute))}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := ends(t, other(t, "AZURE_FEDERATED_TOKEN_FILE="+file+".no"), today); !strings.Contains(got, "cannot be read") {
		t.Errorf("a file that is not there: %q", got)
	}
}

// The certificates of the relay are those of its settings file, each once.
func TestEndsOfTheRelay(t *testing.T) {
	dir := t.TempDir()
	pairUntil(t, dir, "relay.pem", today.AddDate(0, 0, 5))
	relay := put(t, filepath.Join(dir, "relay.yaml"), `
listeners:
  - {address: "starttls://127.0.0.1:2525", policy: ip, certificate: relay.pem, key: relay.pem}
  - {address: "starttls://127.0.0.1:2526", policy: ip, certificate: relay.pem, key: relay.pem}
  - {address: "starttls://127.0.0.1:2527", policy: ip}
clients:
  - {name: all, networks: [127.0.0.1], mailbox: a@contoso.example}
`)
	cfg := settings(t, "SMTPSEND_RELAY_FILE="+relay)
	if got := ends(t, cfg, today); got != "relay certificate ends soon" {
		t.Error(got)
	}
	if got := warnings(t, cfg, today); got != nil {
		t.Errorf("a token needs no certificate of the relay: %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "relay.pem")); err != nil {
		t.Fatal(err)
	}
	if got := ends(t, cfg, today); !strings.HasSuffix(got, "relay.pem cannot be read: no such file or directory") {
		t.Error(got)
	}
}
