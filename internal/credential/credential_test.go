package credential_test

import (
	"errors"
	"testing"

	"github.com/smtpsend/smtpsend/internal/credential"
)

// settings are values by the setting's name; one with a * comes from a variable of others.
type settings map[string]string

func (s settings) given(name string) (credential.Given, bool) {
	if value, ok := s[name]; ok {
		return credential.Given{Value: value, By: "SMTPSEND_" + name}, true
	}
	value, ok := s["*"+name]
	return credential.Given{Value: value, By: "AZURE_" + name, Ambient: true}, ok
}

func TestChoose(t *testing.T) {
	github := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
	pipelines := map[string]string{"SYSTEM_OIDCREQUESTURI": "https://x", "SYSTEM_ACCESSTOKEN": "t"}
	service := map[string]string{"IDENTITY_ENDPOINT": "http://x", "IDENTITY_HEADER": "h", "AZURE_CLIENT_ID": "id"}
	for name, tt := range map[string]struct {
		given   settings
		environ map[string]string
		want    string
	}{
		"nothing":                            {nil, nil, "none"},
		"a secret":                           {settings{"OFFICE_CLIENT_SECRET": ""}, nil, "client secret, by SMTPSEND_OFFICE_CLIENT_SECRET"},
		"ours before all that is offered":    {settings{"OFFICE_ACCESS_TOKEN_FILE": "/t", "*OFFICE_CLIENT_SECRET": ""}, github, "access token (file), by SMTPSEND_OFFICE_ACCESS_TOKEN_FILE"},
		"Azure's secret before its others":   {settings{"*OFFICE_CLIENT_SECRET": "", "*OFFICE_CLIENT_CERTIFICATE_FILE": "/c"}, nil, "client secret, by AZURE_OFFICE_CLIENT_SECRET"},
		"Azure's certificate before a token": {settings{"*OFFICE_CLIENT_CERTIFICATE_FILE": "/c", "*OFFICE_FEDERATED_TOKEN_FILE": "/t"}, nil, "certificate, by AZURE_OFFICE_CLIENT_CERTIFICATE_FILE"},
		"Kubernetes before CI":               {settings{"*OFFICE_FEDERATED_TOKEN_FILE": "/t"}, github, "federated token (file), by AZURE_OFFICE_FEDERATED_TOKEN_FILE"},
		"GitHub Actions":                     {nil, github, "federated token (GitHub Actions), by ACTIONS_ID_TOKEN_REQUEST_URL"},
		"GitHub Actions without permission":  {nil, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}, "none"},
		"Azure Pipelines":                    {nil, pipelines, "federated token (Azure Pipelines), by SYSTEM_OIDCREQUESTURI"},
		"GitLab":                             {nil, map[string]string{"GITLAB_CI": "true", "GITLAB_OIDC_TOKEN": "t"}, "federated token (GitLab), by GITLAB_OIDC_TOKEN"},
		"a variable":                         {settings{"OFFICE_FEDERATED_TOKEN_FROM": "env:T"}, map[string]string{"T": "t"}, "federated token (environment variable), by SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM"},
		"App Service":                        {nil, service, "managed identity (App Service), by IDENTITY_ENDPOINT"},
		"Azure Arc":                          {nil, map[string]string{"IDENTITY_ENDPOINT": "http://x", "IMDS_ENDPOINT": "http://y"}, "managed identity (Azure Arc), by IDENTITY_ENDPOINT"},
		"Service Fabric is not ours":         {nil, map[string]string{"IDENTITY_ENDPOINT": "http://x", "IDENTITY_HEADER": "h", "IDENTITY_SERVER_THUMBPRINT": "p"}, "none"},
		"a machine that is named":            {settings{"OFFICE_MANAGED_IDENTITY": "system"}, nil, "managed identity (virtual machine), by SMTPSEND_OFFICE_MANAGED_IDENTITY"},
		"named on App Service":               {settings{"OFFICE_MANAGED_IDENTITY": "system"}, service, "managed identity (App Service), by SMTPSEND_OFFICE_MANAGED_IDENTITY"},
	} {
		got, err := credential.Choose(tt.given.given, tt.environ)
		if got.String() != tt.want || err != nil {
			t.Errorf("%s: %v, %v; want %s", name, got, err, tt.want)
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		given settings
		want  string
	}{
		"two kinds":            {settings{"OFFICE_CLIENT_SECRET": "", "OFFICE_CLIENT_CERTIFICATE_FILE": "/c"}, "is one of several credentials, keep one: SMTPSEND_OFFICE_CLIENT_SECRET, SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE"},
		"two ways of one":      {settings{"OFFICE_FEDERATED_TOKEN_FILE": "/t", "OFFICE_FEDERATED_TOKEN_COMMAND": "c"}, "is one of several credentials, keep one: SMTPSEND_OFFICE_FEDERATED_TOKEN_FILE, SMTPSEND_OFFICE_FEDERATED_TOKEN_COMMAND"},
		"an unknown place":     {settings{"OFFICE_FEDERATED_TOKEN_FROM": "gitlab"}, "is not one of github, azure-pipelines, env:NAME"},
		"a variable not set":   {settings{"OFFICE_FEDERATED_TOKEN_FROM": "env:T"}, "names the environment variable T, which is not set"},
		"no permission":        {settings{"OFFICE_FEDERATED_TOKEN_FROM": "github"}, "is github, but ACTIONS_ID_TOKEN_REQUEST_URL is not set: give the job permissions: id-token: write"},
		"not in Azure's build": {settings{"OFFICE_FEDERATED_TOKEN_FROM": "azure-pipelines"}, "is azure-pipelines, but SYSTEM_OIDCREQUESTURI is not set"},
	} {
		_, err := credential.Choose(tt.given.given, nil)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v; want %s", name, err, tt.want)
		}
		if several := len(tt.given) > 1; several != errors.Is(err, credential.ErrSeveral) {
			t.Errorf("%s: ErrSeveral is %v", name, !several)
		}
	}
}

func TestIdentity(t *testing.T) {
	for value, want := range map[string][2]string{
		"": {}, "11111111-2222-3333-4444-555555555555": {"client_id", "11111111-2222-3333-4444-555555555555"},
		"object:1": {"object_id", "1"}, "/subscriptions/x": {"msi_res_id", "/subscriptions/x"},
	} {
		if name, id := (credential.Choice{Value: value}).Identity(); [2]string{name, id} != want {
			t.Errorf("%s: %s=%s", value, name, id)
		}
	}
}
