package main

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/tokencache"
)

// roots gives the root certificates to trust, once they are needed: a token
// from the cache needs none.
type roots func() *x509.CertPool

// endpoint asks Entra ID for tokens.
type endpoint struct {
	*globals
	cfg        *config.Config
	roots      roots
	credential entra.Credential
}

// Token asks the endpoint.
func (e endpoint) Token(ctx context.Context) (*oauth2.Token, error) {
	return entra.New(entra.Options{
		TokenURL: e.cfg.TokenURL(), ClientID: e.cfg.OfficeClientID, Credential: e.credential,
		Scopes: e.cfg.OfficeAccessScopes, HTTPClient: entra.NewHTTPClient(e.roots(), proxyOf(e.cfg)), Logger: e.Logger(),
	}).Token(ctx)
}

// proxyOf is the settings' proxy for the token endpoint; nil leaves it to the
// environment.
func proxyOf(cfg *config.Config) func(*http.Request) (*url.URL, error) {
	u := cfg.ProxyURL()
	if u == nil {
		return nil
	}
	return http.ProxyURL(u)
}

// tokenCache is the one token that every process with the same settings shares:
// entra asks for it, tokencache keeps it.
func (g *globals) tokenCache(cfg *config.Config, r roots, o tokencache.Options) (*tokencache.Cache, error) {
	credential := entra.Secret(cfg.OfficeClientSecret)
	o.Grace = cfg.GraceTime()
	if o.Grace == 0 {
		o.Grace = -1 // in tokencache 0 means its default
	}
	o.Warn = func(err error) { g.Warningf("%v", err) }
	o.Restore = entra.RestoreError
	if fingerprint := credential.Fingerprint(); g.cacheDir(cfg) != "" && fingerprint != [32]byte{} {
		identity := tokencache.Identity{
			Authority: cfg.TokenURL(), Tenant: cfg.OfficeTenantID, Client: cfg.OfficeClientID,
			Scope: strings.Join(cfg.OfficeAccessScopes, " "),
		}
		key, err := tokencache.NewKey(identity, fingerprint[:])
		if err != nil {
			return nil, err
		}
		o.Key = key
		o.Store = tokencache.NewFileStore(g.cacheDir(cfg))
	}
	return tokencache.New(endpoint{g, cfg, r, credential}, o), nil
}

// cacheDir is that of the settings. The default one of root is not for the user
// that this process has become.
func (g *globals) cacheDir(cfg *config.Config) string {
	switch {
	case g.became.name == "" || cfg.Origin("CACHE_DIR").Source != config.SourceDefault:
		return cfg.CacheDir
	case g.became.home == "" || g.became.home == "/":
		return ""
	}
	return filepath.Join(g.became.home, ".cache", "smtpsend")
}

// cachedTokens is a cache as a session wants it.
type cachedTokens struct{ cache *tokencache.Cache }

func (t cachedTokens) Token(ctx context.Context) (bearer.Token, error) {
	entry, err := t.cache.Get(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(entry.Token.AccessToken), FromCache: entry.Cached, Expires: entry.Token.Expiry}, nil
}

func (t cachedTokens) Invalidate(token bearer.Token) {
	t.cache.Invalidate(&oauth2.Token{AccessToken: token.Access.Reveal()})
}
