// Package entra gets access tokens from Microsoft Entra ID with the OAuth 2.0
// client credentials grant (RFC 6749 4.4; Microsoft identity platform, "OAuth
// 2.0 client credentials flow").
//
// [Source.Token] asks the token endpoint each time it is called; keeping tokens
// is the task of package tokencache. One call goes like this:
//
//  1. The [Credential] makes its part of the form: a secret, or an assertion
//     signed for this request.
//  2. The form is posted with a deadline of 30 s. No redirect is followed,
//     because that would send the secret elsewhere, and at most 1 MiB of the
//     answer is read.
//  3. A token ends the call. So does a refusal: asking again with the same
//     credential gives the same answer and counts as one more failed sign-in.
//  4. Anything else (network, 408, 429, 5xx, an answer that no OAuth server
//     gives, such as a proxy's page) is tried again, 5 times in all, after a
//     growing time with jitter or after what Retry-After asks for. When that
//     time does not fit into the context's deadline, the call ends at once.
//
// Every failure to get a token is an [*Error], which keeps what the endpoint
// said and never holds the credential.
package entra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/loopback"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// requestTimeout bounds one request. Entra answers within a second; MSAL waits
// 30 s as well.
const requestTimeout = 30 * time.Second

// Options say whom to ask, as whom, and for what.
type Options struct {
	TokenURL   string     // .../{tenant}/oauth2/v2.0/token; http only for a loopback address
	ClientID   string     // Application (client) ID
	Credential Credential // proves the client; a *Succession has a next one
	// Elsewhere, when set, is asked in place of the token endpoint: a managed identity of
	// Azure's hosts, or another program. TokenURL, ClientID and Credential have no meaning
	// then.
	Elsewhere  Elsewhere
	Scopes     []string     // for Exchange Online: https://outlook.office365.com/.default
	HTTPClient *http.Client // nil means NewHTTPClient(nil, nil); its redirect policy is not used
	Logger     *slog.Logger // nil discards
}

// Source asks for tokens. It is safe for concurrent use.
type Source struct {
	tokenURL   string
	host       string
	clientID   string
	credential Credential
	elsewhere  Elsewhere
	scopes     []string
	client     *http.Client
	log        *slog.Logger
}

// New returns a Source. Nothing is asked and nothing checked before Token.
func New(o Options) *Source {
	s := &Source{
		tokenURL: o.TokenURL, clientID: o.ClientID, credential: o.Credential, elsewhere: o.Elsewhere, scopes: slices.Clone(o.Scopes),
		client: o.HTTPClient, log: o.Logger,
	}
	if u, err := url.Parse(o.TokenURL); err == nil {
		s.host = u.Host
	}
	if s.client == nil {
		s.client = NewHTTPClient(nil, nil)
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Token asks for a new token. The error is an *Error, or says that TokenURL
// or Credential cannot be used; it wraps the context's error when ctx ended.
func (s *Source) Token(ctx context.Context) (*oauth2.Token, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var last *Error
	for attempt := 1; ; attempt++ {
		began := time.Now()
		token, err := s.askOnce(ctx)
		if err == nil {
			s.log.DebugContext(ctx, "token received", "stage", "token", "attempt", attempt, "took", time.Since(began))
			return token, nil
		}
		refused, ok := errors.AsType[*Error](err)
		if !ok {
			return nil, err
		}
		if last != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			refused = last // what made another request needed says more than that it had no time
			err = last
		}
		if last != nil && ctx.Err() != nil {
			last.Attempts = attempt
			return nil, fmt.Errorf("entra: asking again: %w: %w", context.Cause(ctx), last)
		}
		refused.Attempts = attempt
		wait, again := pause(ctx, refused)
		s.log.DebugContext(ctx, "no token", "stage", "token", "attempt", attempt, "took", time.Since(began),
			"again", again, "wait", wait, "correlation_id", refused.CorrelationID, "error", err)
		if !again {
			return nil, err
		}
		if err := backoff.Sleep(ctx, wait); err != nil {
			return nil, fmt.Errorf("entra: waiting to ask again: %w: %w", err, refused)
		}
		last = refused
	}
}

// askOnce makes one request, and another one with the next credential when the first was
// refused.
func (s *Source) askOnce(ctx context.Context) (*oauth2.Token, error) {
	if s.elsewhere != nil {
		return s.askElsewhere(ctx)
	}
	all, ok := s.credential.(*Succession)
	if !ok {
		return s.ask(ctx, s.credential)
	}
	return all.ask(ctx, s.ask)
}

// check refuses to send a credential in the clear.
func (s *Source) check() error {
	if s.elsewhere != nil {
		return nil
	}
	u, err := url.Parse(s.tokenURL)
	switch {
	case err != nil || u.Host == "":
		return errors.New("entra: token endpoint is not a URL with a host")
	case s.credential == nil:
		return errors.New("entra: no client credential")
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return nil
	}
	return fmt.Errorf("entra: token endpoint at %s is not reached by https", u.Host)
}

// ask makes one request. The Config is new each time, because an assertion may
// serve once only and Config has room for a fixed one.
func (s *Source) ask(ctx context.Context, credential Credential) (*oauth2.Token, error) {
	params, err := credential.Params(ctx, s.clientID, s.tokenURL)
	if err != nil {
		return nil, fmt.Errorf("entra: making the client credential: %w", err)
	}
	limit := requestLimit(ctx)
	requestCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	answer := &recorder{base: s.client.Transport}
	client := &http.Client{Transport: answer, Jar: s.client.Jar, Timeout: s.client.Timeout, CheckRedirect: stay}
	config := clientcredentials.Config{
		ClientID: s.clientID, TokenURL: s.tokenURL, Scopes: s.scopes, EndpointParams: params,
		// The other styles put the secret in a header, or ask twice to find out.
		AuthStyle: oauth2.AuthStyleInParams,
	}
	token, err := config.Token(context.WithValue(requestCtx, oauth2.HTTPClient, client))
	switch {
	case err == nil:
		if err := usable(token); err != nil {
			return nil, &Error{Host: s.host, HTTPStatus: answer.status, unusable: err}
		}
		return withLife(token), nil
	case answer.status == 0:
		return nil, s.networkError(ctx, requestCtx, limit, err)
	}
	// err is not kept: its Response.Request holds the form.
	return nil, answer.failure(s.host, conceal(params))
}

// requestLimit is requestTimeout, or ends a little before ctx: whoever waits for
// ctx alone would not hear who was asked and what was said before.
func requestLimit(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return requestTimeout
	}
	left := time.Until(deadline)
	return min(requestTimeout, left-min(left/10, 200*time.Millisecond))
}

// usable refuses a token that could not be sent with AUTH. Entra never gives
// one; a script that stands in for it has been seen to leave a line end.
func usable(token *oauth2.Token) error {
	_, err := xoauth2.InitialResponse("user", token.AccessToken)
	return err
}

// networkError unwraps *url.Error, whose text repeats method and URL.
func (s *Source) networkError(ctx, requestCtx context.Context, limit time.Duration, err error) *Error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if requestCtx.Err() != nil && ctx.Err() == nil {
		// Not context.DeadlineExceeded: the caller's context has not ended.
		err = fmt.Errorf("no answer within %v: %w", limit.Round(100*time.Millisecond), os.ErrDeadlineExceeded)
	}
	return &Error{Host: s.host, Err: err}
}

// assumedLife is the life of a token that comes without expires_in: RFC 6749
// 5.1 only recommends it. It is the shortest that a tenant's policy can set.
const assumedLife = 10 * time.Minute

func withLife(token *oauth2.Token) *oauth2.Token {
	if token.Expiry.IsZero() {
		token.Expiry = time.Now().Add(assumedLife)
	}
	return token
}
