package account

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/tokencache"
)

// inUse is the credential that the settings chose: one of its fields.
type inUse struct {
	proof     entra.Credential
	elsewhere entra.Elsewhere
}

// makeCredential makes what the settings chose. Of a certificate it reads the file.
func (a *Account) makeCredential() (inUse, error) {
	c := a.cfg.Credential
	switch c.Kind {
	case credential.Certificate:
		first, err := a.certificate(a.CertificateFiles())
		return inUse{proof: a.renewed(first)}, err
	case credential.Federated:
		return inUse{proof: entra.Federated(a.FederatedToken())}, nil
	case credential.ManagedIdentity:
		name, value := c.Identity()
		return inUse{elsewhere: entra.ManagedIdentity{
			Endpoint: c.URL, Header: c.Proof, Arc: c.Way == credential.Arc, Name: name, Value: value,
		}}, nil
	case credential.AccessToken:
		return inUse{elsewhere: entra.Provider{Name: c.By, Get: a.accessToken()}}, nil
	}
	return inUse{proof: entra.NewSuccession(entra.Secret(a.cfg.OfficeClientSecret), a.nextSecret, func(refused *entra.Error) {
		a.nextInUse(setting.ClientSecretNext, refused)
	})}, nil
}

func (a *Account) nextInUse(name string, refused *entra.Error) {
	if a.opts.Warn != nil {
		a.opts.Warn(&NextInUseError{Variable: config.Prefix + name, Refused: refused})
	}
}

// renewed is the certificate, and what takes its place when it is refused: what its file
// has by then, because it was rotated while this process ran, or else the next one.
func (a *Account) renewed(first entra.Credential) entra.Credential {
	var next entra.Credential // entra.Succession asks for one at a time
	return entra.NewRenewable(first, func() ([]entra.Credential, error) {
		var list []entra.Credential
		present, err := a.certificate(a.CertificateFiles())
		if err == nil {
			list = append(list, present)
		}
		n, nextErr := a.nextCertificate()
		if next = n; n != nil {
			list = append(list, n)
		}
		return list, errors.Join(err, nextErr)
	}, func(taken entra.Credential, refused *entra.Error) {
		if taken == next {
			a.nextInUse(setting.ClientCertificateNextFile, refused)
		}
	})
}

// NextInUseError is the warning that the next credential is used, because Entra ID
// refused the first.
type NextInUseError struct {
	Variable string // that gives the next one
	Refused  *entra.Error
}

// Error says what to do.
func (e *NextInUseError) Error() string {
	return "the credential of " + e.Variable + " is used, because the first was refused: put it in the first one's place (" + e.Refused.Error() + ")"
}

// Unwrap returns Refused.
func (e *NextInUseError) Unwrap() error { return e.Refused }

func (a *Account) nextSecret() (entra.Credential, error) {
	if a.cfg.OfficeClientSecretNext.IsZero() {
		return nil, nil
	}
	return entra.Secret(a.cfg.OfficeClientSecretNext), nil
}

// CertificateFiles are where the certificate and its key are.
func (a *Account) CertificateFiles() keypair.Files {
	return keypair.Files{
		Certificate: a.cfg.Credential.Value, Key: a.cfg.OfficeClientCertificateKeyFile, Password: a.cfg.OfficeClientCertificatePassword,
	}
}

// NextCertificateFiles are where the next certificate and its key are, if there is one.
func (a *Account) NextCertificateFiles() keypair.Files {
	name := a.cfg.OfficeClientCertificateNextFile
	if name == "" {
		name = a.cfg.Credential.Value + ".next"
	}
	return keypair.Files{Certificate: name, Password: a.cfg.OfficeClientCertificatePassword}
}

func (a *Account) certificate(files keypair.Files) (entra.Credential, error) {
	pair, err := keypair.Read(context.Background(), files)
	if err != nil {
		return nil, err
	}
	return entra.Certificate(pair, a.cfg.OfficeClientCertificateChain), nil
}

func (a *Account) nextCertificate() (entra.Credential, error) {
	next, err := a.certificate(a.NextCertificateFiles())
	if errors.Is(err, fs.ErrNotExist) { // as it is between two rotations
		return nil, nil
	}
	return next, err
}

// FederatedToken gets the token of another issuer that the settings name.
func (a *Account) FederatedToken() func(context.Context) (secret.String, error) {
	c := a.cfg.Credential
	request := func() idtoken.Request {
		return idtoken.Request{URL: c.URL, Token: c.Proof, Client: entra.NewHTTPClient(a.roots(), a.proxy())}
	}
	switch c.Way {
	case credential.File:
		return idtoken.FromFile(c.Value)
	case credential.Command:
		return idtoken.FromProgram(a.cfg.TokenCommand())
	case credential.GitHub:
		return func(ctx context.Context) (secret.String, error) {
			return idtoken.FromGitHub(request(), a.cfg.FederatedAudience())(ctx)
		}
	case credential.AzurePipelines:
		return func(ctx context.Context) (secret.String, error) {
			return idtoken.FromAzurePipelines(request(), a.cfg.OfficeServiceConnectionID)(ctx)
		}
	}
	return idtoken.Fixed(c.Proof)
}

func (a *Account) accessToken() func(context.Context) (secret.String, error) {
	if a.cfg.Credential.Way == credential.Command {
		return idtoken.FromProgram(a.cfg.TokenCommand())
	}
	return idtoken.FromFile(a.cfg.Credential.Value)
}

// identity says whose token it is, for the cache.
func (a *Account) identity() tokencache.Identity {
	i := tokencache.Identity{
		Authority: a.cfg.TokenURL(), Tenant: a.cfg.OfficeTenantID, Client: a.cfg.OfficeClientID,
		Scope: strings.Join(a.cfg.OfficeAccessScopes, " "),
	}
	if c := a.cfg.Credential; !c.Kind.NeedsClient() {
		i.Authority, i.Client = string(c.Kind)+" "+string(c.Way)+" "+c.URL, c.Value
	}
	return i
}

// keyFile has the octets that tokens are encrypted with whose credential has no secret
// that stays the same.
const keyFile = "key"

// keyMaterial are the octets from which the key of the cache is made; none when the
// token stays in this process. A token that another program keeps in a file is not kept
// a second time.
func (a *Account) keyMaterial() ([]byte, error) {
	isInFile := a.cfg.Credential.Kind == credential.AccessToken && a.cfg.Credential.Way == credential.File
	if a.opts.CacheDir == "" || isInFile {
		return nil, nil
	}
	c, err := a.credential()
	if err != nil {
		return nil, err
	}
	if c.proof != nil {
		if of := c.proof.Fingerprint(); of != [32]byte{} {
			return of[:], nil
		}
		if a.cfg.Credential.Kind == credential.Secret { // an empty one
			return nil, nil
		}
	}
	return tokencache.KeyFile(context.Background(), filepath.Join(a.opts.CacheDir, keyFile))
}
