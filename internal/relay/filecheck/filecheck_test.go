package filecheck_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/filecheck"
)

// TestFilesOfTheSettingsAreNamedWithTheirLines looks at what the file names, with words
// that say what to do.
func TestFilesOfTheSettingsAreNamedWithTheirLines(t *testing.T) {
	dir := t.TempDir()
	if _, err := certificate.Open(t.Context(), certificate.Options{Dir: dir, Names: []string{"web.contoso.example"}}); err != nil {
		t.Fatal(err)
	}
	const settings = `hostname: %s
users_file: %s
listeners:
  - address: starttls://127.0.0.1:587
    policy: ip-or-auth
    certificate: %s
    key: self-made.pem
clients:
  - {name: erp, user: erp}
`
	tests := map[string]struct{ host, users, certificate, want string }{
		"no users file": {"web.contoso.example", "missing", "self-made.pem",
			`line 2: users_file "` + dir + `/missing": there is no users file yet, add the first user with "smtpsend relay user add NAME": open `},
		"no certificate": {"web.contoso.example", "users", "missing.pem", `line 6: listeners[0].certificate "` + dir + `/missing.pem": reading the certificate: `},
		"another name": {"relay.contoso.example", "users", "self-made.pem",
			`line 6: listeners[0].certificate "` + dir + `/self-made.pem": is not for relay.contoso.example (hostname) but for web.contoso.example: programs that check the certificate must connect by a name that it has`},
		"a user that is not there": {"web.contoso.example", "users", "self-made.pem", `line 9: clients[0].user "erp": is not in the users file, and cannot sign in until it is`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "relay.yaml")
			for path, text := range map[string]string{file: fmt.Sprintf(settings, tt.host, tt.users, tt.certificate), filepath.Join(dir, "users"): "# none\n"} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			found, err := filecheck.Examine(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, p := range append(found.Problems, found.Warnings...) {
				said = append(said, p.String())
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, tt.want) {
				t.Errorf("it says\n%s\nwithout\n%s", all, tt.want)
			}
		})
	}
}
