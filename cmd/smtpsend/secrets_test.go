package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// credentials are what no output may hold: an access token, or the XOAUTH2
// response that carries one.
var credentials = regexp.MustCompile(`eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.|dXNlcj[0-9A-Za-z+/]{20,}`)

// searchForSecrets searches all that smtpsend printed in the scripts for the
// secrets of their sandboxes and for tokens.
func searchForSecrets(t *testing.T, output, secrets string) {
	t.Helper()
	var values []string
	for _, file := range contents(t, secrets) {
		for line := range strings.Lines(file) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); strings.HasSuffix(name, "_SECRET") {
				values = append(values, strings.Trim(value, `"'`))
			}
		}
	}
	outputs := contents(t, output)
	if len(values) == 0 || len(outputs) == 0 {
		t.Fatalf("nothing to search: %d secrets, %d outputs", len(values), len(outputs))
	}
	for _, text := range outputs {
		for _, value := range values {
			if len(value) < 8 {
				t.Fatalf("a secret of %d octets", len(value))
			}
			if strings.Contains(text, value) {
				t.Errorf("output holds a client secret:\n%s", text)
			}
		}
		if found := credentials.FindString(text); found != "" {
			t.Errorf("output holds a token (%.20s...):\n%s", found, text)
		}
	}
	t.Logf("searched %d outputs for %d secrets", len(outputs), len(values))
}

func contents(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(data))
	}
	return out
}
