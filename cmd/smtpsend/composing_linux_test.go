package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// slow is a template that fills in within its limits, and takes minutes for
// thousands of rows.
func slow(t *testing.T, dir string) string {
	t.Helper()
	return written(t, dir, "slow.txt", "---\nfrom: a@contoso.example\nto: '{{.email}}'\n---\nhi{{range 900000}}{{end}}\n")
}

func written(t *testing.T, dir, name, text string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestSignalsEndComposing: none of these ended before it was done, which is in
// minutes. What a signal leaves is nothing half written.
func TestSignalsEndComposing(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
	dir := t.TempDir()
	template := slow(t, dir)
	rows := written(t, dir, "rows.csv", "email\n"+strings.Repeat("a@contoso.example\n", 5000))
	env := written(t, dir, "e.env", "SMTPSEND_MAIL_SENDER=a@contoso.example\n")
	out := filepath.Join(dir, "out")
	for name, args := range map[string][]string{
		"check":   {"batch", "--check", "--template", template, rows},
		"dry run": {"batch", "--dry-run", out, "--template", template, rows},
	} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(name+" "+signal.String(), func(t *testing.T) {
				cmd, said := started(t, nil, "settings from", append([]string{"--env-file", env, "-v"}, args...)...)
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				endsInterrupted(t, cmd, said)
			})
		}
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left (%v)", out, err)
	}
}

// TestSignalsEndReading of a named pipe that nobody writes to, in place of any file.
func TestSignalsEndReading(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	rows := written(t, dir, "rows.csv", "email\na@contoso.example\n")
	small := written(t, dir, "small.txt", "hi\n")
	env := written(t, dir, "e.env", "SMTPSEND_MAIL_SENDER=a@contoso.example\n")
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	to := "--to=a@contoso.example"
	for name, args := range map[string][]string{
		"text":       {"send", "--dry-run", to, "--text-file", pipe},
		"Markdown":   {"send", "--dry-run", to, "--markdown-file", pipe},
		"recipients": {"send", "--dry-run", "--text", "x", "--to-file", pipe},
		"message":    {"send", "--dry-run", to, "--message", pipe},
		"template":   {"send", "--dry-run", to, "--template", pipe},
		"data":       {"send", "--dry-run", to, "--template", small, "--data", pipe},
		"rows":       {"batch", "--check", "--text-file", small, pipe},
		"rows' body": {"batch", "--check", "--text-file", pipe, rows},
		"explain":    {"explain", pipe},
		"import":     {"config", "import", pipe},
		"scenario":   {"sandbox", "--scenario", pipe},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, said := started(t, nil, "", append([]string{"--env-file", env}, args...)...)
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for its reader
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			endsInterrupted(t, cmd, said)
		})
	}
}

// endsInterrupted waits for the end, which is told in one line. The time that it
// takes depends on the machine; what the command does meanwhile is little.
func endsInterrupted(t *testing.T, cmd *exec.Cmd, said io.Reader) {
	t.Helper()
	kill := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	rest, _ := io.ReadAll(said)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || !strings.HasSuffix(string(rest), "smtpsend: error: interrupted\n") {
		t.Errorf("it ended with %d: %s", code, rest)
	}
	if cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); cpu > 30*time.Second {
		t.Errorf("it took %v", cpu)
	}
}

// TestTimeoutEndsComposing, but not the reading of standard input.
func TestTimeoutEndsComposing(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	template := slow(t, dir)
	var stdout, stderr strings.Builder
	p := &process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{"SMTPSEND_MAIL_SENDER=a@contoso.example"}}
	code := run(t.Context(), p, []string{"send", "--dry-run", "--timeout", "5ms", "--template", template, "--set", "email=b@contoso.example"})
	if code != exit.Data || stderr.String() != "smtpsend: error: composing the message took longer than --timeout 5ms\n" || stdout.Len() > 0 {
		t.Errorf("exit %d, said %q, %q", code, stderr.String(), stdout.String())
	}
	stderr.Reset()
	in, out := io.Pipe()
	p.stdin = in
	go func() {
		<-time.After(1200 * time.Millisecond)
		_, _ = out.Write([]byte("typed late\n"))
		_ = out.Close()
	}()
	if code := run(t.Context(), p, []string{"send", "--dry-run", "--timeout", "1s", "--to", "b@contoso.example"}); code != exit.OK {
		t.Errorf("exit %d, said %q", code, stderr.String())
	}
}

// TestRowsComeThroughAPipe as from a shell's <(command), and are read twice.
func TestRowsComeThroughAPipe(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := t.TempDir()
	body := written(t, dir, "body.txt", "hi\n")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("email\nb@contoso.example\nc@contoso.example\n"); err != nil { // which the pipe holds
		t.Fatal(err)
	}
	_ = w.Close()
	var stdout, stderr strings.Builder
	p := &process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{"SMTPSEND_MAIL_SENDER=a@contoso.example"}}
	out := filepath.Join(dir, "out")
	if code := run(t.Context(), p, []string{"batch", "--dry-run", out, "--to", "{{.email}}", "--text-file", body, fmt.Sprintf("/dev/fd/%d", r.Fd())}); code != exit.OK {
		t.Errorf("exit %d, said %q", code, stderr.String())
	}
	if mails, _ := filepath.Glob(filepath.Join(out, "*.eml")); len(mails) != 2 { // the pattern is right
		t.Errorf("%q were written", mails)
	}
	stderr.Reset()
	if code := run(t.Context(), p, []string{"batch", "--check", "--text-file", body, dir}); code != exit.NoInput {
		t.Errorf("a directory: exit %d, said %q", code, stderr.String())
	}
}
