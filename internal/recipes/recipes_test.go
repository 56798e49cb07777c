//go:build linux

// Package recipes holds no code but tests: each recipe of docs/recipes.md as a
// program of others really goes through it, cron's and PHP's habits included,
// against the sandbox; the pages of docs/neighbours through a relay; sendmail's
// options beside those of Postfix; and the scripts of deploy.
//
// A test whose program is missing is skipped, except where CI=true, where it
// fails: scripts/peers installs all of them.
package recipes_test

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
)

// bin has smtpsend and its links sendmail, mailq and newaliases.
var bin string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "recipes")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making directory for smtpsend:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-o", program("smtpsend"), "github.com/smtpsend/smtpsend/cmd/smtpsend")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	for _, cmd := range []*exec.Cmd{build, exec.Command(program("smtpsend"), "link-sendmail", dir)} {
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", cmd.Args, err, out)
			return 1
		}
	}
	return m.Run()
}

// program is the path of smtpsend or one of its links.
func program(name string) string { return filepath.Join(bin, name) }

// limit bounds each wait for a program. It is generous: a wait ends by an event.
const limit = time.Minute

// need makes sure of programs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			lacking(t, p+" is not installed: run make peers")
		}
	}
}

func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what + " (needed in continuous integration)")
	}
	t.Skip(what)
}

// site is a host with smtpsend set up, and the sandbox that it submits to.
type site struct {
	*sandbox.Sandbox
	dir, envFile string
	environ      []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	box, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{Sandbox: box, dir: t.TempDir()}
	s.envFile = filepath.Join(s.dir, "smtpsend.env")
	if err := box.WriteEnv(s.envFile); err != nil {
		t.Fatal(err)
	}
	aliases := s.write(t, "aliases", "root: ops@contoso.example\n", 0o644)
	s.environ = []string{
		"PATH=" + bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + s.dir, "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
		"SMTPSEND_ENV_FILE=" + s.envFile, "SMTPSEND_ALIASES_FILE=" + aliases, "SMTPSEND_CACHE_DIR=" + filepath.Join(s.dir, "cache"),
	}
	return s
}

// write makes a file of the site and returns its path.
func (s *site) write(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is what a program left.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n-- stdout\n%s-- stderr\n%s", r.code, r.stdout, r.stderr)
}

// run runs a program of the site.
func (s *site) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if cmd.Err != nil {
		t.Fatal(cmd.Err)
	}
	// A Python looks for its library by its name in PATH, and the site's is another.
	cmd.Args[0] = cmd.Path
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.environ, s.dir, strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// ok runs a program that must succeed and print nothing that a caller of
// sendmail would not expect.
func (s *site) ok(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	r := s.run(t, stdin, args...)
	if r.code != 0 {
		t.Fatalf("%q: %v", args, r)
	}
	return r
}

// letter is what a message of a recipe must be.
type letter struct {
	to   []string // forward-paths, in any order
	from string   // reverse-path
	has  []string // lines of the content
}

// arrived checks the only message in the sandbox and returns its content, with
// LF.
func (s *site) arrived(t *testing.T, want letter) string {
	t.Helper()
	all := s.Messages()
	if len(all) != 1 {
		t.Fatalf("%d messages arrived, want 1", len(all))
	}
	m := all[0]
	slices.Sort(m.To)
	slices.Sort(want.to)
	if want.from == "" {
		want.from = "noreply@contoso.example"
	}
	if !slices.Equal(m.To, want.to) || m.From != want.from || m.Mailbox != "noreply@contoso.example" {
		t.Errorf("from %q to %q by %q, want from %q to %q", m.From, m.To, m.Mailbox, want.from, want.to)
	}
	raw, ok := s.Raw(m.ID)
	if !ok {
		t.Fatal("no content")
	}
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	for _, line := range want.has {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	head, _, _ := strings.Cut(text, "\n\n")
	if strings.Contains(strings.ToLower("\n"+head), "\nbcc:") {
		t.Errorf("Bcc is in the content:\n%s", text)
	}
	return text
}
