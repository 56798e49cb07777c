package rows_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/smtpsend/smtpsend/internal/rows"
)

// TestRowsAreReadUntilInterrupted: a million rows take seconds to read.
func TestRowsAreReadUntilInterrupted(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "rows.csv")
	if err := os.WriteFile(name, []byte("email\na@contoso.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := rows.Open(ctx, name, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := r.Rows(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the interruption: %v", err)
	}
}
