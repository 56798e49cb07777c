//go:build unix

package envfile_test

import (
	"os/exec"
	"testing"

	"github.com/smtpsend/smtpsend/internal/envfile"
)

func TestShellReadsTheSame(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	for _, value := range []string{
		"587", "two words", "#x", "~", "~/x", `it's "$HOME" \ ` + "`id`", "a;b|c&d>e", "*", "https://h/#TenantID#/t",
		"{a,b}", "!x", `\n`, `\\`, "Grüße", "a=b", "sealed:YWdl+/x", "x'$(id)'", "-n", "%s",
	} {
		line, err := envfile.Format("A", value)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sh, "-c", line+"\nprintf %s \"$A\"").Output()
		if err != nil || string(out) != value {
			t.Errorf("%s is %q to a shell, %v; want %q", line, out, err, value)
		}
	}
}
