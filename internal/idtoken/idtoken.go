// Package idtoken gets the tokens of other issuers by which an application proves who it
// is to Entra ID (Microsoft Entra, "Workload identity federation"): from a file, a
// program, an environment variable, GitHub Actions and Azure Pipelines. Each call gets a
// new one, since they live for minutes.
package idtoken

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/secretfile"
)

const (
	// requestTimeout bounds what is asked of a CI system, in all.
	requestTimeout = 30 * time.Second
	// maxRequests with firstPause waits 2 to 4 s in all.
	maxRequests = 4
	firstPause  = 500 * time.Millisecond
)

// maxAnswer is how much of its answer is read, in octets.
const maxAnswer = 1 << 20

// Get gets a token. Its error is an *Error.
type Get func(ctx context.Context) (secret.String, error)

// Error says why there is no token. It never holds what was read.
type Error struct {
	Err error
	// Temporary says that a CI system did not answer, or has trouble: a later call may get
	// a token.
	Temporary bool
}

// Error is a predicate of the token, for people.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func unavailable(format string, args ...any) (secret.String, error) {
	err := fmt.Errorf("cannot be had: "+format, args...)
	_, isTemporary := errors.AsType[temporaryError](err)
	return secret.String{}, &Error{err, isTemporary}
}

// temporaryError is trouble of a CI system or of the network.
type temporaryError struct{ error }

func (e temporaryError) Unwrap() error { return e.error }

// FromFile reads the file name, as Kubernetes has one.
func FromFile(name string) Get {
	return func(ctx context.Context) (secret.String, error) {
		text, err := secretfile.Read(ctx, name)
		if err != nil {
			return unavailable("%s %w", name, err)
		}
		return trimmed(text), nil
	}
}

// FromProgram runs a program that prints the token.
func FromProgram(p program.Program) Get {
	return func(ctx context.Context) (secret.String, error) {
		printed, err := p.Run(ctx, nil, secretfile.MaxSize)
		switch {
		case err != nil:
			return unavailable("the program %w", err)
		case len(printed) > secretfile.MaxSize:
			return unavailable("the program printed more than %d octets", secretfile.MaxSize)
		}
		text, err := secretfile.Text(printed)
		if err != nil {
			return unavailable("the output of the program %w", err)
		}
		return trimmed(text), nil
	}
}

// trimmed is a token without blanks and line ends around it, which no token has.
func trimmed(text string) secret.String { return secret.New(strings.TrimSpace(text)) }

// Fixed is a token that is there already, as GitLab's id_tokens set one.
func Fixed(token secret.String) Get {
	return func(context.Context) (secret.String, error) { return token, nil }
}

// Request is how a CI system is asked for a token.
type Request struct {
	URL    string
	Token  secret.String // of the job
	Client *http.Client  // which follows no redirect
}

// FromGitHub asks GitHub Actions ("OpenID Connect", ACTIONS_ID_TOKEN_REQUEST_URL). The job
// needs the permission id-token: write.
func FromGitHub(r Request, audience string) Get {
	return func(ctx context.Context) (secret.String, error) {
		at, err := r.at("audience", audience)
		if err != nil {
			return unavailable("GitHub Actions: %w", err)
		}
		token, err := r.do(ctx, http.MethodGet, at, "value")
		if err != nil {
			return unavailable("GitHub Actions at %s: %w", at.Host, err)
		}
		return token, nil
	}
}

// FromAzurePipelines asks Azure Pipelines for the token of a service connection ("Oidctoken
// - Create").
func FromAzurePipelines(r Request, serviceConnectionID string) Get {
	return func(ctx context.Context) (secret.String, error) {
		at, err := r.at("api-version", "7.1", "serviceConnectionId", serviceConnectionID)
		if err != nil {
			return unavailable("Azure Pipelines: %w", err)
		}
		token, err := r.do(ctx, http.MethodPost, at, "oidcToken")
		if err != nil {
			return unavailable("Azure Pipelines at %s: %w", at.Host, err)
		}
		return token, nil
	}
}

// at is the URL with further parameters.
func (r Request) at(pairs ...string) (*url.URL, error) {
	at, err := url.Parse(r.URL)
	if err != nil || at.Host == "" {
		return nil, errors.New("its address is not a URL with a host")
	}
	if at.Scheme != "https" && !(at.Scheme == "http" && loopback.Host(at.Hostname())) {
		return nil, errors.New("its address at " + at.Host + " is not https")
	}
	q := at.Query()
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	at.RawQuery = q.Encode()
	return at, nil
}

// do asks, and takes the token from the member of that name. After trouble it asks again.
func (r Request) do(ctx context.Context, method string, at *url.URL, member string) (secret.String, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for n := 1; ; n++ {
		token, err := r.once(ctx, method, at, member)
		if _, isTemporary := errors.AsType[temporaryError](err); !isTemporary || n == maxRequests {
			return token, err
		}
		if ended := backoff.Sleep(ctx, backoff.Spread(backoff.Doubling(firstPause, requestTimeout, n))); ended != nil {
			return token, fmt.Errorf("%w: %w", ended, err)
		}
	}
}

func (r Request) once(ctx context.Context, method string, at *url.URL, member string) (secret.String, error) {
	request, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return secret.String{}, err
	}
	request.Header.Set("Authorization", "Bearer "+r.Token.Reveal())
	request.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := r.Client.Do(request)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // whose text repeats method and URL
		}
		_, isUntrusted := errors.AsType[*tls.CertificateVerificationError](err)
		if isUntrusted || errors.Is(err, context.Canceled) {
			return secret.String{}, err
		}
		return secret.String{}, temporaryError{err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return secret.String{}, temporaryError{fmt.Errorf("reading the answer: %w", err)}
	case hasTrouble(response.StatusCode):
		return secret.String{}, temporaryError{fmt.Errorf("it said HTTP %d", response.StatusCode)}
	case len(body) > maxAnswer:
		return secret.String{}, errors.New("its answer is longer than 1 MiB")
	case response.StatusCode != http.StatusOK:
		return secret.String{}, fmt.Errorf("it said HTTP %d", response.StatusCode)
	}
	var wire map[string]json.RawMessage
	var token string
	if json.Unmarshal(body, &wire) != nil || json.Unmarshal(wire[member], &token) != nil || token == "" {
		return secret.String{}, errors.New("its answer has no token")
	}
	return secret.New(token), nil
}

// hasTrouble reports an HTTP status after which the same request may be answered.
func hasTrouble(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500
}
