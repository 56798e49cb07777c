package submission

import (
	"context"
	"errors"
)

// prefetch is a token being fetched while the connection is made.
type prefetch struct {
	done  chan struct{} // closed when token and err are set
	token Token
	err   error
}

// startPrefetch asks source for a token. A failure cancels the connection in
// the making, because nothing can come of it: a wrong secret is then reported
// at once even where the server's port is a black hole.
func startPrefetch(ctx context.Context, source TokenSource, failed context.CancelCauseFunc) *prefetch {
	p := &prefetch{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.token, p.err = source.Token(ctx)
		if p.err != nil {
			failed(&TokenError{p.err})
		}
	}()
	return p
}

// wait returns the token when it is there, or why ctx ended, which may be that
// there is none.
func (p *prefetch) wait(ctx context.Context) (Token, error) {
	select {
	case <-p.done:
		return p.token, p.err
	case <-ctx.Done():
		var none *TokenError
		if errors.As(context.Cause(ctx), &none) {
			return Token{}, none.Err
		}
		return Token{}, context.Cause(ctx)
	}
}
