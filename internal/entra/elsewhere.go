package entra

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Elsewhere is a place other than the token endpoint that gives tokens: a
// [ManagedIdentity] or a [Provider].
type Elsewhere interface {
	// ask makes one request. An error is an *Error, or says that it cannot be made.
	ask(ctx context.Context, client *http.Client, scopes []string) (*oauth2.Token, error)
}

func (s *Source) askElsewhere(ctx context.Context) (*oauth2.Token, error) {
	token, err := s.elsewhere.ask(ctx, s.client, s.scopes)
	if err != nil {
		return nil, err
	}
	return withLife(token), nil
}

// Provider is another program that fetches the tokens.
type Provider struct {
	Name string // of the file or the program, for errors
	Get  func(context.Context) (secret.String, error)
}

// ask gets the token. When it expires, the token itself says; of one that does not, a
// short life is assumed.
func (p Provider) ask(ctx context.Context, _ *http.Client, _ []string) (*oauth2.Token, error) {
	got, err := p.Get(ctx)
	if err != nil {
		return nil, &ProviderError{p.Name, err}
	}
	token := &oauth2.Token{AccessToken: got.Reveal(), TokenType: "Bearer"}
	if claims, err := diagnosis.ReadClaims(token.AccessToken); err == nil {
		token.Expiry = claims.Expires
	}
	if err := usable(token); err != nil {
		return nil, &Error{Host: p.Name, unusable: unfitError{err}}
	}
	if !token.Expiry.IsZero() && time.Now().After(token.Expiry) {
		return nil, &Error{Host: p.Name, unusable: endedError{token.Expiry}}
	}
	return token, nil
}

// ProviderError says that another program has no access token.
type ProviderError struct {
	Name string // as in Provider
	Err  error
}

// Error says why.
func (e *ProviderError) Error() string {
	return "entra: the access token of " + e.Name + " " + e.Err.Error()
}

// Unwrap returns Err.
func (e *ProviderError) Unwrap() error { return e.Err }

// Fault is what the catalogue of failures calls it.
func (e *ProviderError) Fault() smtp.Fault {
	if errors.Is(e.Err, context.Canceled) {
		return smtp.FaultCancelled
	}
	return smtp.FaultAccessToken
}

// unfitError says why what another program gave is not a token.
type unfitError struct{ error }

// Fault is what the catalogue of failures calls it: no endpoint answered in its place.
func (unfitError) Fault() smtp.Fault { return smtp.FaultAccessToken }

// endedError says when the access token of another program expired.
type endedError struct{ at time.Time }

func (e endedError) Error() string { return "it expired at " + e.at.UTC().Format(time.RFC3339) }

// Fault is what the catalogue of failures calls it.
func (e endedError) Fault() smtp.Fault { return smtp.FaultAccessTokenEnded }
