package bearer

import (
	"context"
	"errors"
)

// Prefetch is a token being fetched while the connection is made.
type Prefetch struct {
	done  chan struct{} // closed when token and err are set
	token Token
	err   error
}

// Fetch asks source for a token in a goroutine that ends with ctx at the latest
// (Ended waits for it). A failure calls failed with an *Error, which cancels the
// connection in the making, because nothing can come of it: a wrong secret is then
// reported at once even where the server's port is a black hole.
func Fetch(ctx context.Context, source Source, failed context.CancelCauseFunc) *Prefetch {
	p := &Prefetch{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.token, p.err = source.Token(ctx)
		if p.err != nil {
			failed(&Error{p.err})
		}
	}()
	return p
}

// Known is a token that does not have to be waited for, or why there is none.
func Known(t Token, err error) *Prefetch {
	p := &Prefetch{done: make(chan struct{}), token: t, err: err}
	close(p.done)
	return p
}

// Ended waits until the source has answered, so that no goroutine outlives the
// caller.
func (p *Prefetch) Ended() { <-p.done }

// Wait returns the token when it is there, or why ctx ended, which may be that
// there is none.
func (p *Prefetch) Wait(ctx context.Context) (Token, error) {
	select {
	case <-p.done:
		return p.token, p.err
	case <-ctx.Done():
		var none *Error
		if errors.As(context.Cause(ctx), &none) {
			return Token{}, none.Err
		}
		return Token{}, context.Cause(ctx)
	}
}
