//go:build linux

package interop_test

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/sandboxtest"
)

// TestProgramsOutsideTheModule builds each program of testdata/outside in a module of
// its own, as an importer's is, from the module cache alone, and runs it. Linux only:
// SSL_CERT_FILE has them trust the stand-in.
func TestProgramsOutsideTheModule(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sendmsg", "auth", "gosmtp"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := sandboxtest.Start(t)
			dir := outside(t, name, strconv.Itoa(srv.Port))
			program := filepath.Join(dir, "program")
			outsideGo(t, dir, "build", "-mod=mod", "-o", program, ".")
			checkLean(t, program)
			cmd := exec.CommandContext(t.Context(), program)
			cmd.Env = append(os.Environ(), append(srv.Environ(), "SSL_CERT_FILE="+srv.CAFile, "SMTPSEND_ENV_FILE="+os.DevNull)...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if name == "sendmsg" && !strings.HasPrefix(string(out), "accepted      ada@contoso.example  250 2.0.0 OK ") {
				t.Errorf("printed %s", out)
			}
			got := srv.Messages()
			if len(got) != 1 || got[0].Subject != "Nightly report" || strings.TrimSpace(got[0].Text) != "All is well." {
				t.Errorf("arrived: %+v", got)
			}
		})
	}
	t.Run("mailer", func(t *testing.T) {
		t.Parallel()
		dir := outside(t, "mailer", "")
		if out := outsideGo(t, dir, "test", "-mod=mod", "-v", "."); !strings.Contains(out, "--- PASS: TestWelcome") {
			t.Errorf("printed %s", out)
		}
	})
}

// checkLean holds that the command and the outbox are not in a program of others.
func checkLean(t *testing.T, program string) {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range info.Deps {
		if slices.Contains([]string{"github.com/spf13/cobra", "github.com/spf13/pflag", "modernc.org/sqlite", "modernc.org/libc", "go.yaml.in/yaml/v3"}, module.Path) {
			t.Errorf("the program holds %s", module.Path)
		}
	}
	if len(info.Deps) < 5 {
		t.Errorf("the program holds %d modules only: the test looks at the wrong file", len(info.Deps))
	}
}

// outside makes a module of a program, with port in the place of PORT.
func outside(t *testing.T, name, port string) string {
	t.Helper()
	from := filepath.Join("testdata", "outside", name)
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range entries {
		text, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name()] = bytes.ReplaceAll(text, []byte("PORT"), []byte(port))
	}
	return outsideModule(t, name, files)
}

// outsideModule makes a module that requires this one and, because these are in the
// module cache, all that go.mod requires.
func outsideModule(t *testing.T, name string, files map[string][]byte) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if files["go.sum"], err = os.ReadFile(filepath.Join(root, "go.sum")); err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(mod), "\nrequire")
	files["go.mod"] = []byte("module example.com/" + name + "\n\ngo 1.26.0\n\nrequire github.com/smtpsend/smtpsend v0.0.0\n\nrequire" + requires +
		"\nreplace github.com/smtpsend/smtpsend => " + root + "\n")
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func outsideGo(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// TestReadmeShowsTheProgramThatRuns compares the program of README.md with the one
// that TestProgramsOutsideTheModule runs.
func TestReadmeShowsTheProgramThatRuns(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(filepath.Join("testdata", "outside", "sendmsg", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, append(append([]byte("```go\n"), program...), "```\n"...)) {
		t.Error("README.md does not have testdata/outside/sendmsg/main.go")
	}
	if n := bytes.Count(program, []byte("\n")); n > 25 {
		t.Errorf("the program has %d lines", n)
	}
}

// TestUpstreamReportsHold runs the program of each report in docs/upstream. One that
// prints something else than its report says was fixed upstream: then the report goes,
// and perhaps our repair.
func TestUpstreamReportsHold(t *testing.T) {
	t.Parallel()
	reports, err := filepath.Glob(filepath.Join("..", "..", "docs", "upstream", "*.md"))
	if err != nil || len(reports) == 0 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for _, report := range reports {
		t.Run(filepath.Base(report), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(report)
			if err != nil {
				t.Fatal(err)
			}
			dir := outsideModule(t, "report", map[string][]byte{"main.go": []byte(block(t, string(text), "go"))})
			if got, want := outsideGo(t, dir, "run", "-mod=mod", "."), block(t, string(text), "text"); got != want {
				t.Errorf("printed\n%s\nand not\n%s", got, want)
			}
		})
	}
}

// block is the first block of code in a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, after, found := strings.Cut(text, "\n```"+language+"\n")
	code, _, ended := strings.Cut(after, "\n```\n")
	if !found || !ended {
		t.Fatalf("there is no block of %s", language)
	}
	return code + "\n"
}
