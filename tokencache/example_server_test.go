package tokencache_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/xoauth2"
)

// service stands in for Entra and Exchange Online in the examples: a token
// endpoint, and an SMTP server that takes its tokens.
type service struct {
	TokenURL string
	SMTPAddr string
	TLS      *tls.Config // trusts both

	endpoint *httptest.Server
	smtp     *smtp.Server
	served   sync.WaitGroup

	mu       sync.Mutex
	requests int      // guarded by mu; for a token
	sessions []string // guarded by mu; the users who were let in
}

func startService() *service {
	s := &service{}
	s.endpoint = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		s.requests++
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"the-token","token_type":"Bearer","expires_in":3599}`)
	}))
	s.TokenURL = s.endpoint.URL
	roots := x509.NewCertPool()
	roots.AddCert(s.endpoint.Certificate())
	s.TLS = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}

	s.smtp = smtp.NewServer(s)
	s.smtp.Domain = "127.0.0.1"
	s.smtp.TLSConfig = &tls.Config{Certificates: s.endpoint.TLS.Certificates, MinVersion: tls.VersionTLS12}
	s.smtp.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s.SMTPAddr = listener.Addr().String()
	s.served.Go(func() { _ = s.smtp.Serve(listener) }) // ends with ErrServerClosed
	return s
}

// Context makes package oauth2 trust the token endpoint.
func (s *service) Context() context.Context {
	return context.WithValue(context.Background(), oauth2.HTTPClient, s.endpoint.Client())
}

func (s *service) Close() {
	_ = s.smtp.Close()
	s.served.Wait()
	s.endpoint.Close()
}

// Seen returns the number of token requests and who was let in.
func (s *service) Seen() (requests int, sessions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.sessions
}

// NewSession makes service a smtp.Backend.
func (s *service) NewSession(*smtp.Conn) (smtp.Session, error) { return session{s}, nil }

type session struct{ service *service }

func (session) AuthMechanisms() []string { return []string{xoauth2.Mechanism} }

func (s session) Auth(string) (sasl.Server, error) { return &mechanism{service: s.service}, nil }

func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (session) Reset()                               {}
func (session) Logout() error                        { return nil }

func (session) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// mechanism is the server side of XOAUTH2.
type mechanism struct {
	service *service
	refused bool
}

func (m *mechanism) Next(response []byte) (challenge []byte, done bool, err error) {
	if m.refused { // the client has answered the error result
		return nil, false, errors.New("token refused")
	}
	if response == nil {
		return []byte{}, false, nil
	}
	user, token, err := xoauth2.ParseInitialResponse(response)
	if err != nil {
		return nil, false, err
	}
	if token != "the-token" {
		m.refused = true
		return (&xoauth2.ErrorResult{Status: "401", Schemes: "bearer"}).Challenge(), false, nil
	}
	m.service.mu.Lock()
	defer m.service.mu.Unlock()
	m.service.sessions = append(m.service.sessions, user)
	return nil, true, nil
}
