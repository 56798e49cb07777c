package entra_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// tunnel is an HTTP proxy that knows CONNECT only, and what hosts it was asked
// for.
func tunnel(hosts chan<- string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case hosts <- r.Host:
		default: // a request that was tried again
		}
		server, err := net.Dial("tcp", r.Host)
		if r.Method != http.MethodConnect || err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer server.Close()
		w.WriteHeader(http.StatusOK)
		client, begun, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(server, begun); _ = server.Close() })
		_, _ = io.Copy(client, server)
		_ = client.Close()
		wg.Wait()
	}
}

func TestRequestGoesThroughTheProxy(t *testing.T) {
	e := newEndpoint(t, answer(200, goodAnswer, isJSON))
	hosts := make(chan string, 1)
	proxy := httptest.NewServer(tunnel(hosts))
	defer proxy.Close()
	roots := x509.NewCertPool()
	roots.AddCert(e.Certificate())
	s := entra.New(entra.Options{
		TokenURL: e.URL, ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
		HTTPClient: entra.NewHTTPClient(roots, func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }),
	})
	if _, err := s.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if host := <-hosts; "https://"+host != e.URL {
		t.Errorf("proxy was asked for %s, want %s", host, e.URL)
	}
}

// TestProxyThatOpensNoTunnelHasItsName ends with the second request: what the
// first was told stays the reason.
func TestProxyThatOpensNoTunnelHasItsName(t *testing.T) {
	ended := errors.New("test has heard enough")
	for status, want := range map[int]diagnosis.Fault{
		302: diagnosis.FaultNetworkUnreachable, 403: diagnosis.FaultProxyRefused, 407: diagnosis.FaultProxyRefused, 502: diagnosis.FaultNetworkUnreachable,
	} {
		ctx, end := context.WithCancelCause(t.Context())
		var requests atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if requests.Add(1) > 1 {
				end(ended)
				<-ctx.Done()
			}
			w.WriteHeader(status)
		}))
		_, err := entra.New(entra.Options{
			TokenURL: "https://login.example/token", ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
			HTTPClient: entra.NewHTTPClient(nil, func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }),
		}).Token(ctx)
		end(nil)
		proxy.Close()
		e, ok := errors.AsType[*entra.Error](err)
		if !ok || e.Symptom().Fault != want || !strings.Contains(err.Error(), "CONNECT with "+strconv.Itoa(status)) || !errors.Is(err, ended) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A proxy would read the secret of a request without TLS, wherever the proxy is.
func TestRequestWithoutTLSGoesByNoProxy(t *testing.T) {
	e := httptest.NewServer(answer(200, goodAnswer, isJSON))
	defer e.Close()
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	_, port, err := net.SplitHostPort(e.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "LocalHost", "127.0.0.1"} {
		s := entra.New(entra.Options{
			TokenURL: "http://" + net.JoinHostPort(host, port), ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
			HTTPClient: entra.NewHTTPClient(nil, func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }),
		})
		if _, err := s.Token(t.Context()); err != nil || asked.Load() > 0 {
			t.Errorf("%s: %v, and %d requests to the proxy", host, err, asked.Load())
		}
	}
}

// A resolver may say what it likes of localhost.
func TestLocalhostIsThisMachine(t *testing.T) {
	for address, ok := range map[string]bool{"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "192.0.2.1:80": false, "[2001:db8::1]:80": false, "nonsense": false} {
		if err := entra.OnlyLoopback("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
