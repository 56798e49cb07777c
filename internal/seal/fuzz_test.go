package seal_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/seal"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// FuzzOpen: what opens is what was sealed, and no error tells of it.
func FuzzOpen(f *testing.F) {
	const plain = "the-secret-8Q~x"
	identity := filepath.Join(f.TempDir(), "identity.txt")
	sealed, err := seal.Seal(identity, secret.New(plain))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{sealed, sealed[:len(sealed)-2], seal.Prefix, "", plain, strings.ToUpper(sealed)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := seal.Open(identity, text)
		switch {
		case err == nil && got.Reveal() != plain:
			t.Fatalf("%q opened to something else", text)
		case err != nil && strings.Contains(err.Error(), plain):
			t.Fatalf("the error holds the secret: %v", err)
		}
	})
}
