package setting_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/setting"
)

func TestTheTableIsWellFormed(t *testing.T) {
	seen, groups := map[string]bool{}, []string{}
	for _, s := range setting.All() {
		for _, name := range append(s.EnaioNames(), s.Variable()) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if s.Comment == "" || s.Example == "" || strings.HasPrefix(s.Name, setting.Prefix) || !strings.HasSuffix(s.Comment, ".") {
			t.Errorf("%+v", s)
		}
		if found, ok := setting.Named(s.Name); !ok || found != s || !slices.Contains(setting.Names(), s.Name) {
			t.Errorf("%s is not found", s.Name)
		}
		if !slices.Contains(groups, s.Group) {
			groups = append(groups, s.Group)
		} else if groups[len(groups)-1] != s.Group {
			t.Errorf("%s is not beside the others of %q", s.Name, s.Group)
		}
	}
}

func TestOnlySecretsHaveOtherWays(t *testing.T) {
	for name, want := range map[string]bool{"OFFICE_CLIENT_SECRET_FILE": true, "OFFICE_CLIENT_SECRET": false, "SMTP_PORT_FILE": false, "CA_FILE": false, "X_FILE": false} {
		if got := setting.IsSecretWay(name, "_FILE"); got != want || slices.Contains(setting.Names(), name) != (want || name == "OFFICE_CLIENT_SECRET" || name == "CA_FILE") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
