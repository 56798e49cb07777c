package sandboxtest_test

import (
	"context"
	"net/url"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

// A program renews its secret: the first one ends, the second is taken.
func TestSecretsAreRenewed(t *testing.T) {
	srv := sandboxtest.Start(t)
	ask := func(secret string) error {
		config := clientcredentials.Config{
			ClientID: srv.ClientID, ClientSecret: secret, TokenURL: srv.TokenURL, Scopes: []string{sandboxtest.Scope},
		}
		_, err := config.Token(withClient(t, srv))
		return err
	}
	srv.ExpireCredentials()
	srv.AddSecret("the second")
	if first, second := ask(srv.ClientSecret), ask("the second"); first == nil || second != nil {
		t.Errorf("%v, %v", first, second)
	}
}

func TestACertificateGetsTokens(t *testing.T) {
	pair, err := keypair.New(keypair.Template{Bits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	srv := sandboxtest.Start(t, sandboxtest.Certificate(pair.CertificatePEM()))
	ask := func() error {
		params, err := entra.Certificate(pair, false).Params(t.Context(), srv.ClientID, srv.TokenURL)
		if err != nil {
			t.Fatal(err)
		}
		config := clientcredentials.Config{ClientID: srv.ClientID, TokenURL: srv.TokenURL, Scopes: []string{sandboxtest.Scope}, EndpointParams: url.Values(params)}
		_, err = config.Token(withClient(t, srv))
		return err
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	srv.ExpireCredentials()
	if err := ask(); err == nil {
		t.Error("an expired certificate got a token")
	}
}

// withClient is a context with the server's HTTP client.
func withClient(t testing.TB, srv *sandboxtest.Server) context.Context {
	return context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client())
}
