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
	"github.com/smtpsend/smtpsend/internal/smtp"
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
	for status, want := range map[int]smtp.Fault{
		302: smtp.FaultNetworkUnreachable, 403: smtp.FaultProxyRefused, 502: smtp.FaultNetworkUnreachable,
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

// TestProxyThatWantsASignInIsAskedOnce: a password that is tried often locks its
// account.
func TestProxyThatWantsASignInIsAskedOnce(t *testing.T) {
	for _, tt := range []struct {
		user       *url.Userinfo
		offers     []string
		said, note string
	}{
		{nil, []string{`Basic realm="a, NTLM"`}, "(it offers Basic; no user and password were sent)", "It offers Basic. No user and password were sent: the proxy's setting has none."},
		{url.UserPassword("u", "p4ssw0rd"), []string{`Basic realm="x", Digest nonce="y", realm = "z"`}, "(it offers Basic, Digest; user and password were sent)", "User and password were sent, and it refused them."},
		{nil, []string{"NTLM", "negotiate TlRMTVNTUAAC==", "ntlm"}, "(it offers NTLM, Negotiate; no user and password were sent)", "It offers NTLM, Negotiate. smtpsend supports only Basic, so a user and a password do not help."},
		{url.UserPassword("u", "p4ssw0rd"), nil, "(user and password were sent)", "User and password were sent, and it refused them."},
	} {
		var requests atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			for _, offer := range tt.offers {
				w.Header().Add("Proxy-Authenticate", offer)
			}
			w.WriteHeader(http.StatusProxyAuthRequired)
		}))
		_, err := entra.New(entra.Options{
			TokenURL: "https://login.example/token", ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
			HTTPClient: entra.NewHTTPClient(nil, func(*http.Request) (*url.URL, error) {
				u, err := url.Parse(proxy.URL)
				u.User = tt.user
				return u, err
			}),
		}).Token(t.Context())
		proxy.Close()
		e, ok := errors.AsType[*entra.Error](err)
		if !ok || e.Transient() || requests.Load() != 1 || !strings.Contains(err.Error(), tt.said) || strings.Contains(err.Error(), "p4ssw0rd") {
			t.Errorf("%q: after %d requests %v", tt.offers, requests.Load(), err)
			continue
		}
		if f := diagnosis.Find(e.Symptom(), diagnosis.Facts{}); f.Code != "proxy-authentication" || !strings.Contains(f.Cause, tt.note) {
			t.Errorf("%q: %s, %s", tt.offers, f.Code, f.Cause)
		}
	}
}

// TestSOCKSProxyThatWantsASignInIsAskedOnce: net/http has its own code for SOCKS.
func TestSOCKSProxyThatWantsASignInIsAskedOnce(t *testing.T) {
	for answers, note := range map[string]string{
		"\x05\xff":         "It accepts none of the ways that were offered",
		"\x05\x02\x01\x01": "User and password were sent, and it refused them.",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var connections atomic.Int32
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				connections.Add(1)
				_, _ = io.WriteString(conn, answers)
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}
		}()
		_, err = entra.New(entra.Options{
			TokenURL: "https://login.example/token", ClientID: clientID, Credential: entra.Secret(secret.New(clientSecret)),
			HTTPClient: entra.NewHTTPClient(nil, http.ProxyURL(&url.URL{Scheme: "socks5", Host: l.Addr().String(), User: url.UserPassword("u", "p4ssw0rd")})),
		}).Token(t.Context())
		l.Close()
		<-done
		e, ok := errors.AsType[*entra.Error](err)
		if !ok || e.Transient() || connections.Load() != 1 || strings.Contains(err.Error(), "p4ssw0rd") {
			t.Errorf("%q: after %d connections %v", answers, connections.Load(), err)
			continue
		}
		if f := diagnosis.Find(e.Symptom(), diagnosis.Facts{}); f.Code != "proxy-authentication" || !strings.Contains(f.Cause, note) {
			t.Errorf("%q: %s, %s", answers, f.Code, f.Cause)
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
