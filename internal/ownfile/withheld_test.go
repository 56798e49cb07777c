package ownfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// TestSettingsAndSecretsAreWithheld from whoever names a file below a directory.
func TestSettingsAndSecretsAreWithheld(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"settings", "secret", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := ownfile.OpenTrusted(filepath.Join(dir, "settings"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := ownfile.ReadSecret(t.Context(), filepath.Join(dir, "secret"), 100); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "secret"), filepath.Join(dir, "secret2")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"settings": ownfile.ErrWithheld, "./settings": ownfile.ErrWithheld, "secret2": ownfile.ErrWithheld, "other": nil} {
		f, err := ownfile.OpenBelow(dir, name)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if f != nil {
			f.Close()
		}
	}
}
