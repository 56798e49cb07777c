package account

import (
	"context"
	"net/http"
	"net/url"
	"strings"
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
	fingerprint := a.credential().Fingerprint()
	if a.opts.CacheDir != "" && fingerprint != [32]byte{} {
		identity := tokencache.Identity{
			Authority: a.cfg.TokenURL(), Tenant: a.cfg.OfficeTenantID, Client: a.cfg.OfficeClientID,
			Scope: strings.Join(a.cfg.OfficeAccessScopes, " "),
		}
		key, err := tokencache.NewKey(identity, fingerprint[:])
		if err != nil {
			return nil, err
		}
		o.Key, o.Store = key, tokencache.NewFileStore(a.opts.CacheDir)
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
	return entra.New(e.Entra()).Token(ctx)
}

// Entra is where and how the token endpoint is asked, past every cache. It reads
// the certificates to trust.
func (a *Account) Entra() entra.Options {
	return entra.Options{
		TokenURL: a.cfg.TokenURL(), ClientID: a.cfg.OfficeClientID, Credential: a.credential(),
		Scopes: a.cfg.OfficeAccessScopes, HTTPClient: entra.NewHTTPClient(a.roots(), a.proxy()), Logger: a.opts.Logger,
	}
}

func (a *Account) credential() entra.Credential { return entra.Secret(a.cfg.OfficeClientSecret) }

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
