package bearer

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/xoauth2"
)

// ErrNoTLS is returned by Auth.Start on a connection without TLS: a bearer
// token is as good as a password to whoever reads it.
var ErrNoTLS = errors.New("no TLS: the access token is not sent unencrypted")

// Auth is the client side of XOAUTH2. It refuses a connection without TLS, keeps the
// error result of a 334 challenge, and takes its token when AUTH is due rather than
// before the connection is made. It serves one exchange of one connection.
type Auth struct {
	user      string
	token     func(context.Context) (Token, error)
	plaintext bool
	client    *xoauth2.Client
	used      Token
}

// NewAuth returns the mechanism for user (the mailbox), with a token from the
// given function, which is called once, by Start.
func NewAuth(user string, token func(context.Context) (Token, error)) *Auth {
	return &Auth{user: user, token: token}
}

// AllowPlaintext makes Start accept a connection without TLS, for a server on this
// machine.
func (a *Auth) AllowPlaintext() { a.plaintext = true }

// Start returns the mechanism's name and the initial response; encrypted is whether the
// connection has TLS. Its error is ErrNoTLS, the token function's own (a *Error),
// or an *xoauth2.FieldError.
func (a *Auth) Start(ctx context.Context, encrypted bool) (mechanism string, initialResponse []byte, err error) {
	if !encrypted && !a.plaintext {
		return "", nil, ErrNoTLS
	}
	a.used, err = a.token(ctx)
	if err != nil {
		return "", nil, &Error{err}
	}
	a.client = xoauth2.NewClient(a.user, a.used.Access.Reveal())
	return a.client.Start()
}

// Next answers a challenge.
func (a *Auth) Next(challenge []byte) (response []byte, err error) {
	if a.client == nil {
		return nil, xoauth2.ErrUnexpectedChallenge
	}
	return a.client.Next(challenge)
}

// Result returns the error result that the server sent in a challenge, or nil.
func (a *Auth) Result() *xoauth2.ErrorResult {
	if a.client == nil {
		return nil
	}
	return a.client.Result()
}

// Token returns the token that Start took.
func (a *Auth) Token() Token { return a.used }
