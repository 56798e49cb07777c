package oncedaily_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/oncedaily"
)

type recurring string

func (r recurring) Error() string { return string(r) + " ends in some days" }
func (r recurring) Topic() string { return string(r) }

func TestSaidOnceADay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	now := time.Date(2027, 11, 30, 23, 59, 0, 0, time.UTC)
	for _, step := range []struct {
		dir  string
		err  error
		at   time.Duration
		said bool
	}{
		{dir, recurring("a"), 0, false},
		{dir, recurring("a"), 0, true},
		{dir, fmt.Errorf("wrapped: %w", recurring("a")), 0, true},
		{dir, recurring("b"), 0, false},
		{dir, recurring("a"), time.Minute, false}, // the next day
		{dir, recurring("a"), time.Hour, true},
		{dir, errors.New("a"), 0, false},
		{dir, errors.New("a"), 0, false},
		{"", recurring("a"), time.Hour, false},
		{"", recurring("a"), time.Hour, false},
	} {
		if got := oncedaily.Said(t.Context(), step.dir, step.err, now.Add(step.at)); got != step.said {
			t.Errorf("%+v: got %v", step, got)
		}
	}
}

// What cannot be remembered is said each time.
func TestSaidWithoutARoomToRememberIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if oncedaily.Said(t.Context(), filepath.Join(file, "cache"), recurring("a"), time.Now()) {
			t.Error("said before")
		}
	}
}
