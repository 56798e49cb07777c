package entra

import (
	"context"
	"errors"
	"net/url"

	"github.com/smtpsend/smtpsend/internal/idtoken"
	"github.com/smtpsend/smtpsend/internal/presented"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Federated returns the credential of a token that another issuer made, such as a CI
// system or Kubernetes, and that the application trusts (Microsoft Entra, "Workload
// identity federation"). It is asked for at each request, since such tokens live for some
// minutes, and is sent unchanged.
func Federated(token func(context.Context) (secret.String, error)) Credential {
	return federatedCredential{token}
}

type federatedCredential struct {
	token func(context.Context) (secret.String, error)
}

// FederatedError says that there is no token of the other issuer.
type FederatedError struct{ Err error }

// Error says why.
func (e *FederatedError) Error() string { return "the federated token " + e.Err.Error() }

// Unwrap returns Err.
func (e *FederatedError) Unwrap() error { return e.Err }

// Fault is what the catalogue of failures calls it; "" when it was the caller who ended it.
func (e *FederatedError) Fault() smtp.Fault {
	if errors.Is(e.Err, context.Canceled) {
		return smtp.FaultCancelled
	}
	if e, ok := errors.AsType[*idtoken.Error](e.Err); ok && e.Temporary {
		return smtp.FaultFederatedTrouble
	}
	return smtp.FaultFederatedToken
}

func (c federatedCredential) Params(ctx context.Context, _, _ string) (url.Values, error) {
	token, err := c.token(ctx)
	if err == nil && token.IsZero() {
		err = errors.New("is empty")
	}
	if err != nil {
		return nil, &FederatedError{err}
	}
	return assertionParams(token.Reveal()), nil
}

// Fingerprint is zero: each token is another one.
func (c federatedCredential) Fingerprint() (none [32]byte) { return none }

func (c federatedCredential) proof(params url.Values) *presented.Proof {
	claims, ok := idtoken.ReadClaims(secret.New(params.Get("client_assertion")))
	if !ok {
		return nil
	}
	return &presented.Proof{Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience, Ends: claims.Expires}
}
