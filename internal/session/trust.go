package session

import (
	"crypto/tls"
	"crypto/x509"
	"sync"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// tlsConfig is the client side of a session's TLS; chain and name are crypto/tls's
// to check.
func (o Options) tlsConfig() (*tls.Config, error) {
	roots, err := o.roots()
	return &tls.Config{
		ServerName: o.Host,
		RootCAs:    roots,
		MinVersion: exchange.MinTLS,
	}, err
}

func (o Options) roots() (*x509.CertPool, error) {
	if o.LoadRoots != nil {
		return o.LoadRoots()
	}
	return o.RootCAs, nil
}

// loadRoots has LoadRoots run while the connection is made, so that the handshake
// need not wait for it. ended waits for its end.
func (l *link) loadRoots() (ended func()) {
	if l.o.LoadRoots == nil || l.o.Security == Plaintext {
		return func() {}
	}
	l.o.LoadRoots = sync.OnceValues(l.o.LoadRoots)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = l.o.LoadRoots() // the handshake gets the error
	}()
	return func() { <-done }
}
