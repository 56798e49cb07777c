//go:build unix

package relayfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

func TestReadCountsPathsFromTheFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "relay.yaml")
	text := "users_file: users\nlisteners: [{address: 'starttls://10.0.0.1', policy: auth, certificate: c.pem, key: /k.pem}]\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := relayfile.Read(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	if f.UsersFile != filepath.Join(dir, "users") || f.Listeners[0].Certificate != filepath.Join(dir, "c.pem") || f.Listeners[0].Key != "/k.pem" {
		t.Errorf("%+v", f)
	}
	var file *badinput.FileError
	if _, err := relayfile.Read(context.Background(), filepath.Join(dir, "none")); !errors.As(err, &file) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%T %v", err, err)
	}
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := relayfile.Read(context.Background(), name); !errors.As(err, &file) {
		t.Errorf("a file that everyone may write is read: %v", err)
	}
}
