// Package bearer is the access token on its way to AUTH: where it comes from
// (Source), how it is fetched while the connection is made (Prefetch), and the
// SASL mechanism that shows it to the server (Auth), over TLS only: a bearer token
// (RFC 6750) is as good as a password to whoever reads it.
package bearer

import (
	"context"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/secret"
)

// Token is an access token on its way to AUTH.
type Token struct {
	Access    secret.String
	FromCache bool      // whether it was fetched by an earlier run or message
	Expires   time.Time // zero when it is not known
}

// Source gives access tokens. It is called from one goroutine at a time for each
// session, from several for several sessions.
type Source interface {
	// Token returns a token, asking the token endpoint when it has none.
	Token(ctx context.Context) (Token, error)
	// Invalidate says that the server refused token, so that it is not given again.
	Invalidate(token Token)
}

// Error says that no token could be had; the cause is the source's own.
type Error struct{ Err error }

// Error returns the cause's text.
func (e *Error) Error() string { return fmt.Sprintf("fetching token: %v", e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
