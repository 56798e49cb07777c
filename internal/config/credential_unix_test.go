//go:build unix

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/credential"
)

func TestTwoCredentialsAreRefusedByTheirVariables(t *testing.T) {
	dir := t.TempDir()
	secretFile := write(t, filepath.Join(dir, "secret"), hidden)
	envFile := write(t, filepath.Join(dir, "x.env"), "SMTPSEND_OFFICE_MANAGED_IDENTITY=system\n")
	for _, tt := range []struct {
		set     []string
		envFile string
		want    string
	}{
		{[]string{"SMTPSEND_OFFICE_CLIENT_SECRET=" + hidden, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=/c"}, "", "SMTPSEND_OFFICE_CLIENT_SECRET, SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE"},
		{[]string{"SMTPSEND_OFFICE_CLIENT_SECRET_FILE=" + secretFile, "SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=/t"}, "", "SMTPSEND_OFFICE_CLIENT_SECRET_FILE, SMTPSEND_OFFICE_ACCESS_TOKEN_FILE"},
		{[]string{"SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE=/t"}, envFile, "SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE, "},
	} {
		o := options(t, ids(tt.set...)...)
		o.EnvFile = tt.envFile
		if got := strings.Join(problems(t, o), "\n"); !strings.Contains(got, "error: these settings give a credential each, keep one: "+tt.want) {
			t.Errorf("%v: %s", tt.set, got)
		}
	}
}

func TestWhatIsOnlyOfferedNeverContradicts(t *testing.T) {
	offered := []string{
		"AZURE_CLIENT_ID=" + guid, "AZURE_TENANT_ID=" + tenant, "AZURE_CLIENT_SECRET=" + hidden, "AZURE_CLIENT_CERTIFICATE_PATH=/c", "AZURE_FEDERATED_TOKEN_FILE=/t",
		"ACTIONS_ID_TOKEN_REQUEST_URL=https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=t", "SYSTEM_OIDCREQUESTURI=https://x", "SYSTEM_ACCESSTOKEN=t",
		"IDENTITY_ENDPOINT=http://127.0.0.1/x", "IDENTITY_HEADER=h", "GITLAB_CI=true", "GITLAB_OIDC_TOKEN=t",
	}
	for ours, want := range map[string]credential.Kind{
		"X=y": credential.Secret, // Azure's first
		"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=/d": credential.Certificate,
		"SMTPSEND_OFFICE_MANAGED_IDENTITY=system":    credential.ManagedIdentity,
		"SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=/d":       credential.AccessToken,
		"SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE=/d":    credential.Federated,
	} {
		cfg := load(t, options(t, append(offered, ours)...))
		if cfg.Credential.Kind != want || cfg.Credential.Ambient != (ours == "X=y") {
			t.Errorf("%s: %v", ours, cfg.Credential)
		}
		if isSecret := want == credential.Secret; isSecret == cfg.OfficeClientSecret.IsZero() {
			t.Errorf("%s: the secret is there: %v", ours, !isSecret)
		}
	}
}

// TestAzurePipelinesNamesItsClient: the tasks of Azure Pipelines set client and tenant of
// their service connection in variables of their own, which count for its token alone.
func TestAzurePipelinesNamesItsClient(t *testing.T) {
	const other = "99999999-2222-3333-4444-555555555555"
	job := []string{
		"SYSTEM_OIDCREQUESTURI=https://x", "SYSTEM_ACCESSTOKEN=t", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=" + other,
		"AZURESUBSCRIPTION_CLIENT_ID=" + guid, "AZURESUBSCRIPTION_TENANT_ID=" + tenant,
	}
	cfg := load(t, options(t, job...))
	if cfg.OfficeClientID != guid || cfg.OfficeTenantID != tenant || cfg.Origin("OFFICE_CLIENT_ID").String() != "environment AZURESUBSCRIPTION_CLIENT_ID" {
		t.Errorf("client %s by %v, tenant %s", cfg.OfficeClientID, cfg.Origin("OFFICE_CLIENT_ID"), cfg.OfficeTenantID)
	}
	if cfg := load(t, options(t, append(job, "AZURE_CLIENT_ID="+other)...)); cfg.OfficeClientID != other {
		t.Errorf("AZURE_CLIENT_ID does not count: %s", cfg.OfficeClientID)
	}
	lacking := strings.Join(problems(t, options(t, append(job, "SYSTEM_ACCESSTOKEN=")...)), "\n")
	if strings.Contains(lacking, "CLIENT_ID") || !strings.Contains(lacking, "SYSTEM_ACCESSTOKEN is not set") {
		t.Errorf("without SYSTEM_ACCESSTOKEN: %s", lacking)
	}
	got := strings.Join(problems(t, options(t, append(job, "SMTPSEND_OFFICE_CLIENT_SECRET="+hidden)...)), "\n")
	if !strings.Contains(got, "SMTPSEND_OFFICE_CLIENT_ID is not set") {
		t.Errorf("a secret is used with the client of a service connection: %s", got)
	}
}

// TestWhatBelongsToAnotherCredential has no effect, and that is said of what is ours.
func TestWhatBelongsToAnotherCredential(t *testing.T) {
	const certificate = "has no effect: the credential in use is certificate, by SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE"
	for _, tt := range []struct{ set, want string }{
		{"SMTPSEND_OFFICE_CLIENT_SECRET_NEXT=" + hidden, "SMTPSEND_OFFICE_CLIENT_SECRET_NEXT " + certificate},
		{"SMTPSEND_OFFICE_CLIENT_SECRET_NEXT_FILE=/n", "SMTPSEND_OFFICE_CLIENT_SECRET_NEXT " + certificate},
		{"SMTPSEND_OFFICE_CLIENT_SECRET_EXPIRES=2027-11-30", "SMTPSEND_OFFICE_CLIENT_SECRET_EXPIRES " + certificate},
		{"SMTPSEND_OFFICE_FEDERATED_AUDIENCE=api://x", "SMTPSEND_OFFICE_FEDERATED_AUDIENCE " + certificate},
		{"SMTPSEND_OFFICE_CLIENT_CERTIFICATE_NEXT_FILE=/n", ""},
		{"AZURE_CLIENT_SECRET=" + hidden, ""},
		{"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=x", ""},
	} {
		got := strings.Join(problems(t, options(t, ids("SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=/c", tt.set)...)), "\n")
		isWarned := strings.Contains(got, "has no effect")
		if isWarned != (tt.want != "") || !strings.Contains(got, tt.want) || strings.Contains(got, "different places") {
			t.Errorf("%s: %s", tt.set, got)
		}
	}
}

// TestSecretsOfOtherKindsAreNotRead: their commands do not run, their files may be absent.
func TestSecretsOfOtherKindsAreNotRead(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	touch := "sh -c 'touch \"$1\"; echo s' x " + mark
	for _, own := range []string{"SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=/t", "SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE=/t", "SMTPSEND_OFFICE_MANAGED_IDENTITY=system"} {
		load(t, options(t, ids(own, "SMTPSEND_OFFICE_CLIENT_SECRET_NEXT_COMMAND="+touch, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD_COMMAND="+touch)...))
	}
	load(t, options(t, complete("SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD_FILE=/does/not/exist")...))
	if _, err := os.Stat(mark); err == nil {
		t.Error("a command ran whose secret is not needed")
	}
	cfg := load(t, options(t, ids("SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=/c", "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD_COMMAND="+touch)...))
	if _, err := os.Stat(mark); err != nil || cfg.OfficeClientCertificatePassword.Reveal() != "s" {
		t.Errorf("the password that is needed was not read: %v", err)
	}
}

func TestAzurePipelinesNeedsItsServiceConnection(t *testing.T) {
	build := []string{"SYSTEM_OIDCREQUESTURI=https://x", "SYSTEM_ACCESSTOKEN=" + hidden, "SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=azure-pipelines"}
	wantLines(t, problems(t, options(t, ids(build...)...)), "error: SMTPSEND_OFFICE_SERVICE_CONNECTION_ID is not set: Azure Pipelines gives the token of a service connection")
	cfg := load(t, options(t, ids(append(build, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID="+guid)...)...))
	if cfg.OfficeServiceConnectionID != guid {
		t.Errorf("the service connection is %q", cfg.OfficeServiceConnectionID)
	}
}

// TestJobsWithoutATokenAreTold: a CI system gives a token only to a job that asks for it.
func TestJobsWithoutATokenAreTold(t *testing.T) {
	for system, want := range map[string]string{
		"GITHUB_ACTIONS=true": "in GitHub Actions ACTIONS_ID_TOKEN_REQUEST_URL is not set: give the job permissions: id-token: write",
		"TF_BUILD=True":       "in Azure Pipelines SYSTEM_ACCESSTOKEN is not set: give the step env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
		"GITLAB_CI=true":      "in GitLab GITLAB_OIDC_TOKEN is not set: give the job id_tokens, or name its variable with SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:NAME",
		"CI=true":             "",
	} {
		got := problems(t, options(t, ids(system)...))
		if len(got) == 0 || !strings.HasPrefix(got[0], "error: SMTPSEND_OFFICE_CLIENT_SECRET is not set") || !strings.HasSuffix(got[0], want) {
			t.Errorf("%s: %q, want %q", system, got, want)
		}
	}
}

// TestNotifyCommandGetsNoCredential: of no kind, whatever its variable is called.
func TestNotifyCommandGetsNoCredential(t *testing.T) {
	into := filepath.Join(t.TempDir(), "environment")
	cfg := load(t, options(t, ids("PATH=/usr/bin:/bin", "OTHER=kept", "SMTPSEND_NOTIFY_COMMAND=sh -c 'env > \"$1\"' x "+into,
		"SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:OUR_ID_TOKEN", "OUR_ID_TOKEN="+hidden, "GITLAB_OIDC_TOKEN="+hidden, "SYSTEM_ACCESSTOKEN="+hidden,
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN="+hidden, "IDENTITY_HEADER="+hidden, "AZURE_CLIENT_SECRET="+hidden, "AZURE_CLIENT_CERTIFICATE_PASSWORD="+hidden,
		"SMTPSEND_OFFICE_CLIENT_SECRET_NEXT_COMMAND=echo "+hidden, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_PASSWORD="+hidden)...))
	if err := cfg.Notify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(into)
	if err != nil || !strings.Contains(string(got), "OTHER=kept") || strings.Contains(string(got), hidden) {
		t.Errorf("%v: its environment is %s", err, got)
	}
}
