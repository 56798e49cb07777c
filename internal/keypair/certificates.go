package keypair

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

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
	if err := p.readPKCS12(ctx, data); err != nil {
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

// NotAfter is when the pair's certificate ends; zero when it cannot be read. Of a file
// with one certificate in PEM it reads this date alone, a tenth of what parsing the
// certificate computes: each start of a program asks for it.
func (p *Pair) NotAfter() time.Time {
	if p.end != nil {
		if ends, ok := p.end(); ok {
			return ends
		}
	}
	if c := p.Certificate(); c != nil {
		return c.NotAfter
	}
	return time.Time{}
}

// onlyEnd is the end of the only certificate in PEM. ok is false when there are others,
// and for what certfile.Read has to look at.
func onlyEnd(text []byte) (ends time.Time, ok bool) {
	const begins = begin + labelCertificate + "-----"
	at := bytes.Index(text, []byte(begins))
	if at < 0 || bytes.Count(text, []byte(begins)) != 1 {
		return ends, false
	}
	if ends, ok = endOf(head(text[at+len(begins):])); ok {
		return ends, true
	}
	block, _ := decoded(text[at:], labelCertificate)
	if block == nil {
		return ends, false
	}
	return endOf(block.Bytes)
}

// headLength is how much of a certificate in base64 is decoded to find its end, which comes
// after the issuer.
const headLength = 512

// head is the beginning of a certificate in DER.
func head(body []byte) []byte {
	der := make([]byte, base64.StdEncoding.DecodedLen(headLength))
	body = bytes.ReplaceAll(body[:min(len(body), headLength)], []byte("\n"), nil)
	n, _ := base64.StdEncoding.Decode(der, bytes.TrimSpace(body)) // the end may be within four characters
	return der[:n]
}

// endOf is the end of the validity of a certificate in DER (RFC 5280 4.1), of which what
// comes after the validity may be missing.
func endOf(der []byte) (ends time.Time, ok bool) {
	var validity cryptobyte.String
	signed := content(content(der))
	isRead := signed.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) && // version
		signed.SkipASN1(asn1.INTEGER) && signed.SkipASN1(asn1.SEQUENCE) && signed.SkipASN1(asn1.SEQUENCE) && // serial number, algorithm, issuer
		signed.ReadASN1(&validity, asn1.SEQUENCE)
	if !isRead {
		return ends, false
	}
	for range 2 { // begin and end
		if validity.PeekASN1Tag(asn1.UTCTime) {
			ok = validity.ReadASN1UTCTime(&ends)
		} else {
			ok = validity.ReadASN1GeneralizedTime(&ends)
		}
		if !ok {
			return ends, false
		}
	}
	return ends, true
}

// content is what is in the SEQUENCE that der begins with; der may end early. It is nil
// for what is not a SEQUENCE.
func content(der cryptobyte.String) cryptobyte.String {
	const longForm = 0x80 // of the length, whose octets follow
	if len(der) < 2 || asn1.Tag(der[0]) != asn1.SEQUENCE {
		return nil
	}
	length := max(0, int(der[1])-longForm)
	return der[min(2+length, len(der)):]
}
