package credential

import (
	"cmp"
	"strings"

	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// Variables that CI systems and Azure's hosts set.
const (
	variableGitHubURL      = "ACTIONS_ID_TOKEN_REQUEST_URL"
	variableGitHubToken    = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	variableAzureBuild     = "TF_BUILD"
	variableAzurePipelines = "SYSTEM_OIDCREQUESTURI"
	variableAzureJobToken  = "SYSTEM_ACCESSTOKEN"
	variableGitLab         = "GITLAB_CI"
	variableGitLabToken    = "GITLAB_OIDC_TOKEN" // the name in GitLab's examples of id_tokens
	variableIdentity       = "IDENTITY_ENDPOINT"
	variableIdentityHeader = "IDENTITY_HEADER"
	variableIMDS           = "IMDS_ENDPOINT"
	variableFabric         = "IDENTITY_SERVER_THUMBPRINT"
	variableIMDSHost       = "AZURE_POD_IDENTITY_AUTHORITY_HOST" // where Microsoft's own libraries ask in its place
	variableClientID       = "AZURE_CLIENT_ID"

	variableGitHub                = "GITHUB_ACTIONS"
	variableAzureConnectionClient = "AZURESUBSCRIPTION_CLIENT_ID" // tasks of Azure Pipelines set it for the service connection that they have
	variableAzureConnectionTenant = "AZURESUBSCRIPTION_TENANT_ID"
)

// Substitute is a variable of the environment that gives a setting.
type Substitute struct{ Setting, Variable, Value string }

// Client are the variables in which the ecosystem of the choice gives client and tenant, in
// place of the AZURE_ variables that it does not set.
func (c Choice) Client(environ map[string]string) (given []Substitute) {
	if c.Way != AzurePipelines && c.Kind != "" { // without a credential, that alone is what is missing
		return nil
	}
	for _, v := range []Substitute{{Setting: setting.ClientID, Variable: variableAzureConnectionClient}, {Setting: setting.TenantID, Variable: variableAzureConnectionTenant}} {
		if v.Value = environ[v.Variable]; v.Value != "" {
			given = append(given, v)
		}
	}
	return given
}

// Missing says of the client secret that there is neither it nor another credential, and
// what keeps the environment from offering the one that its CI system or host has.
func Missing(environ map[string]string) string {
	is := func(name string) bool { return environ[name] != "" }
	const none = "is not set, nor another credential: "
	isAzurePipelines := is(variableAzureBuild) || is(variableAzurePipelines)
	switch missing := unset(environ, variableGitHubURL, variableGitHubToken); {
	case is(variableGitHub) && missing != "":
		return none + "in GitHub Actions " + missing + gitHubFix
	case isAzurePipelines && !is(variableAzureJobToken):
		return none + "in Azure Pipelines " + variableAzureJobToken + azureJobFix
	case is(variableGitLab) && !is(variableGitLabToken):
		return none + "in GitLab " + variableGitLabToken + " is not set: give the job id_tokens, or name its variable with SMTPSEND_OFFICE_FEDERATED_TOKEN_FROM=env:NAME"
	case is(variableIdentity) && !is(variableIdentityHeader) && !is(variableIMDS):
		return none + "beside " + variableIdentity + " " + variableIdentityHeader + headerFix
	}
	return "is not set: Client secret: its Value, not its Secret ID; another credential can take its place: a certificate, a federated token, a managed identity, an access token"
}

// What to do about a variable that is missing.
const (
	gitHubFix   = " is not set: give the job permissions: id-token: write"
	azureJobFix = " is not set: give the step env: " + variableAzureJobToken + ": $(System.AccessToken)"
	headerFix   = " is not set: App Service and Container Apps set both"
)

// ambient is the credential that the environment offers. A virtual machine's is not
// looked for: asking an address that no one answers takes a second, in every network
// that is not Azure's.
func ambient(environ map[string]string) Choice {
	has := func(names ...string) bool { return unset(environ, names...) == "" }
	c := Choice{Kind: Federated, Ambient: true}
	switch {
	case has(variableGitHubURL, variableGitHubToken):
		c.Way, c.By = GitHub, variableGitHubURL
	case has(variableAzurePipelines, variableAzureJobToken):
		c.Way, c.By = AzurePipelines, variableAzurePipelines
	case has(variableGitLab, variableGitLabToken):
		c.Way, c.By, c.Value = GitLab, variableGitLabToken, variableGitLabToken
	case has(variableIdentity, variableIdentityHeader) && !has(variableFabric), has(variableIdentity, variableIMDS):
		c.Kind, c.Way, c.By = ManagedIdentity, host(environ), variableIdentity
		c.Value = environ[variableClientID] // as Microsoft's libraries take it: the identity of the user's choice
	default:
		return Choice{}
	}
	return c
}

// host is the place whose identity is asked for: one that says so, else a virtual
// machine.
func host(environ map[string]string) Way {
	switch identity := environ[variableIdentity]; {
	case identity != "" && environ[variableIdentityHeader] != "":
		return AppService
	case identity != "" && environ[variableIMDS] != "":
		return Arc
	}
	return IMDS
}

// with adds what the environment says of where the token is asked for.
func (c Choice) with(environ map[string]string) Choice {
	proof := func(url, token string) { c.URL, c.Proof = environ[url], secret.New(environ[token]) }
	switch c.Way {
	case GitHub:
		proof(variableGitHubURL, variableGitHubToken)
	case AzurePipelines:
		proof(variableAzurePipelines, variableAzureJobToken)
	case Variable, GitLab:
		c.Proof = secret.New(strings.TrimSpace(environ[c.Value]))
	case AppService:
		proof(variableIdentity, variableIdentityHeader)
	case Arc:
		c.URL = environ[variableIdentity]
	case IMDS:
		c.URL = cmp.Or(environ[variableIMDSHost], addressIMDS)
	}
	return c
}

// addressIMDS is where a virtual machine of Azure asks.
const addressIMDS = "http://169.254.169.254"

// Secrets are the variables of others whose values prove something, in capitals, and the
// one that FEDERATED_TOKEN_FROM names, when it has this value: a program that needs none
// of them must not get them.
func Secrets(tokenFrom string) []string {
	all := []string{variableGitHubToken, variableAzureJobToken, variableGitLabToken, variableIdentityHeader}
	if name, isVariable := strings.CutPrefix(tokenFrom, fromVariable); isVariable {
		all = append(all, name)
	}
	return all
}

// Identity is the identity that a managed identity's choice names, as a pair of the
// parameter's name at IMDS and its value: none for the one that the system assigned.
func (c Choice) Identity() (name, value string) {
	switch object, isObject := strings.CutPrefix(c.Value, "object:"); {
	case c.Value == "":
		return "", ""
	case isObject:
		return "object_id", object
	case strings.HasPrefix(c.Value, "/"):
		return "msi_res_id", c.Value
	}
	return "client_id", c.Value
}
