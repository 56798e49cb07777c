package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/secret"
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
		return nil, fmt.Errorf("entra: the access token of %s %w", p.Name, err)
	}
	token := &oauth2.Token{AccessToken: got.Reveal(), TokenType: "Bearer"}
	if claims, err := diagnosis.ReadClaims(token.AccessToken); err == nil {
		token.Expiry = claims.Expires
	}
	err = usable(token)
	if err == nil && !token.Expiry.IsZero() && time.Now().After(token.Expiry) {
		err = errors.New("it expired at " + token.Expiry.Local().Format(time.DateTime))
	}
	if err != nil {
		return nil, &Error{Host: p.Name, unusable: err}
	}
	return token, nil
}
