package kindtest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

func TestDoctorOfEachKind(t *testing.T) {
	for _, kind := range wallet.Kinds() {
		t.Run(kind, func(t *testing.T) {
			b := set(t, kind, sandbox.Options{})
			r := b.verb(t, "doctor")
			isWarning := func(line string) bool { return strings.HasPrefix(line, "warn") }
			if r.code != 0 || slices.ContainsFunc(strings.Split(r.stdout, "\n"), isWarning) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestVerbsNameOneFailure: a failure before the token endpoint is asked has one name and one
// exit code in all verbs. Where it is in the settings of a credential, expiry has the same
// code.
func TestVerbsNameOneFailure(t *testing.T) {
	const absent = "federated-token-absent"
	for name, tt := range map[string]struct {
		kind, variable, value string
		named                 string
		code                  int
	}{
		"no file":                      {wallet.FederatedFile, "AZURE_FEDERATED_TOKEN_FILE", "/nonexistent/token", absent, 78},
		"a wrong job":                  {wallet.GitHub, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x", absent, 78},
		"no one listens":               {wallet.GitHub, "ACTIONS_ID_TOKEN_REQUEST_URL", "https://127.0.0.1:1/?api-version=2.0", "federated-token-trouble", 75},
		"another service connection":   {wallet.AzurePipelines, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "11111111-2222-3333-4444-555555555555", absent, 78},
		"no certificate":               {wallet.Certificate, "AZURE_CLIENT_CERTIFICATE_PATH", "/nonexistent/client.pem", "certificate-unreadable", 78},
		"no access token":              {wallet.Token, "SMTPSEND_OFFICE_ACCESS_TOKEN_FILE", "/nonexistent/token", "access-token-absent", 78},
		"an access token of two lines": {wallet.Token, "SMTPSEND_OFFICE_ACCESS_TOKEN_FILE", "testdata/lines", "access-token-absent", 78},
		"an endpoint elsewhere":        {wallet.AppService, "IDENTITY_ENDPOINT", "http://192.0.2.7/msi/token", "managed-identity-endpoint", 78},
		"a header of two lines":        {wallet.AppService, "IDENTITY_HEADER", "a\nb", "managed-identity-endpoint", 78},
		"no one gives an identity":     {wallet.IMDS, "AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1", "managed-identity-absent", 75},
		"another identity of the host": {wallet.IMDS, "SMTPSEND_OFFICE_MANAGED_IDENTITY", "11111111-2222-3333-4444-555555555555", "managed-identity-unknown", 77},
	} {
		t.Run(name, func(t *testing.T) {
			b := set(t, tt.kind, sandbox.Options{})
			b.with(tt.variable, tt.value)
			for verb, r := range map[string]result{"send": b.send(t), "token": b.verb(t, "token"), "doctor": b.verb(t, "doctor")} {
				isNamed := strings.Contains(r.stdout, "("+tt.named+",") || strings.Contains(r.stderr, "smtpsend explain "+tt.named)
				if !isNamed || r.code != tt.code {
					t.Errorf("%s ends with %d, want %s and %d:\n%s%s", verb, r.code, tt.named, tt.code, r.stdout, r.stderr)
				}
			}
			if r := b.verb(t, "expiry"); tt.kind == wallet.Certificate && r.code != tt.code {
				t.Errorf("expiry ends with %d:\n%s", r.code, r.stderr)
			}
		})
	}
}

// verb runs one that takes no arguments.
func (b *bench) verb(t *testing.T, name string) result {
	t.Helper()
	r, err := b.run("--env-file", b.file, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
