//go:build linux

// Package interop holds no code but tests: smtpsend against servers of others
// (Postfix with Dovecot, nodemailer's smtp-server) that verify the sandbox's
// tokens by its public key, and clients of others (msmtp, curl, nodemailer,
// Python's smtplib, go-mail, swaks) against the sandbox, and these and more through
// smtpsend's relay (relayed_*_test.go). Real messages by others
// are judged by Postfix's sendmail and by three parsers (corpus_test.go), and a
// server of others fails in every way (faults_test.go).
//
// `make peers` installs these programs. A test whose program is missing is
// skipped, except where CI=true, where it fails. Every server runs below a
// temporary directory, on free ports of loopback, and ends with its test.
package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is smtpsend as a user would run it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making directory for smtpsend:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "smtpsend")
	build := exec.Command("go", "build", "-o", binary, "github.com/smtpsend/smtpsend/cmd/smtpsend")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building smtpsend: %v\n%s", err, out)
		return 1
	}
	// Debian keeps servers where the PATH of a user does not look.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	return m.Run()
}

// limit bounds each wait for a program. It is generous: a wait ends by an event.
const limit = 2 * time.Minute

// lacking skips the test, or fails it in continuous integration, where all that
// it needs is there.
func lacking(t testing.TB, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s (needed in continuous integration)", what)
	}
	t.Skip(what)
}

// need makes sure of programs; a name with a slash is a path.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			lacking(t, "%s is not installed: run make peers", p)
		}
	}
}

// needRoot is for servers that change to other users.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		lacking(t, "needs root, as Postfix does")
	}
}

// node runs a script of testdata with the modules that `make peers` installed.
func node(t testing.TB, script string, args ...string) *exec.Cmd {
	t.Helper()
	need(t, "node")
	modules, err := filepath.Abs("../../.peers/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(modules); err != nil {
		lacking(t, "modules of npm are not installed: run make peers")
	}
	cmd := exec.Command("node", append([]string{filepath.Join("testdata", script)}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd
}
