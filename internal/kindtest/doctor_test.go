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
			r, err := b.run("--env-file", b.file, "doctor")
			isWarning := func(line string) bool { return strings.HasPrefix(line, "warn") }
			if err != nil || r.code != 0 || slices.ContainsFunc(strings.Split(r.stdout, "\n"), isWarning) {
				t.Errorf("%v: %+v", err, r)
			}
		})
	}
}

// TestDoctorNamesWhatSendNames: a failure before the token endpoint is asked has one name
// and one exit code in both verbs.
func TestDoctorNamesWhatSendNames(t *testing.T) {
	const absent = "federated-token-absent"
	for name, tt := range map[string]struct {
		kind, variable, value string
		code                  string
	}{
		"no file":                      {wallet.FederatedFile, "AZURE_FEDERATED_TOKEN_FILE", "/nonexistent/token", absent},
		"a wrong job":                  {wallet.GitHub, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x", absent},
		"no one listens":               {wallet.GitHub, "ACTIONS_ID_TOKEN_REQUEST_URL", "https://127.0.0.1:1/?api-version=2.0", absent},
		"another service connection":   {wallet.AzurePipelines, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "11111111-2222-3333-4444-555555555555", absent},
		"no certificate":               {wallet.Certificate, "AZURE_CLIENT_CERTIFICATE_PATH", "/nonexistent/client.pem", "certificate-unreadable"},
		"no access token":              {wallet.Token, "SMTPSEND_OFFICE_ACCESS_TOKEN_FILE", "/nonexistent/token", "access-token-absent"},
		"no one gives an identity":     {wallet.IMDS, "AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1", "managed-identity-absent"},
		"another identity of the host": {wallet.IMDS, "SMTPSEND_OFFICE_MANAGED_IDENTITY", "11111111-2222-3333-4444-555555555555", "managed-identity-unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			b := set(t, tt.kind, sandbox.Options{})
			b.with(tt.variable, tt.value)
			sent := b.send(t)
			r, err := b.run("--env-file", b.file, "doctor")
			if err != nil || !strings.Contains(r.stdout, "("+tt.code+",") || !strings.Contains(sent.stderr, "smtpsend explain "+tt.code) || r.code != sent.code {
				t.Errorf("%v: send ends with %d:\n%s\ndoctor ends with %d:\n%s", err, sent.code, sent.stderr, r.code, r.stdout)
			}
		})
	}
}
