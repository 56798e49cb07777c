package session

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// tlsConfig is the client side of a session's TLS. With FirstRoots the chain is
// checked by verifyStaged in place of crypto/tls, which wants all roots before
// the handshake: the same checks, once or twice.
func (o Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{
		ServerName: o.Host,
		MinVersion: tls.VersionTLS12, // Exchange Online takes no less (421 4.7.66)
	}
	if o.FirstRoots != nil {
		c.InsecureSkipVerify = true // see above: VerifyConnection does it, always
		c.VerifyConnection = o.verifyStaged
		return c, nil
	}
	var err error
	c.RootCAs, err = o.roots()
	return c, err
}

// verifyStaged accepts exactly what crypto/tls would accept with all roots, of
// which FirstRoots are some: whatever fails with these is tried with all.
func (o Options) verifyStaged(state tls.ConnectionState) error {
	if o.verify(state, o.FirstRoots) == nil {
		return nil
	}
	all, err := o.roots()
	if err != nil {
		return err
	}
	return o.verify(state, all)
}

// verify checks the server's chain and name as crypto/tls does, and fails with
// the same type.
func (o Options) verify(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server sent no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: o.Host, Roots: roots, Intermediates: between})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

func (o Options) roots() (*x509.CertPool, error) {
	if o.LoadRoots != nil {
		return o.LoadRoots()
	}
	return o.RootCAs, nil
}
