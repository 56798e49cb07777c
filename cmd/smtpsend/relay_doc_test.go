package main

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay/admission"
)

// TestWhoMaySubmitIsInTheManual holds the manual's truth table to package admission.
func TestWhoMaySubmitIsInTheManual(t *testing.T) {
	var b strings.Builder
	b.WriteString("| Policy | Address | User | Admitted as | AUTH is offered |\n|---|---|---|---|---|\n")
	for _, row := range admission.Rows() {
		w := row.Words()
		b.WriteString("| `" + w[0] + "` | " + strings.Join(w[1:], " | ") + " |\n")
	}
	sameFile(t, "../../docs/manual.md", func(text string) string { return between(t, text, "who may submit", b.String()) })
}
