package kindtest_test

import (
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// write makes a file of the bench.
func (b *bench) write(t testing.TB, name, content string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// idToken is one of the sandbox's issuer.
func (b *bench) idToken(t testing.TB, c idissuer.Claims) string {
	t.Helper()
	token, err := b.box.Credentials().Issuer().Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forget removes the credentials of a kind that are registered.
func (b *bench) forget(t testing.TB, kind string) {
	t.Helper()
	for _, k := range b.box.Credentials().Keys().Of(kind) {
		if err := b.box.Credentials().Keys().Remove(k.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) expire(t testing.TB, kind string) {
	t.Helper()
	for _, k := range b.box.Credentials().Keys().Of(kind) {
		if err := b.box.Credentials().Keys().Expire(k.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func pairOf(t testing.TB) *keypair.Pair {
	t.Helper()
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestWrongSettings: each has Entra's own error, and no mail goes out.
func TestWrongSettings(t *testing.T) {
	trustOnly := func(change func(*keyring.Trust)) func(testing.TB, *bench) {
		return func(t testing.TB, b *bench) {
			b.forget(t, keyring.KindFederated)
			trust := keyring.Trust{Issuer: b.box.Credentials().Issuer().URL(), Subject: idissuer.SubjectGitHub, Audience: idissuer.Audience}
			change(&trust)
			b.box.Credentials().Keys().AddTrust(trust)
		}
	}
	for name, tt := range map[string]struct {
		kind   string
		wrong  func(testing.TB, *bench)
		aadsts int
		code   int
	}{
		"a wrong secret":      {wallet.Secret, func(_ testing.TB, b *bench) { b.with("AZURE_CLIENT_SECRET", "wrong-wrong-wrong") }, 7000215, 77},
		"an expired secret":   {wallet.Secret, func(t testing.TB, b *bench) { b.expire(t, keyring.KindSecret) }, 7000222, 77},
		"another client":      {wallet.Secret, func(_ testing.TB, b *bench) { b.with("AZURE_CLIENT_ID", "11111111-2222-3333-4444-555555555555") }, 700016, 77},
		"another tenant":      {wallet.Secret, func(_ testing.TB, b *bench) { b.with("AZURE_TENANT_ID", "11111111-2222-3333-4444-555555555555") }, 90002, 77},
		"not uploaded":        {wallet.Certificate, func(t testing.TB, b *bench) { b.forget(t, keyring.KindCertificate) }, 700027, 77},
		"expired there":       {wallet.Certificate, func(t testing.TB, b *bench) { b.expire(t, keyring.KindCertificate) }, 700027, 77},
		"another certificate": {wallet.Certificate, func(t testing.TB, b *bench) { b.write(t, b.file+".client.pem", pairOf(t).PEM().Reveal()) }, 700027, 77},
		"another issuer":      {wallet.GitHub, trustOnly(func(k *keyring.Trust) { k.Issuer += "/" }), 700211, 77},
		"another subject":     {wallet.GitHub, trustOnly(func(k *keyring.Trust) { k.Subject = strings.ToUpper(k.Subject) }), 700213, 77},
		"another audience":    {wallet.GitHub, trustOnly(func(k *keyring.Trust) { k.Audience = "api://other" }), 700212, 77},
		"an audience of ours": {wallet.GitHub, func(_ testing.TB, b *bench) { b.with("SMTPSEND_OFFICE_FEDERATED_AUDIENCE", "api://other") }, 700212, 77},
		"none is trusted":     {wallet.AzurePipelines, func(t testing.TB, b *bench) { b.forget(t, keyring.KindFederated) }, 70025, 77},
		"a token of yesterday": {wallet.FederatedFile, func(t testing.TB, b *bench) {
			b.write(t, b.file+".id-token", b.idToken(t, idissuer.Claims{Subject: idissuer.SubjectKubernetes, Life: -24 * time.Hour}))
		}, 700024, 77},
		"a token of another cluster": {wallet.FederatedFile, func(t testing.TB, b *bench) {
			b.write(t, b.file+".id-token", b.idToken(t, idissuer.Claims{Subject: idissuer.SubjectKubernetes, Issuer: "https://oidc.example/cluster"}))
		}, 700211, 77},
		"an issuer that is not on the internet": {wallet.FederatedFile, func(t testing.TB, b *bench) {
			const issuer = "https://oidc.internal/cluster"
			b.box.Credentials().Keys().AddTrust(keyring.Trust{Issuer: issuer, Subject: idissuer.SubjectKubernetes, Audience: idissuer.Audience})
			b.write(t, b.file+".id-token", b.idToken(t, idissuer.Claims{Subject: idissuer.SubjectKubernetes, Issuer: issuer}))
		}, 50166, 75},
		"a credential that is not known everywhere": {wallet.GitHub, func(t testing.TB, b *bench) {
			b.forget(t, keyring.KindFederated)
			b.box.Credentials().Keys().AddTrust(keyring.Trust{
				Issuer: b.box.Credentials().Issuer().URL(), Subject: idissuer.SubjectGitHub, Audience: idissuer.Audience, EffectiveAfter: 3600,
			})
		}, 70021, 77},
		"a token of another project": {wallet.GitLab, func(t testing.TB, b *bench) {
			b.with("GITLAB_OIDC_TOKEN", b.idToken(t, idissuer.Claims{Subject: "project_path:contoso/other:ref_type:branch:ref:main"}))
		}, 700213, 77},
		"not a token": {wallet.GitLab, func(_ testing.TB, b *bench) { b.with("GITLAB_OIDC_TOKEN", "x.y.z") }, 50027, 77},
	} {
		t.Run(name, func(t *testing.T) {
			b := set(t, tt.kind, sandbox.Options{})
			tt.wrong(t, b)
			r := b.send(t)
			if !strings.Contains(r.stderr, "AADSTS"+strconv.Itoa(tt.aadsts)+":") || !strings.Contains(r.stderr, "fix: ") {
				t.Errorf("AADSTS%d is missing, or what to do:\n%s", tt.aadsts, r.stderr)
			}
			if r.code != tt.code || len(b.box.Messages()) != 0 {
				t.Errorf("exit code %d, want %d; %d messages", r.code, tt.code, len(b.box.Messages()))
			}
			if strings.Contains(r.stderr, "[redacted]") {
				t.Errorf("words of Entra's are hidden that are no secret:\n%s", r.stderr)
			}
			if tokens := regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}`).FindString(r.stderr + r.stdout); tokens != "" {
				t.Errorf("a token is shown: %s", tokens)
			}
		})
	}
}

// TestHostsOfAzureSayNo: their errors are theirs, and what is being started is asked
// again.
func TestHostsOfAzureSayNo(t *testing.T) {
	for name, tt := range map[string]struct {
		kind  string
		wrong func(testing.TB, *bench)
		text  string
	}{
		"no such identity": {wallet.IMDS, func(_ testing.TB, b *bench) {
			b.with("SMTPSEND_OFFICE_MANAGED_IDENTITY", "11111111-2222-3333-4444-555555555555")
		}, "Identity not found"},
		"no such identity of a service": {wallet.AppService, func(_ testing.TB, b *bench) {
			b.with("AZURE_CLIENT_ID", "11111111-2222-3333-4444-555555555555")
		}, "No User Assigned or Delegated Managed Identity found"},
		"another header": {wallet.AppService, func(_ testing.TB, b *bench) { b.with("IDENTITY_HEADER", "x") }, "HTTP 401"},
		"a wrong job":    {wallet.GitHub, func(_ testing.TB, b *bench) { b.with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x") }, "HTTP 401"},
		"another service connection": {wallet.AzurePipelines, func(_ testing.TB, b *bench) {
			b.with("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "11111111-2222-3333-4444-555555555555")
		}, "HTTP 404"},
	} {
		t.Run(name, func(t *testing.T) {
			b := set(t, tt.kind, sandbox.Options{})
			tt.wrong(t, b)
			if r := b.send(t); !strings.Contains(r.stderr, tt.text) || r.code == 0 || len(b.box.Messages()) != 0 {
				t.Errorf("%d: want %s:\n%s", r.code, tt.text, r.stderr)
			}
		})
	}
	for _, status := range []int{http.StatusNotFound, http.StatusGone, http.StatusTooManyRequests, http.StatusInternalServerError} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			b := set(t, wallet.IMDS, sandbox.Options{})
			b.box.Credentials().AzureHost().Answer(status, 1)
			if r := b.send(t); r.code != 0 || len(b.box.Messages()) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestAnotherCloudIsNotAzure: others answer at the address of a virtual machine too.
func TestAnotherCloudIsNotAzure(t *testing.T) {
	b := set(t, wallet.IMDS, sandbox.Options{})
	b.box.Credentials().AzureHost().Answer(http.StatusNotFound, 100)
	if r := b.send(t); r.code != 75 || !strings.Contains(r.stderr, "explain managed-identity-absent") {
		t.Errorf("%+v", r)
	}
}

// TestTheLikeliestFixComesFirst: a token that was used too late matches its credential.
func TestTheLikeliestFixComesFirst(t *testing.T) {
	b := set(t, wallet.FederatedFile, sandbox.Options{})
	b.write(t, b.file+".id-token", b.idToken(t, idissuer.Claims{Subject: idissuer.SubjectKubernetes, Life: -24 * time.Hour}))
	r := b.send(t)
	fetch, match := strings.Index(r.stderr, "Fetch a new assertion"), strings.Index(r.stderr, "federated-credential create")
	if fetch < 0 || match < fetch {
		t.Errorf("%s", r.stderr)
	}
}
