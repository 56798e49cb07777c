//go:build unix

package keypair_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/keypair"
)

// TestACertificateFromAPipe, as a shell's <(command) is, beside a key in a file: a pipe can
// be read once, and its second reader waited for 30 s.
func TestACertificateFromAPipe(t *testing.T) {
	w := newWorkshop(t)
	pipe := w.path("pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	written, certificate := make(chan error, 1), w.get("client.crt")
	go func() { written <- os.WriteFile(pipe, certificate, 0) }()
	p, err := keypair.Read(t.Context(), keypair.Files{Certificate: pipe, Key: w.path("client.key")})
	if err == nil {
		_, _, err = p.Signer()
	}
	if again := <-written; err != nil || again != nil {
		t.Errorf("%v, %v", err, again)
	}
}
