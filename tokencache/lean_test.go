package tokencache_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program is that of a Go programmer who only wants XOAUTH2.
const program = `package main

import (
	"context"
	"fmt"

	"github.com/smtpsend/smtpsend/tokencache"
	"github.com/smtpsend/smtpsend/xoauth2"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	cache := tokencache.New(&clientcredentials.Config{
		ClientID: "id", ClientSecret: "secret", TokenURL: "https://login.microsoftonline.com/tenant/oauth2/v2.0/token",
		Scopes: []string{"https://outlook.office365.com/.default"}, AuthStyle: oauth2.AuthStyleInParams,
	}, tokencache.Options{})
	token, err := cache.Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	mechanism, response, err := xoauth2.NewClient("ada@contoso.example", token.AccessToken).Start()
	fmt.Println(mechanism, len(response), err)
}
`

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	// Modules come from the cache alone, as go test needed them to get here.
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// TestProgramsThatImportThePackagesStayLean builds a module of its own, as a
// user's is: of all that this module requires, cobra, databases and age among
// it, the program holds what the two packages need and nothing else.
func TestProgramsThatImportThePackagesStayLean(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command and some seconds")
	}
	root := filepath.Dir(strings.TrimSpace(goCommand(t, ".", "env", "GOMOD")))
	dir := t.TempDir()
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/mailer\n\ngo 1.26.0\n\n"+
		"require github.com/smtpsend/smtpsend v0.0.0\n\nreplace github.com/smtpsend/smtpsend => "+root+"\n"), 0o600))

	binary := filepath.Join(dir, "mailer.exe") // Windows wants the suffix, others do not mind
	goCommand(t, dir, "build", "-mod=mod", "-o", binary, ".")
	info, err := buildinfo.ReadFile(binary)
	must(t, err)
	allowed := []string{"github.com/smtpsend/smtpsend", "golang.org/x/oauth2", "github.com/gofrs/flock", "golang.org/x/sys"}
	for _, module := range info.Deps {
		if !slices.Contains(allowed, module.Path) {
			t.Errorf("the program holds %s", module.Path)
		}
	}
	if len(info.Deps) < 3 {
		t.Errorf("the program holds %d modules only: the test looks at the wrong file", len(info.Deps))
	}
}

// TestXOAUTH2NeedsTheStandardLibraryOnly holds the promise of its package
// comment.
func TestXOAUTH2NeedsTheStandardLibraryOnly(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	const self = "github.com/smtpsend/smtpsend/xoauth2"
	got := strings.Fields(goCommand(t, ".", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", self))
	if !slices.Equal(got, []string{self}) {
		t.Errorf("xoauth2 brings %v", got)
	}
}
