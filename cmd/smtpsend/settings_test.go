package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/docgen"
	"github.com/smtpsend/smtpsend/internal/setting"
)

var update = flag.Bool("update", false, "write what is generated into README, manual and .env.example")

// TestSettingsTableIsInTheDocuments holds struct, example file, README and
// manual together: all come from setting.All.
func TestSettingsTableIsInTheDocuments(t *testing.T) {
	sameFile(t, "../../.env.example", func(string) string { return setting.Example() })
	for _, name := range []string{"../../README.md", "../../docs/manual.md"} {
		sameFile(t, name, func(text string) string { return between(t, text, "settings", docgen.Settings()) })
	}
}

// sameFile compares a file with what it should be, or writes that.
func sameFile(t *testing.T, name string, want func(text string) string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !*update {
		t.Fatal(err)
	}
	generated := want(string(text))
	if string(text) == generated {
		return
	}
	if !*update {
		t.Errorf("%s is not as generated: run go test ./cmd/smtpsend -update", name)
		return
	}
	if err := os.WriteFile(name, []byte(generated), 0o644); err != nil {
		t.Fatal(err)
	}
}

// between puts body between the comments "<!-- name: ... -->" and "<!-- /name -->".
func between(t *testing.T, text, name, body string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, "<!-- "+name+":")
	comment, rest, ok2 := strings.Cut(rest, "-->\n")
	_, after, ok3 := strings.Cut(rest, "<!-- /"+name+" -->")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("no comments for %q", name)
	}
	return before + "<!-- " + name + ":" + comment + "-->\n" + strings.TrimRight(body, "\n") + "\n<!-- /" + name + " -->" + after
}
