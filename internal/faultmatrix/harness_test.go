//go:build unix

package faultmatrix_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverRole) != "" {
		serveUntilKilled()
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(buildDir())
		os.Exit(code)
	}))
}

const mailbox = "noreply@contoso.example"

// accessToken is long enough that AUTH with it exceeds 512 octets.
var accessToken = "eyJ0eXAiOiJKV1QifQ." + strings.Repeat("S3CRET", 100) + ".c2ln"

// keys are a certificate for 127.0.0.1 that is its own root.
type keys struct {
	config *tls.Config
	roots  *x509.CertPool
	pem    []byte
}

var certificate = sync.OnceValue(func() keys {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return keys{
		config: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, CurvePreferences: []tls.CurveID{tls.X25519}},
		roots:  roots,
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
})

// oneToken is a TokenSource of one token.
type oneToken struct{}

func (oneToken) Token(context.Context) (bearer.Token, error) {
	return bearer.Token{Access: secret.New(accessToken)}, nil
}
func (oneToken) Invalidate(bearer.Token) {}

// options lead to s.
func (s *server) options() session.Options {
	o := session.Options{
		Host: "127.0.0.1", Port: s.port(), RootCAs: certificate().roots, Mailbox: mailbox, Tokens: oneToken{},
		EHLOName: "client.example", Timeouts: limits(patience),
	}
	if s.cell.stage == dial && !s.cell.healthy {
		o.Proxy = &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port()))}
	}
	return o
}

// patience is a limit that no fault but a timed one reaches.
const patience = 100 * time.Second

func limits(d time.Duration) session.Timeouts {
	return session.Timeouts{Dial: d, Command: d, Data: d, Block: d, Dot: d}
}

// compose makes a message with lines that begin with dots.
func compose(to ...string) (m *mailobject.Mail, text string, err error) {
	d := message.Draft{Subject: "matrix", Text: "first\n.dot at the start\n..two\n.\nlast\n"}
	if d.From, err = address.Parse("From", mailbox); err != nil {
		return nil, "", err
	}
	for _, a := range to {
		parsed, err := address.Parse("To", a)
		if err != nil {
			return nil, "", err
		}
		d.To = append(d.To, parsed)
	}
	composed, err := message.Compose(context.Background(), d)
	if err != nil {
		return nil, "", err
	}
	m = composed.Mail
	var b strings.Builder
	if _, err := m.Content.WriteTo(&b); err != nil {
		return nil, "", err
	}
	return m, b.String(), nil
}

func mustCompose(t *testing.T, to ...string) (*mailobject.Mail, string) {
	t.Helper()
	m, text, err := compose(to...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, text
}

// openFiles counts this process's file descriptors; -1 where that is not known.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(list)
}

// noLeak fails t when a goroutine, socket or file is left that was not there
// when it was called.
func noLeak(t *testing.T) {
	t.Helper()
	certificate()
	openFiles() // the poller's own descriptors come with the first use
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
	before, running := openFiles(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, running)
		if now := openFiles(); now != before {
			t.Errorf("%d files are open, %d were before", now, before)
		}
	})
}
