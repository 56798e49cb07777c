package certfile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/charset"
)

// certificate is a new one, in DER.
func certificate(t testing.TB, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func utf16Of(text string) string {
	out := "\xff\xfe"
	for _, u := range utf16.Encode([]rune(text)) {
		out += string([]byte{byte(u), byte(u >> 8)})
	}
	return out
}

func namesOf(all []*x509.Certificate) (names string) {
	for _, c := range all {
		names += c.Subject.CommonName
	}
	return names
}

func TestEveryCertificateIsRead(t *testing.T) {
	derA, derB := certificate(t, "A"), certificate(t, "B")
	a, b := pemOf("CERTIFICATE", derA), pemOf("CERTIFICATE", derB)
	for name, in := range map[string]string{
		"PEM":                     a + b,
		"byte order mark":         "\ufeff" + a + b,
		"mark of the second file": a + "\ufeff" + b,
		"CRLF":                    strings.ReplaceAll(a+b, "\n", "\r\n"),
		"CR":                      strings.ReplaceAll(a+b, "\n", "\r"),
		"UTF-16 of PowerShell":    utf16Of(strings.ReplaceAll(a+b, "\n", "\r\n")),
		"blanks":                  "  " + strings.ReplaceAll(a+b, "\n", " \n\t"),
		"no line end between":     strings.TrimSpace(a) + b,
		"no line end at the end":  a + strings.TrimSpace(b),
		"text between":            "subject=CN = A\nBag Attributes\n# -----BEGIN CERTIFICATE-----\n" + a + "\n- begin of the second -\n\xfc\n====\n" + b + "the end\n",
		"a key beside them":       a + pemOf("EC PRIVATE KEY", []byte("x")) + b,
		"OpenSSL's old name":      pemOf("X509 CERTIFICATE", derA) + b,
		"DER":                     string(derA) + string(derB),
		"Ctrl-Z":                  a + b + "\x1a",
	} {
		if all, err := certfile.Read([]byte(in)); err != nil || namesOf(all) != "AB" {
			t.Errorf("%s: %q, %v", name, namesOf(all), err)
		}
	}
}

func TestACertificateThatIsNotReadIsAnError(t *testing.T) {
	der := certificate(t, "A")
	good := pemOf("CERTIFICATE", der)
	second := strings.Count(good, "\n") + 1
	last := strings.Split(strings.TrimSpace(good), "\n")
	noEnd := strings.Join(last[:len(last)-1], "\n") + "\n"
	for _, tt := range []struct {
		name, in string
		block    int // that the error names, at this line
		line     int
		want     string
	}{
		{"no END", good + noEnd, 2, second, "has no END line"},
		{"no END before another", noEnd + good, 1, 1, "has no END line before line "},
		{"no BEGIN", strings.TrimPrefix(good, "-----BEGIN CERTIFICATE-----\n"), 1, 1, "has no line"},
		{"END alone", good + "-----END CERTIFICATE-----\n", 2, second, "has an END line and no BEGIN line"},
		{"another END", good + strings.ReplaceAll(good, "END CERT", "END X509 CERT"), 2, second, "ends in line "},
		{"not base64", good + strings.ReplaceAll(good, last[2], last[2][1:]+"*"), 2, second, "is not base64"},
		{"cut off", pemOf("CERTIFICATE", der[:100]) + good, 1, 1, "cannot be read as a certificate (x509: "},
		{"more than a certificate", good + pemOf("CERTIFICATE", append(der[:len(der):len(der)], 1)), 2, second, "cannot be read as a certificate"},
		{"nothing between", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", 1, 1, "is "},
		{"four dashes", good + "----BEGIN CERTIFICATE-----\n", 2, second, "does not begin with a line"},
		{"dashes of a word processor", good + "—–BEGIN CERTIFICATE—–\n", 2, second, "does not begin with a line"},
		{"no dashes", "BEGIN CERTIFICATE\n", 1, 1, "does not begin with a line"},
		{"all in one line", good + strings.ReplaceAll(good, "\n", " ") + "\n", 2, second, "does not begin with a line"},
		{"line ends of an environment", strings.ReplaceAll(good, "\n", `\n`), 1, 1, "does not begin with a line"},
		{"small letters", good + strings.ToLower(good), 2, second, "does not begin with a line"},
		{"small letters in the label", good + strings.ReplaceAll(good, "CERTIFICATE", "certificate"), 2, second, `is a "certificate"`},
		{"a request", good + pemOf("CERTIFICATE REQUEST", der), 2, second, `is a "CERTIFICATE REQUEST"`},
		{"no frame", good + strings.Join(last[1:len(last)-1], "\n") + "\n", 2, second, "has no line"},
		{"no frame, in one line", base64.StdEncoding.EncodeToString(der), 1, 1, "has no line"},
		{"trusted", good + pemOf("TRUSTED CERTIFICATE", der), 2, second, "openssl x509 -in FILE -out ca.pem"},
		{"PKCS #7 in PEM", pemOf("PKCS7", der), 1, 1, "openssl pkcs7 -in FILE -print_certs -out ca.pem"},
		{"PKCS #7 of certutil", pemOf("CERTIFICATE", sequence(t, signedData, 200)), 1, 1, "openssl pkcs7 -inform der"},
	} {
		all, err := certfile.Read([]byte(tt.in))
		var wrong *certfile.Error
		if !errors.As(err, &wrong) || wrong.Block != tt.block || wrong.Line != tt.line || !strings.Contains(wrong.Reason, tt.want) {
			t.Errorf("%s: %q, %v; want block %d, line %d, %q", tt.name, namesOf(all), err, tt.block, tt.line, tt.want)
		}
	}
}

var signedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// sequence is DER that begins with first.
func sequence(t *testing.T, first any, size int) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		First any
		Rest  []byte
	}{first, make([]byte, size)})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestAFileWithoutCertificatesIsAnError(t *testing.T) {
	der := certificate(t, "A")
	good := pemOf("CERTIFICATE", der)
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "it is empty"}, {"blanks", " \r\n\t", "it is empty"}, {"words", "no such thing", "does not contain a PEM certificate"},
		{"a key", pemOf("PRIVATE KEY", []byte("x")), `does not contain a PEM certificate, but a block of "PRIVATE KEY"`},
		{"half of DER", string(der[:50]), "neither text nor a whole file of DER"},
		{"other DER", string(sequence(t, 7, 9)), "certutil -encode FILE ca.pem"},
		{"PKCS #7", string(sequence(t, signedData, 300)), "openssl pkcs7 -inform der -in FILE -print_certs -out ca.pem"},
		{"PKCS #12", string(sequence(t, 3, 300)), "openssl pkcs12 -in FILE -nokeys -out ca.pem"},
		{"UTF-16 behind UTF-8", good + utf16Of(good)[2:], "holds a NUL in line "},
		{"UTF-16 without mark", utf16Of(good)[2:], "iconv -f UTF-16LE -t UTF-8 FILE"},
		{"octets", "\x80\x81\x82", charset.ErrEncoding.Error()},
	} {
		if all, err := certfile.Read([]byte(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.name, namesOf(all), err, tt.want)
		}
	}
}

func TestTheBundleOfThisSystemIsRead(t *testing.T) {
	data, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Skip(err)
	}
	if all, err := certfile.Read(data); err != nil || len(all) != strings.Count(string(data), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("%d certificates, %v", len(all), err)
	}
}

// What is read is every block that begins as a certificate.
func FuzzRead(f *testing.F) {
	good := pemOf("CERTIFICATE", certificate(f, "A"))
	for _, seed := range []string{good, good + good, "\ufeff" + good, utf16Of(good), "-----BEGIN CERTIFICATE-----", "----------", "0", "-----END X-----"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := certfile.Read(data)
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("%d certificates, %v", len(all), err)
		}
		if blocks := strings.Count("\n"+string(data), "\n-----BEGIN CERTIFICATE-----\n"); err == nil && len(all) < blocks {
			t.Fatalf("%d of %d certificates", len(all), blocks)
		}
	})
}
