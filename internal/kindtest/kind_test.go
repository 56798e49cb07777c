// Package kindtest holds no code but tests: the program as a user runs it, with each kind
// of credential, against the sandbox. What a kind's ecosystem sets is all that it gets.
package kindtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/azurehost"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// binary is smtpsend.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kindtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a directory for smtpsend:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "smtpsend.exe") // which Windows wants
	build := exec.Command("go", "build", "-o", binary, "github.com/smtpsend/smtpsend/cmd/smtpsend")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building smtpsend: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// limit bounds a program. It is generous: a program ends by itself.
const limit = 2 * time.Minute

// bench is a sandbox, and the settings of a kind for it.
type bench struct {
	box  *sandbox.Sandbox
	dir  string
	file string   // of settings
	env  []string // what the ecosystem sets
}

func set(t testing.TB, kind string, o sandbox.Options) *bench {
	t.Helper()
	box, err := sandbox.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	b := &bench{box: box, dir: t.TempDir()}
	b.file = filepath.Join(b.dir, "e.env")
	if err := box.WriteCredential(b.file, kind); err != nil {
		t.Fatal(err)
	}
	if b.env, err = box.Credentials().Env(b.file, kind); err != nil {
		t.Fatal(err)
	}
	if dir, err := box.Credentials().AzureHost().ArcKeys(); kind == wallet.Arc && (err != nil || dir != azurehost.AgentKeys) {
		t.Skipf("%s cannot be written here, and smtpsend reads no key from elsewhere", azurehost.AgentKeys)
	}
	return b
}

// with sets a variable, or removes it when value is "".
func (b *bench) with(name, value string) {
	b.env = slices.DeleteFunc(b.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	if value != "" {
		b.env = append(b.env, name+"="+value)
	}
}

// result is what a program left.
type result struct {
	code           int
	stdout, stderr string
}

// send sends one mail with the settings, and what the ecosystem sets.
func (b *bench) send(t testing.TB) result {
	t.Helper()
	r, err := b.run("--env-file", b.file, "send", "--attempts", "1", "--to", "a@contoso.example", "--subject", "hi", "--text", "hi")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) run(args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append([]string{"HOME=" + b.dir, "XDG_CACHE_HOME=" + filepath.Join(b.dir, "cache"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}, b.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return result{ended.ExitCode(), stdout.String(), stderr.String()}, nil
	}
	return result{0, stdout.String(), stderr.String()}, err
}

func TestEachKindSends(t *testing.T) {
	for _, kind := range wallet.Kinds() {
		t.Run(kind, func(t *testing.T) {
			b := set(t, kind, sandbox.Options{})
			if r := b.send(t); r.code != 0 || r.stderr != "" || len(b.box.Messages()) != 1 {
				t.Errorf("%+v, %d messages", r, len(b.box.Messages()))
			}
		})
	}
}

// A user-assigned identity is named as each host wants it.
func TestUserAssignedIdentities(t *testing.T) {
	for kind, variable := range map[string]string{
		wallet.AppService: "AZURE_CLIENT_ID", wallet.Arc: "AZURE_CLIENT_ID", wallet.IMDS: "SMTPSEND_OFFICE_MANAGED_IDENTITY",
	} {
		t.Run(kind, func(t *testing.T) {
			b := set(t, kind, sandbox.Options{})
			names := []string{b.box.ClientID()}
			if kind == wallet.IMDS {
				names = append(names, "object:"+b.box.ObjectID(),
					"/subscriptions/x/resourcegroups/y/providers/Microsoft.ManagedIdentity/userAssignedIdentities/smtpsend")
			}
			for i, name := range names {
				b.with(variable, name)
				if r := b.send(t); r.code != 0 || len(b.box.Messages()) != i+1 {
					t.Errorf("%s: %+v", name, r)
				}
			}
			b.with(variable, "11111111-2222-3333-4444-555555555555")
			if r := b.send(t); r.code != 78 && r.code != 77 {
				t.Errorf("another identity: %+v", r)
			}
		})
	}
}
