// Package wallet is all by which a client of the sandbox can prove who it is: the
// credentials that are registered on the first application, another issuer whose tokens
// it trusts, and the endpoints of hosts in Azure. [Wallet.Env] gives the variables with
// which the ecosystem of each kind runs its programs, and [Wallet.Routes] change what is
// registered while the sandbox runs.
package wallet

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sandbox/azurehost"
	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// The kinds of credential whose variables Env gives.
const (
	Secret         = "secret"
	Certificate    = "certificate"
	FederatedFile  = "federated-file"
	GitHub         = "github"
	GitLab         = "gitlab"
	AzurePipelines = "azure-pipelines"
	IMDS           = "imds"
	AppService     = "app-service"
	Arc            = "arc"
	Token          = "token"
)

// Kinds are all of these, in this order.
func Kinds() []string {
	return []string{
		Secret, Certificate, FederatedFile, GitHub, GitLab,
		AzurePipelines, IMDS, AppService, Arc, Token,
	}
}

// fileLife is how long a federated token in a file or a variable is valid, as that of
// Kubernetes and of a job of GitLab.
const fileLife = time.Hour

// Options describe a wallet. All but the last two are required.
type Options struct {
	Tenant *tenant.Tenant
	Issuer *idissuer.Issuer
	Mint   azurehost.Mint // makes access tokens

	Certificates []*x509.Certificate // registered on the first application
	// ArcKeys is the directory of Azure Arc's keys; "" is its agent's where that can be
	// written, else a temporary one.
	ArcKeys string
}

// Wallet is safe for concurrent use once SetURL was called.
type Wallet struct {
	app    *tenant.Application
	tenant string
	mint   azurehost.Mint
	issuer *idissuer.Issuer
	host   *azurehost.Host
	plain  string // the sandbox's URL without TLS
}

// New returns a wallet.
func New(options Options) *Wallet {
	o := &Wallet{
		app: options.Tenant.First(), tenant: options.Tenant.ID, mint: options.Mint, issuer: options.Issuer,
		host: azurehost.New(options.Tenant, options.Mint, options.ArcKeys),
	}
	for _, c := range options.Certificates {
		o.Keys().AddCertificate(c, time.Time{})
	}
	return o
}

// SetURL says where the sandbox is, such as https://127.0.0.1:1, and has the application
// trust the issuer there for the subject of each platform.
func (o *Wallet) SetURL(base string) {
	o.plain = strings.Replace(base, "https:", "http:", 1)
	o.issuer.SetURL(base)
	for _, subject := range idissuer.Subjects() {
		o.Keys().AddTrust(keyring.Trust{Issuer: o.issuer.URL(), Subject: subject, Audience: idissuer.Audience})
	}
}

// Close removes the files of Azure Arc.
func (o *Wallet) Close() error { return o.host.Close() }

// Application is the first one, whose certificates can be registered and removed.
func (o *Wallet) Application() *tenant.Application { return o.app }

// Keys are the credentials that are registered on the first application, which may change
// while the sandbox runs.
func (o *Wallet) Keys() *keyring.Ring { return o.app.Keys }

// Issuer is another issuer, whose tokens the first application trusts.
func (o *Wallet) Issuer() *idissuer.Issuer { return o.issuer }

// AzureHost is what a host in Azure offers.
func (o *Wallet) AzureHost() *azurehost.Host { return o.host }

// Env returns the variables, as "NAME=value", that the ecosystem of a kind sets.
// Files that they name begin with path. A kind that is not one of Kinds is an error.
func (o *Wallet) Env(path, kind string) ([]string, error) {
	client := []string{"AZURE_CLIENT_ID=" + o.app.ClientID, "AZURE_TENANT_ID=" + o.tenant}
	switch kind {
	case Secret:
		return append(client, "AZURE_CLIENT_SECRET="+o.app.ClientSecret), nil
	case Certificate:
		return o.certificateEnv(client, path+".client.pem")
	case FederatedFile:
		return o.tokenEnv(client, "AZURE_FEDERATED_TOKEN_FILE", path+".id-token", idissuer.SubjectKubernetes)
	case GitHub:
		return append(client, "GITHUB_ACTIONS=true", "ACTIONS_ID_TOKEN_REQUEST_URL="+o.issuer.GitHubURL(),
			"ACTIONS_ID_TOKEN_REQUEST_TOKEN="+o.issuer.JobToken()), nil
	case GitLab:
		token, err := o.issuer.Token(idissuer.Claims{Subject: idissuer.SubjectGitLab, Life: fileLife})
		return append(client, "GITLAB_CI=true", "GITLAB_OIDC_TOKEN="+token), err
	case AzurePipelines:
		return []string{ // as AzureCLI@2 does
			"TF_BUILD=True", "SYSTEM_OIDCREQUESTURI=" + o.issuer.AzurePipelinesURL(), "SYSTEM_ACCESSTOKEN=" + o.issuer.JobToken(),
			"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=" + o.issuer.ServiceConnection(),
			"AZURESUBSCRIPTION_CLIENT_ID=" + o.app.ClientID, "AZURESUBSCRIPTION_TENANT_ID=" + o.tenant,
		}, nil
	case IMDS: // a virtual machine sets none: it is asked when it is named
		return []string{"SMTPSEND_OFFICE_MANAGED_IDENTITY=system", "AZURE_POD_IDENTITY_AUTHORITY_HOST=" + o.plain}, nil
	case AppService:
		return o.host.AppService(o.plain), nil
	case Arc:
		_, err := o.host.ArcKeys()
		return o.host.Arc(o.plain), err
	case Token:
		return o.accessTokenEnv(path + ".access-token")
	}
	return nil, fmt.Errorf("%q is not one of %s", kind, strings.Join(Kinds(), ", "))
}

// certificateEnv makes a certificate and registers it.
func (o *Wallet) certificateEnv(client []string, file string) ([]string, error) {
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		return nil, err
	}
	if err := ownfile.Replace(file, []byte(pair.PEM().Reveal()), 0o600); err != nil {
		return nil, fmt.Errorf("writing the client certificate: %w", err)
	}
	o.Keys().AddCertificate(pair.Certificate(), time.Time{})
	return append(client, "AZURE_CLIENT_CERTIFICATE_PATH="+file), nil
}

func (o *Wallet) tokenEnv(client []string, name, file, subject string) ([]string, error) {
	token, err := o.issuer.Token(idissuer.Claims{Subject: subject, Life: fileLife})
	if err != nil {
		return nil, err
	}
	if err := ownfile.Replace(file, []byte(token), 0o600); err != nil {
		return nil, fmt.Errorf("writing the federated token: %w", err)
	}
	return append(slices.Clone(client), name+"="+file), nil
}

func (o *Wallet) accessTokenEnv(file string) ([]string, error) {
	token, _, ok := o.mint(o.app, "https://"+exchange.Resource)
	if !ok {
		return nil, errors.New("signing an access token failed")
	}
	if err := ownfile.Replace(file, []byte(token), 0o600); err != nil {
		return nil, fmt.Errorf("writing the access token: %w", err)
	}
	return []string{"SMTPSEND_OFFICE_ACCESS_TOKEN_FILE=" + file}, nil
}
