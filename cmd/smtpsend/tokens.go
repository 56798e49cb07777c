package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/tokencache"
)

// tokenCache is the one token that every process with the same settings shares:
// entra asks for it, tokencache keeps it.
func (g *globals) tokenCache(cfg *config.Config, o tokencache.Options) (*tokencache.Cache, error) {
	roots, err := cfg.RootCAs()
	if err != nil {
		return nil, withCode(exitConfig, err)
	}
	var proxy func(*http.Request) (*url.URL, error)
	if u := cfg.ProxyURL(); u != nil {
		proxy = http.ProxyURL(u)
	}
	credential := entra.Secret(cfg.OfficeClientSecret)
	source := entra.New(entra.Options{
		TokenURL: cfg.TokenURL(), ClientID: cfg.OfficeClientID, Credential: credential,
		Scopes: cfg.OfficeAccessScopes, HTTPClient: entra.NewHTTPClient(roots, proxy), Logger: g.logger(),
	})
	o.Grace = cfg.GraceTime()
	if o.Grace == 0 {
		o.Grace = -1 // in tokencache 0 means its default
	}
	o.Warn = func(err error) { g.warningf("%v", err) }
	o.Restore = entra.RestoreError
	if fingerprint := credential.Fingerprint(); cfg.CacheDir != "" && fingerprint != [32]byte{} {
		identity := tokencache.Identity{
			Authority: cfg.TokenURL(), Tenant: cfg.OfficeTenantID, Client: cfg.OfficeClientID,
			Scope: strings.Join(cfg.OfficeAccessScopes, " "),
		}
		if o.Key, err = tokencache.NewKey(identity, fingerprint[:]); err != nil {
			return nil, err
		}
		o.Store = tokencache.NewFileStore(cfg.CacheDir)
	}
	return tokencache.New(source, o), nil
}

// cachedTokens is a cache as a session wants it.
type cachedTokens struct{ cache *tokencache.Cache }

func (t cachedTokens) Token(ctx context.Context) (submission.Token, error) {
	entry, err := t.cache.Get(ctx)
	if err != nil {
		return submission.Token{}, err
	}
	return submission.Token{Access: secret.New(entry.Token.AccessToken), FromCache: entry.Cached}, nil
}

func (t cachedTokens) Invalidate(token submission.Token) {
	t.cache.Invalidate(&oauth2.Token{AccessToken: token.Access.Reveal()})
}
