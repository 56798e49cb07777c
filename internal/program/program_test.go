package program_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/program"
)

func TestSplitTakesQuotesAndNoVariables(t *testing.T) {
	for text, want := range map[string]string{
		`get secret`: "get|secret", "  get\t 'a b'  ": "get|a b", `get "a \"b\" \\ \c"`: `get|a "b" \ \c`, `get a'b c'd`: "get|ab cd", `get ''`: "get|", `C:\bin\get.exe $X ~ *`: `C:\bin\get.exe|$X|~|*`,
		"": "does not name a program", " ": "does not name a program", `'' x`: "does not name a program", `get 'a`: "has an opening quote without a closing one", `"a\"`: "has an opening quote without a closing one",
	} {
		words, err := program.Split(text)
		got := strings.Join(words, "|")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestArgumentsAreMasked(t *testing.T) {
	for text, want := range map[string]string{"get": "get", "get token": "get [arguments not shown]", `get "token`: "[not shown]"} {
		if got := program.Masked(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	for _, name := range []string{"no-such-program-here", t.TempDir() + "/none"} {
		p := program.Program{Words: []string{name, "argument"}}
		_, err := p.Run(t.Context(), nil, 10)
		if err == nil || !strings.HasPrefix(err.Error(), "did not run: ") || strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "argument") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
