package main

import (
	"bytes"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// TestErrorsChapterIsTheCatalogue holds docs/errors.md to the catalogue.
func TestErrorsChapterIsTheCatalogue(t *testing.T) {
	var b bytes.Buffer
	if err := diagnosis.WriteManual(&b); err != nil {
		t.Fatal(err)
	}
	sameFile(t, "../../docs/errors.md", func(string) string { return b.String() })
}
