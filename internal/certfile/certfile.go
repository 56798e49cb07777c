// Package certfile reads the certificates of a file, and leaves none out without a
// word: pem.Decode goes on after a block that it cannot read, and a bundle whose
// first line has a byte order mark lost its first certificate so.
//
// Read are PEM, also with a byte order mark, in UTF-16, with blanks before its
// lines and with text between its blocks, and DER, which Windows calls .cer. What
// holds certificates in another form is refused with the command that converts it.
package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// ErrNone says that a file holds no certificate. It is a predicate of the file.
var ErrNone = errors.New("does not contain a PEM certificate")

// Error is a block of a file that cannot be read. Its text is a clause: "block 2
// (line 25) has no END line".
type Error struct {
	Block  int // from 1
	Line   int // of its BEGIN, from 1
	Reason string
}

// Error names block, line and reason.
func (e *Error) Error() string {
	return fmt.Sprintf("holds a block %d (line %d) that %s", e.Block, e.Line, e.Reason)
}

// Read returns all certificates of a file, at least one. The error is an *Error,
// or wraps ErrNone or charset.ErrEncoding; all are predicates of the file.
func Read(data []byte) ([]*x509.Certificate, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrNone)
	}
	if data[0] == 0x30 && !bytes.Contains(data, []byte("-----BEGIN ")) { // a SEQUENCE of DER
		return readDER(data)
	}
	text, err := charset.Strict(data)
	if errors.Is(err, charset.ErrEncoding) && bytes.Contains(data, []byte("-----BEGIN ")) {
		text, _ = charset.Guess(string(data)) // an umlaut in a comment
	} else if err != nil {
		return nil, err
	}
	if i := strings.IndexByte(text, 0); i >= 0 { // such as UTF-16 that was appended
		return nil, fmt.Errorf("holds a NUL in line %d: a part of it is UTF-16, or it is not PEM", 1+strings.Count(text[:i], "\n"))
	}
	return readPEM(text)
}

// The object identifier of PKCS #7 signed data (RFC 2315 14), in DER.
var signedData = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

func readDER(data []byte) ([]*x509.Certificate, error) {
	all, err := x509.ParseCertificates(data)
	if err == nil && len(all) > 0 {
		return all, nil
	}
	var outer asn1.RawValue
	if _, e := asn1.Unmarshal(data, &outer); e != nil {
		return nil, fmt.Errorf("%w: it is neither text nor a whole file of DER", ErrNone)
	}
	switch {
	case bytes.HasPrefix(outer.Bytes, signedData):
		return nil, fmt.Errorf(`is PKCS #7 (.p7b): "openssl pkcs7 -inform der -in FILE -print_certs -out ca.pem" makes PEM of it`)
	case bytes.HasPrefix(outer.Bytes, []byte{0x02, 0x01, 0x03}): // version 3 (RFC 7292 4)
		return nil, fmt.Errorf(`is PKCS #12 (.pfx): "openssl pkcs12 -in FILE -nokeys -out ca.pem" makes PEM of its certificates`)
	}
	return nil, fmt.Errorf(`%w: as DER it cannot be read (%s); "certutil -encode FILE ca.pem" or "openssl x509 -inform der -in FILE -out ca.pem" makes PEM of a certificate`, ErrNone, short(err))
}

// block is what is between BEGIN and END.
type block struct {
	number, line int
	label        string
	lines        []string
}

func (b *block) wrong(format string, args ...any) error {
	return &Error{b.number, b.line, fmt.Sprintf(format, args...)}
}

// readPEM goes through the lines of a text.
func readPEM(text string) (all []*x509.Certificate, err error) {
	var open *block
	var other string // the label of a block that was not a certificate
	blocks := 0
	for i, line := range strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		// Files without a line end at their end, in one.
		for _, line := range strings.SplitAfter(strings.ReplaceAll(line, "----------", "-----\n-----"), "\n") {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "\ufeff"))
			label, begins := boundary(line, "BEGIN")
			end, ends := boundary(line, "END")
			switch {
			case begins && open != nil:
				return nil, open.wrong("has no END line before line %d, where another begins", i+1)
			case begins:
				blocks++
				open = &block{number: blocks, line: i + 1, label: label}
			case ends && open == nil:
				return nil, &Error{blocks + 1, i + 1, "has an END line and no BEGIN line"}
			case ends && end != open.label:
				return nil, open.wrong("begins as %q and ends in line %d as %q", open.label, i+1, end)
			case ends:
				certificate, err := open.read()
				if err != nil {
					return nil, err
				}
				if certificate != nil {
					all = append(all, certificate)
				} else {
					other = open.label
				}
				open = nil
			case open != nil:
				open.lines = append(open.lines, line)
			case strings.HasPrefix(line, "MII") && bare.Get().MatchString(line):
				return nil, &Error{blocks + 1, i + 1, `has no line "-----BEGIN CERTIFICATE-----"`}
			case likeBoundary(line):
				return nil, &Error{blocks + 1, i + 1, `does not begin with a line "-----BEGIN CERTIFICATE-----" and nothing else in it`}
			}
		}
	}
	switch {
	case open != nil:
		return nil, open.wrong("has no END line")
	case len(all) == 0 && other != "":
		return nil, fmt.Errorf("%w, but a block of %q", ErrNone, other)
	case len(all) == 0:
		return nil, ErrNone
	}
	return all, nil
}

// boundary is the label of a line such as "-----BEGIN CERTIFICATE-----".
func boundary(line, word string) (label string, ok bool) {
	rest, found := strings.CutPrefix(line, "-----"+word+" ")
	label, closed := strings.CutSuffix(rest, "-----")
	return label, found && closed && !strings.Contains(label, "-----")
}

// bare is how a certificate begins in base64: a SEQUENCE of 128 to 65,535 octets.
var bare = lazyregexp.New(`^MII[A-Za-z0-9+/]{40,}=*$`)

// likeBoundary reports a line that was meant to be one, but for comments.
func likeBoundary(line string) bool {
	if strings.HasPrefix(line, "#") {
		return false
	}
	upper := strings.ToUpper(line)
	for _, word := range []string{"BEGIN ", "END "} {
		before, after, found := strings.Cut(upper, word)
		dashes := strings.HasSuffix(strings.TrimRight(before, " "), "--")
		bare := strings.Trim(before, "-–— ") == "" && strings.Contains(after, "CERTIFICATE")
		like := dashes || bare
		if found && like {
			return true
		}
	}
	return false
}

// read is the certificate of a block, nil for a block that holds something else
// beside one, such as a key.
func (b *block) read() (*x509.Certificate, error) {
	switch b.label {
	case "CERTIFICATE", "X509 CERTIFICATE": // the second is OpenSSL's old name
	case "TRUSTED CERTIFICATE": // which says for what a certificate is trusted, and for what not
		return nil, b.wrong(`is a trusted certificate of OpenSSL, with rules that are not read: "openssl x509 -in FILE -out ca.pem" makes a plain one of it`)
	case "PKCS7", "CMS", "PKCS #7 SIGNED DATA":
		return nil, b.wrong(`is PKCS #7 (.p7b): "openssl pkcs7 -in FILE -print_certs -out ca.pem" makes PEM of it`)
	default:
		if strings.Contains(strings.ToUpper(b.label), "CERTIFICATE") {
			return nil, b.wrong("is a %.60q: only a \"CERTIFICATE\", written so, is read", b.label)
		}
		return nil, nil
	}
	decoded, _ := pem.Decode([]byte("-----BEGIN CERTIFICATE-----\n" + strings.Join(b.lines, "\n") + "\n-----END CERTIFICATE-----\n"))
	if decoded == nil {
		return nil, b.wrong("is not base64, or not all of it")
	}
	if len(decoded.Bytes) == 0 {
		return nil, b.wrong("is empty")
	}
	certificate, err := x509.ParseCertificate(decoded.Bytes)
	switch {
	case err == nil:
		return certificate, nil
	case bytes.Contains(decoded.Bytes[:min(len(decoded.Bytes), 32)], signedData): // of certutil -encode
		return nil, b.wrong(`is not a certificate but PKCS #7 (.p7b): "openssl pkcs7 -inform der -in FILE.p7b -print_certs -out ca.pem" makes PEM of it`)
	}
	return nil, b.wrong("cannot be read as a certificate (%s)", short(err))
}

// short is an error of package x509, which may quote the certificate.
func short(err error) string {
	return strings.ToValidUTF8(err.Error()[:min(len(err.Error()), 200)], "")
}
