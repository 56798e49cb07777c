//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/keypair"
)

// certificateBound is for "token" with a warm token and a certificate whose key is not
// encrypted, in the instructions of that with a client secret.
const certificateBound = 1.1

// countCredentials counts "token" with a warm token, by kind of credential.
func (l *lab) countCredentials(ctx context.Context, n *instructions) error {
	dir, err := os.MkdirTemp(l.dir, "credentials-*")
	if err != nil {
		return fmt.Errorf("making directory: %w", err)
	}
	defer os.RemoveAll(dir)
	pair, err := keypair.New(keypair.Template{})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "pair.pem")
	if err := os.WriteFile(file, []byte(pair.PEM().Reveal()), 0o600); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	endpoint := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"a.%01400d.c"}`, 0)
	})}
	go func() { _ = endpoint.Serve(listener) }()
	defer endpoint.Close()
	for kind, count := range map[string]*int64{
		"SMTPSEND_OFFICE_CLIENT_SECRET=abc8Q~0123456789": &n.secret, "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=" + file: &n.certificate,
	} {
		env := []string{
			kind, "HOME=" + dir, "SMTPSEND_CACHE_DIR=" + filepath.Join(dir, "cache"), "SMTPSEND_OFFICE_TOKEN_ENDPOINT=http://" + listener.Addr().String() + "/token",
			"SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555", "SMTPSEND_OFFICE_TENANT_ID=21111111-2222-3333-4444-555555555555",
		}
		warm := exec.CommandContext(ctx, l.path("smtpsend"), "token")
		warm.Env = env
		if text, err := warm.CombinedOutput(); err != nil {
			return fmt.Errorf("fetching a token: %w: %s", err, oneLine(string(text)))
		}
		if *count, err = l.count(ctx, invocation{args: []string{l.path("smtpsend"), "token"}}, env); err != nil {
			return err
		}
	}
	return nil
}
