package ownfile_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

func TestRemoveStraysRemovesTemporaryFilesOfTheseNamesAlone(t *testing.T) {
	dir := t.TempDir()
	const random = "ABCDEFGHIJKLMNOPQRSTUVWX27"
	left := []string{
		".a.tmp",                    // no random end
		".a.tmp" + random + "A",     // a longer one
		".a.tmp" + random[1:],       // a shorter one
		".a.tmp" + random[1:] + "a", // another alphabet
		".a" + random,               // no mark
		".b.tmp" + random,           // of another file
		"a",
		"a.tmp" + random, // no dot
	}
	for _, name := range append(slices.Clone(left), ".a.tmp"+random) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := ownfile.RemoveStrays(dir, func(name string) bool { return name == "a" }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(left)
	if !slices.Equal(got, left) {
		t.Errorf("left:\n%q, want\n%q", got, left)
	}
}

// A process that is killed in Replace leaves a name that RemoveStrays knows.
func TestRemoveStraysKnowsTheNamesOfReplace(t *testing.T) {
	dir := t.TempDir()
	files := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	_ = ownfile.ReplaceAfter(filepath.Join(dir, "a"), func() {
		if n := files(); n != 1 {
			t.Fatalf("%d files while one is replaced", n)
		}
		if err := ownfile.RemoveStrays(dir, func(name string) bool { return name == "a" }); err != nil {
			t.Fatal(err)
		}
		if n := files(); n != 0 {
			t.Errorf("%d files are left", n)
		}
	})
}
