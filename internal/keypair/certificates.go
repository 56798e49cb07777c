package keypair

import (
	"context"
	"crypto/x509"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Certificates reads the certificates of a pair alone, the pair's first, as far as the
// file says. Of PEM it needs neither key nor password; PKCS #12 is decrypted. The error
// is that of Read.
func Certificates(ctx context.Context, files Files) ([]*x509.Certificate, error) {
	data, err := ownfile.ReadSecret(ctx, files.Certificate, maxFile)
	if err != nil {
		return nil, unread(files.Certificate, err)
	}
	if !isPKCS12(data) {
		all, err := certificatesOf(files, data)
		if err == nil {
			(&Pair{}).ownFirst(all)
		}
		return all, err
	}
	p := &Pair{files: files}
	if err := p.readPKCS12(data); err != nil {
		return nil, err
	}
	return p.Chain(), nil
}

// certificatesOf reads certificates in PEM.
func certificatesOf(files Files, data []byte) ([]*x509.Certificate, error) {
	chain, err := certfile.Read(data)
	if err != nil {
		return nil, &Error{files.Certificate, err}
	}
	return chain, nil
}
