package readymessage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// TestATemporaryNameIsRemovedOnce: it is removed at once, and when the message is
// closed another file may have it.
func TestATemporaryNameIsRemovedOnce(t *testing.T) {
	dir := t.TempDir()
	raw, err := readymessage.Read(t.Context(), strings.NewReader("From: a@contoso.example\n\n"+strings.Repeat("line\n", 300_000)), readymessage.Options{TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	name := unlinked(t, dir)
	if err := os.WriteFile(name, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "another's" {
		t.Errorf("%s: %q, %v", name, text, err)
	}
}

// unlinked is the name that an open file had in dir.
func unlinked(t *testing.T, dir string) string {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir) {
			return strings.TrimSuffix(to, " (deleted)")
		}
	}
	t.Fatalf("no file is open in %s", dir)
	return ""
}
