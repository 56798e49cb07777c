package account

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/tokencache"
)

// Tokens is the cache of the one token that every process with the same settings
// shares. A token that it gives lives at least minLife; with 0, as the settings say,
// it is the cache that the sessions of this account ask. The error is about the key
// that the cache is encrypted with.
func (a *Account) Tokens(minLife time.Duration) (*tokencache.Cache, error) {
	if minLife == 0 {
		return a.tokens()
	}
	return a.newTokens(minLife)
}

// Token is the access token of the account: that of the cache, or a new one.
func (a *Account) Token(ctx context.Context) (*oauth2.Token, error) {
	tokens, err := a.tokens()
	if err != nil {
		return nil, err
	}
	return tokens.Token(ctx)
}

// Invalidate says that a server refused a token, so that it is not given again.
func (a *Account) Invalidate(token *oauth2.Token) {
	if tokens, err := a.tokens(); err == nil {
		tokens.Invalidate(token)
	}
}

func (a *Account) newTokens(minLife time.Duration) (*tokencache.Cache, error) {
	o := tokencache.Options{Grace: a.cfg.GraceTime(), MinLife: minLife, Warn: a.opts.Warn, Restore: entra.RestoreError}
	if o.Grace == 0 {
		o.Grace = -1 // in tokencache 0 means its default
	}
	material, err := a.proof.KeyMaterial(a.opts.CacheDir)
	if err != nil && a.opts.Warn != nil {
		a.opts.Warn(err) // as when the token cannot be kept: mail goes out all the same
	}
	if len(material) > 0 {
		if o.Key, err = tokencache.NewKey(a.proof.Identity(), material); err != nil {
			return nil, err
		}
		o.Store = tokencache.NewFileStore(a.opts.CacheDir)
	}
	return tokencache.New(endpoint{a}, o), nil
}

// sharedTokens is the cache that the sessions ask.
func (a *Account) sharedTokens() (*tokencache.Cache, error) { return a.newTokens(0) }

// endpoint asks Entra ID. The certificates to trust are read only then: a token
// from the cache needs none.
type endpoint struct{ *Account }

// Token asks for a token.
func (e endpoint) Token(ctx context.Context) (*oauth2.Token, error) {
	o, err := e.Entra()
	if err != nil {
		return nil, err
	}
	return entra.New(o).Token(ctx)
}

// Entra is where and how the token endpoint, or what takes its place, is asked, past
// every cache. It reads the certificates to trust. The error is about the credential.
func (a *Account) Entra() (entra.Options, error) {
	c, err := a.proof.InUse()
	return entra.Options{
		TokenURL: a.cfg.TokenURL(), ClientID: a.cfg.OfficeClientID, Credential: c.Credential, Elsewhere: c.Elsewhere,
		Scopes: a.cfg.OfficeAccessScopes, HTTPClient: a.client(), Logger: a.opts.Logger,
	}, err
}

// proxy is the settings' proxy for the token endpoint; nil leaves it to the
// environment.
func (a *Account) proxy() func(*http.Request) (*url.URL, error) {
	u := a.cfg.ProxyURL()
	if u == nil {
		return nil
	}
	return http.ProxyURL(u)
}

// source is a cache of tokens as a session asks it.
type source struct{ cache *tokencache.Cache }

// Token is the cache's, asked of the endpoint when there is none.
func (s source) Token(ctx context.Context) (bearer.Token, error) {
	entry, err := s.cache.Get(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(entry.Token.AccessToken), FromCache: entry.Cached, Expires: entry.Token.Expiry}, nil
}

// Invalidate takes a refused token out of the cache.
func (s source) Invalidate(token bearer.Token) {
	s.cache.Invalidate(&oauth2.Token{AccessToken: token.Access.Reveal()})
}
