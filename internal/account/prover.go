package account

import (
	"context"
	"crypto/x509"
	"errors"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
)

// Prover proves a certificate of an account that need not be in use. It is safe for
// concurrent use.
type Prover struct{ account *Account }

// NewProver returns the prover of an account.
func NewProver(a *Account) Prover { return Prover{a} }

// TokenBy asks for a token with a pair, which need not be that of the settings, past every
// cache. Without scopes it is one for the scopes of the settings. The error is that of
// package entra or keypair.
func (p Prover) TokenBy(ctx context.Context, pair *keypair.Pair, scopes ...string) (*oauth2.Token, error) {
	a := p.account
	if len(scopes) == 0 {
		scopes = a.cfg.OfficeAccessScopes
	}
	return entra.New(entra.Options{
		TokenURL: a.cfg.TokenURL(), ClientID: a.cfg.OfficeClientID, Credential: entra.Certificate(pair, a.cfg.OfficeClientCertificateChain),
		Scopes: scopes, HTTPClient: a.client(), Logger: a.opts.Logger,
	}).Token(ctx)
}

// SignInBy asks for a token with a pair and signs in as mailbox with it; nothing is
// submitted. It ends at deadline. The error is a *session.Error.
func (p Prover) SignInBy(ctx context.Context, pair *keypair.Pair, mailbox string, deadline time.Time) error {
	a := p.account
	if user := a.cfg.PlainUser(); user != "" {
		mailbox = user
	}
	o := a.Server(mailbox)
	o.Tokens = byPair{p, pair}
	o.Slots = slotsOf(a)
	s, err := session.Connect(ctx, o, deadline)
	s.Close()
	return err
}

// byPair is the tokens of a pair, for a session.
type byPair struct {
	prover Prover
	pair   *keypair.Pair
}

// Token asks for one.
func (b byPair) Token(ctx context.Context) (bearer.Token, error) {
	token, err := b.prover.TokenBy(ctx, b.pair)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(token.AccessToken), Expires: token.Expiry}, nil
}

// Invalidate has nothing to forget.
func (byPair) Invalidate(bearer.Token) {}

// ErrNoGraph says that no address of Microsoft Graph is known in the settings' cloud.
var ErrNoGraph = errors.New("no address of Microsoft Graph is known for the scope of the settings")

// ErrLocalEndpoint says that the token endpoint is on this machine, as a sandbox's is: its
// token is not for Microsoft's own Graph.
var ErrLocalEndpoint = errors.New("the token endpoint is on this machine, as that of a sandbox: name its Microsoft Graph with --graph")

// GraphScope is the scope of Microsoft Graph in the settings' cloud; the error is
// ErrNoGraph.
func (p Prover) GraphScope() (string, error) {
	scope := exchange.GraphScope(diagnosis.Resource(p.account.cfg.OfficeAccessScopes))
	if scope == "" {
		return "", ErrNoGraph
	}
	return scope, nil
}

// Directory renews the certificates of the application through Microsoft Graph at base;
// "": that of the settings' cloud.
func (p Prover) Directory(base string) Directory { return Directory{p, base} }

// Directory is Microsoft Graph with tokens of the pair that signs each request. It is safe
// for concurrent use.
type Directory struct {
	prover Prover
	base   string
}

func (d Directory) client(signer *keypair.Pair) (*graph.Client, error) {
	a := d.prover.account
	scope, err := d.prover.GraphScope()
	if err != nil {
		return nil, err
	}
	base := d.base
	if base == "" {
		if endpoint, err := url.Parse(a.cfg.TokenURL()); err == nil && loopback.Host(endpoint.Hostname()) {
			return nil, ErrLocalEndpoint
		}
		base = strings.TrimSuffix(scope, "/.default")
	}
	return &graph.Client{
		Base: strings.TrimSuffix(base, "/"), HTTP: a.client(),
		Token: func(ctx context.Context) (secret.String, error) {
			token, err := d.prover.TokenBy(ctx, signer, scope)
			if err != nil {
				return secret.String{}, err
			}
			return secret.New(token.AccessToken), nil
		},
	}, nil
}

// Application is graph.Client's, of the settings' client.
func (d Directory) Application(ctx context.Context, signer *keypair.Pair) (objectID string, keys []graph.Key, err error) {
	c, err := d.client(signer)
	if err != nil {
		return "", nil, err
	}
	return c.Application(ctx, d.prover.account.cfg.OfficeClientID)
}

// AddKey is graph.Client's.
func (d Directory) AddKey(ctx context.Context, objectID string, signer *keypair.Pair, added *x509.Certificate) (keyID string, err error) {
	c, err := d.client(signer)
	if err != nil {
		return "", err
	}
	return c.AddKey(ctx, objectID, signer, added)
}

// RemoveKey is graph.Client's.
func (d Directory) RemoveKey(ctx context.Context, objectID string, signer *keypair.Pair, keyID string) error {
	c, err := d.client(signer)
	if err != nil {
		return err
	}
	return c.RemoveKey(ctx, objectID, signer, keyID)
}
