//go:build linux

package interop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// certificate writes dir/cert.pem, which signs itself and is good for
// 127.0.0.1, and its key to dir/key.pem. It returns the certificate.
func certificate(t testing.TB, dir string) []byte {
	t.Helper()
	return issue(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), func(*x509.Certificate) {})
}

// issue writes a certificate that signs itself, and is good for 127.0.0.1 unless
// change makes it another one.
func issue(t testing.TB, certFile, keyFile string, change func(*x509.Certificate)) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, certFile, string(cert))
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		t.Fatal(err)
	}
	return cert
}

// start starts a sandbox for the length of the test.
func start(t testing.TB, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	box, err := sandbox.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

// client is smtpsend with the tokens of a sandbox.
type client struct {
	envFile string
	environ []string
}

// newClient makes settings in dir. settings, as NAME=value without the prefix,
// go before those of the sandbox.
func newClient(t testing.TB, box *sandbox.Sandbox, settings ...string) *client {
	t.Helper()
	dir := t.TempDir()
	c := &client{envFile: filepath.Join(dir, "e.env")}
	if err := box.WriteEnv(c.envFile); err != nil {
		t.Fatal(err)
	}
	c.environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SMTPSEND_CACHE_DIR=" + filepath.Join(dir, "cache")}
	for _, s := range settings {
		c.environ = append(c.environ, "SMTPSEND_"+s)
	}
	return c
}

// at points the client at a server of others, whose certificate it trusts
// beside the sandbox's.
func at(t testing.TB, box *sandbox.Sandbox, port string, cert []byte) []string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, string(box.CAPEM())+string(cert))
	return []string{"MAIL_SERVER=127.0.0.1", "SMTP_PORT=" + port, "CA_FILE=" + ca}
}

// run runs smtpsend with the client's settings.
func (c *client) run(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"--env-file", c.envFile}, args...)...)
	cmd.Env, cmd.Stdin = c.environ, strings.NewReader(stdin)
	return finish(t, cmd)
}

// token is an access token as `smtpsend token` prints it.
func (c *client) token(t testing.TB) string {
	t.Helper()
	r := c.run(t, "", "token")
	if r.code != 0 {
		t.Fatalf("smtpsend token: %v", r)
	}
	return strings.TrimSpace(r.stdout)
}
