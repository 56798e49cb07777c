package secret_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/secret"
)

func TestHideTakesRunsOut(t *testing.T) {
	const value = "abcdefghijKLMNOP"
	for text, want := range map[string]string{
		"":                             "",
		"nothing here":                 "nothing here",
		"x abcdefghijKLMNOP y":         "x [redacted] y",
		"x ABCDEFGHIJKLMNOP y":         "x [redacted] y",
		"abcdefgh ijKLMNOP":            "[redacted] [redacted]",
		"cut at its end: abcdefghij":   "cut at its end: [redacted]",
		"abcdefg is too short":         "abcdefg is too short",
		"é cdefghijKL é":               "é [redacted] é",
		"abcdefghijKLMNOPabcdefghijKL": "[redacted][redacted]",
	} {
		if got := secret.Hide(text, value, 8); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
	for _, short := range []string{"", "a", "abcd"} {
		if got := secret.Hide("an abcd x", short, 8); (got == "an [redacted] x") != (short == "abcd") {
			t.Errorf("of %q %q is left", short, got)
		}
	}
}
