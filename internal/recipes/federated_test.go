//go:build linux

package recipes_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFederatedCredentialsInDocumentsAreWhole: az takes what stands between the quotes as
// JSON, and Entra ID wants issuer, subject and one audience.
func TestFederatedCredentialsInDocumentsAreWhole(t *testing.T) {
	found := 0
	for _, name := range []string{"manual.md", "without-a-secret.md"} {
		text, err := os.ReadFile(filepath.Join(deployed(t, ".."), "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`federated-credential create --id CLIENT-ID --parameters '([^'\n]*)'\n`).FindAllStringSubmatch(string(text), -1) {
			found++
			var c struct {
				Name, Issuer, Subject string
				Audiences             []string
			}
			if err := json.Unmarshal([]byte(m[1]), &c); err != nil || c.Name == "" || c.Issuer == "" || c.Subject == "" || strings.Join(c.Audiences, " ") != "api://AzureADTokenExchange" {
				t.Errorf("%s: %s: %+v, %v", name, m[1], c, err)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d federated credentials in the documents", found)
	}
}
