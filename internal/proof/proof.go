// Package proof makes the credential that the settings chose: what proves to the token
// endpoint who the client is, or the place that gives tokens in its stead, with the one
// that follows it, and with the octets that the cache of its tokens is encrypted with.
package proof

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/expiry/watch"
	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/tokencache"
)

// Options say what the credential is made of. Config and Client are required.
type Options struct {
	Config *config.Config
	// Client asks CI systems.
	Client func() *http.Client
	// Warn, when set, is told that the next credential is used (*NextInUseError), and when
	// the credential is made, that it ends soon or has ended (*expiry.Warning).
	Warn func(error)
	Now  func() time.Time // nil: time.Now
}

// Proof is the credential of one process. It is safe for concurrent use.
type Proof struct {
	cfg  *config.Config
	opts Options

	making sync.Mutex
	made   *InUse // guarded by making; made when it is first needed
}

// New returns the credential of settings that config.Load has checked. Nothing is read.
func New(o Options) *Proof {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Proof{cfg: o.Config, opts: o}
}

// InUse is the credential that the settings chose: Credential or Elsewhere.
type InUse struct {
	Credential entra.Credential
	Elsewhere  entra.Elsewhere
	Pair       *keypair.Pair // what a certificate's Credential began with; nil for other kinds
}

// InUse is what the settings chose. One that cannot be made is tried again when it is
// needed again: a file may come later than the process.
func (p *Proof) InUse() (InUse, error) {
	p.making.Lock()
	defer p.making.Unlock()
	if p.made != nil {
		return *p.made, nil
	}
	c, err := p.makeCredential()
	if err == nil {
		p.made = &c
	}
	return c, err
}

// Usable says why the certificate of the settings cannot prove the client; nil for other
// kinds, of which only the place where they are presented knows. The error is a
// *keypair.Error.
func (p *Proof) Usable() error {
	if p.cfg.Credential.Kind != credential.Certificate {
		return nil
	}
	used, err := p.InUse()
	if err != nil {
		return err
	}
	_, _, err = used.Pair.Signer()
	return err
}

// makeCredential makes what the settings chose. Of a certificate it reads the file.
func (p *Proof) makeCredential() (InUse, error) {
	c := p.cfg.Credential
	switch c.Kind {
	case credential.Certificate:
		pair, err := keypair.Open(context.Background(), p.CertificateFiles())
		if err != nil {
			return InUse{}, err
		}
		p.warnOfEnd(pair.NotAfter)
		return InUse{Credential: p.renewed(entra.Certificate(pair, p.cfg.OfficeClientCertificateChain)), Pair: pair}, nil
	case credential.Federated:
		p.warnOfEnd(nil)
		return InUse{Credential: entra.Federated(p.FederatedToken())}, nil
	case credential.ManagedIdentity:
		name, value := c.Identity()
		return InUse{Elsewhere: entra.ManagedIdentity{
			Endpoint: c.URL, Header: c.Proof, Arc: c.Way == credential.Arc, Name: name, Value: value,
		}}, nil
	case credential.AccessToken:
		p.warnOfEnd(nil)
		return InUse{Elsewhere: entra.Provider{Name: c.By, Get: p.accessToken()}}, nil
	}
	p.warnOfEnd(nil)
	return InUse{Credential: entra.NewSuccession(entra.Secret(p.cfg.OfficeClientSecret), p.nextSecret, func(refused *entra.Error) {
		p.nextInUse(setting.ClientSecretNext, refused)
	})}, nil
}

// Watch finds what ends by itself.
func (p *Proof) Watch() watch.Watch {
	return watch.Watch{Config: p.cfg, First: p.CertificateFiles(), Next: p.NextCertificateFiles()}
}

// warnOfEnd warns of a credential that ends within 30 days, or has ended. It is asked
// once, when the credential is made. notAfter is the end of a certificate; it is nil for
// other kinds.
func (p *Proof) warnOfEnd(notAfter func() time.Time) {
	if p.opts.Warn == nil {
		return
	}
	var end time.Time
	if notAfter != nil {
		end = notAfter()
	}
	now := p.opts.Now()
	items := p.Watch().InUse(context.Background(), end, now, expiry.Notice)
	for _, i := range expiry.Within(items, now, expiry.Notice) {
		p.opts.Warn(&expiry.Warning{Item: i, At: now})
	}
}

func (p *Proof) nextInUse(name string, refused *entra.Error) {
	if p.opts.Warn != nil {
		p.opts.Warn(&NextInUseError{Variable: config.Prefix + name, Refused: refused})
	}
}

// renewed is the certificate, and what takes its place when it is refused: what its file
// has by then, because it was rotated while this process ran, or else the next one.
func (p *Proof) renewed(first entra.Credential) entra.Credential {
	var next entra.Credential // entra.Succession asks for one at a time
	return entra.NewRenewable(first, func() ([]entra.Credential, error) {
		var list []entra.Credential
		present, err := p.certificate(p.CertificateFiles(), keypair.Read)
		if err == nil {
			list = append(list, present)
		}
		n, nextErr := p.nextCertificate()
		if next = n; n != nil {
			list = append(list, n)
		}
		return list, errors.Join(err, nextErr)
	}, func(taken entra.Credential, refused *entra.Error) {
		if taken == next {
			p.nextInUse(setting.ClientCertificateNextFile, refused)
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

// Topic names the variable.
func (e *NextInUseError) Topic() string { return "next " + e.Variable }

// Unwrap returns Refused.
func (e *NextInUseError) Unwrap() error { return e.Refused }

func (p *Proof) nextSecret() (entra.Credential, error) {
	if p.cfg.OfficeClientSecretNext.IsZero() {
		return nil, nil
	}
	return entra.Secret(p.cfg.OfficeClientSecretNext), nil
}

// CertificateFiles are where the certificate and its key are.
func (p *Proof) CertificateFiles() keypair.Files {
	return keypair.Files{
		Certificate: p.cfg.Credential.Value, Key: p.cfg.OfficeClientCertificateKeyFile, Password: p.cfg.OfficeClientCertificatePassword,
	}
}

// NextCertificateFiles are where the next certificate and its key are, if there is one.
func (p *Proof) NextCertificateFiles() keypair.Files {
	name := p.cfg.OfficeClientCertificateNextFile
	if name == "" {
		name = p.cfg.Credential.Value + ".next"
	}
	return keypair.Files{Certificate: name, Password: p.cfg.OfficeClientCertificatePassword}
}

// certificate reads a pair by keypair.Open, or by keypair.Read.
func (p *Proof) certificate(files keypair.Files, read func(context.Context, keypair.Files) (*keypair.Pair, error)) (entra.Credential, error) {
	pair, err := read(context.Background(), files)
	if err != nil {
		return nil, err
	}
	return entra.Certificate(pair, p.cfg.OfficeClientCertificateChain), nil
}

func (p *Proof) nextCertificate() (entra.Credential, error) {
	next, err := p.certificate(p.NextCertificateFiles(), keypair.Read)
	if errors.Is(err, fs.ErrNotExist) { // as it is between two rotations
		return nil, nil
	}
	return next, err
}

// FederatedToken gets the token of another issuer that the settings name.
func (p *Proof) FederatedToken() func(context.Context) (secret.String, error) {
	c := p.cfg.Credential
	request := func() idtoken.Request {
		return idtoken.Request{URL: c.URL, Token: c.Proof, Client: p.opts.Client()}
	}
	switch c.Way {
	case credential.File:
		return idtoken.FromFile(c.Value)
	case credential.Command:
		return idtoken.FromProgram(p.cfg.TokenCommand())
	case credential.GitHub:
		return func(ctx context.Context) (secret.String, error) {
			return idtoken.FromGitHub(request(), p.cfg.FederatedAudience())(ctx)
		}
	case credential.AzurePipelines:
		return func(ctx context.Context) (secret.String, error) {
			return idtoken.FromAzurePipelines(request(), p.cfg.OfficeServiceConnectionID)(ctx)
		}
	}
	return idtoken.Fixed(c.Proof)
}

func (p *Proof) accessToken() func(context.Context) (secret.String, error) {
	if p.cfg.Credential.Way == credential.Command {
		return idtoken.FromProgram(p.cfg.TokenCommand())
	}
	return idtoken.FromFile(p.cfg.Credential.Value)
}

// Identity says whose token it is, for the cache.
func (p *Proof) Identity() tokencache.Identity {
	i := tokencache.Identity{
		Authority: p.cfg.TokenURL(), Tenant: p.cfg.OfficeTenantID, Client: p.cfg.OfficeClientID,
		Scope: strings.Join(p.cfg.OfficeAccessScopes, " "),
	}
	if c := p.cfg.Credential; !c.Kind.NeedsClient() {
		i.Authority, i.Client = string(c.Kind)+" "+string(c.Way)+" "+c.URL, c.Value
	}
	return i
}

// keyFile has the octets that tokens are encrypted with whose credential has no secret
// that stays the same.
const keyFile = "key"

// keyFileWait is how long another process that makes the file is waited for, which takes
// milliseconds unless it was stopped.
const keyFileWait = 5 * time.Second

// KeyMaterial are the octets from which the key of the cache in that directory is made;
// none when the token stays in this process, as it does without a directory. A token that
// another program keeps in a file is not kept a second time. The error is about the key
// file.
func (p *Proof) KeyMaterial(cacheDir string) ([]byte, error) {
	isInFile := p.cfg.Credential.Kind == credential.AccessToken && p.cfg.Credential.Way == credential.File
	if cacheDir == "" || isInFile {
		return nil, nil
	}
	c, err := p.InUse()
	switch {
	case err != nil:
		return nil, nil // asking for a token says it, with its cause and its fix
	case c.Credential != nil:
		if of := c.Credential.Fingerprint(); of != [32]byte{} {
			return of[:], nil
		}
		if p.cfg.Credential.Kind == credential.Secret { // an empty one
			return nil, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyFileWait)
	defer cancel()
	return tokencache.KeyFile(ctx, filepath.Join(cacheDir, keyFile))
}
