package secretfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/secretfile"
)

func TestMarksAroundASecretAreNotPartOfIt(t *testing.T) {
	for text, want := range map[string]string{
		"a~b": "a~b", "a~b\n": "a~b", "a~b\r\n": "a~b", "\xef\xbb\xbfa~b\r\n": "a~b", "a\n\n": "a\n", " a ": " a ",
		"": "error: is empty", "\n": "error: is empty", "a\xff": "error: is neither UTF-8", strings.Repeat("x", secretfile.MaxSize+1): "error: cannot be read: ",
	} {
		got, err := secretfile.ReadFrom(strings.NewReader(text))
		if wanted, isError := strings.CutPrefix(want, "error: "); isError {
			var unusable *secretfile.Error
			if !errors.As(err, &unusable) || !strings.HasPrefix(err.Error(), wanted) || got != "" {
				t.Errorf("%.20q: %q, %v, want %s", text, got, err, wanted)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestCredentialIsAFileOfItsDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "smtpsend.x"), []byte("a~b"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, found := secretfile.Credential(dir, "smtpsend.x")
	if text, err := secretfile.Read(t.Context(), path); !found || text != "a~b" || err != nil {
		t.Errorf("%q, %v, %v", text, found, err)
	}
	if _, found := secretfile.Credential(dir, "smtpsend.y"); found {
		t.Error("a credential that is not there was found")
	}
	if _, found := secretfile.Credential("", "smtpsend.x"); found {
		t.Error("a credential was found without a directory")
	}
	if _, err := secretfile.Read(t.Context(), dir+"/none"); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "cannot be read: ") || strings.Contains(err.Error(), dir) {
		t.Error(err)
	}
}
