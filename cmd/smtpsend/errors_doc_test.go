package main

import (
	"bytes"
	"testing"

	"github.com/smtpsend/smtpsend/internal/docgen"
)

// TestErrorsChapterIsTheCatalogue holds docs/errors.md to the catalogue.
func TestErrorsChapterIsTheCatalogue(t *testing.T) {
	var b bytes.Buffer
	if err := docgen.WriteErrors(&b); err != nil {
		t.Fatal(err)
	}
	sameFile(t, "../../docs/errors.md", func(string) string { return b.String() })
}
