package tokencache

import (
	"context"

	"golang.org/x/oauth2"
)

// TokenSource returns the cache as an oauth2.TokenSource, whose Token has no
// context: ctx serves all its calls. Do not wrap it in oauth2.ReuseTokenSource,
// which would keep tokens that were invalidated.
func (c *Cache) TokenSource(ctx context.Context) oauth2.TokenSource {
	return tokenSource{ctx, c}
}

type tokenSource struct {
	ctx   context.Context // oauth2.TokenSource has no other place for it
	cache *Cache
}

func (s tokenSource) Token() (*oauth2.Token, error) { return s.cache.Token(s.ctx) }
