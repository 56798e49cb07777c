package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
)

// openTerminal makes a pseudo-terminal, whose user types into typed.
func openTerminal(t *testing.T) (typed, tty *os.File) {
	t.Helper()
	typed, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { typed.Close() })
	var number, locked int32
	ioctl := func(request uintptr, value *int32) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, typed.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	ioctl(syscall.TIOCSPTLCK, &locked)
	ioctl(syscall.TIOCGPTN, &number)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return typed, tty
}

// started is a smtpsend that has said words on standard error.
func started(t *testing.T, stdin io.Reader, words string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("smtpsend", args...)
	cmd.Stdin = stdin
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	said := bufio.NewReader(stderr)
	var before strings.Builder
	for !strings.Contains(before.String(), words) {
		b, err := said.ReadByte()
		if err != nil {
			t.Fatalf("%q is not in %q", words, before.String())
		}
		before.WriteByte(b)
	}
	return cmd, said
}

// ends waits for the exit code; a process that goes on is a failure.
func ends(t *testing.T, cmd *exec.Cmd, said io.Reader, want int) {
	t.Helper()
	kill := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	rest, _ := io.ReadAll(said)
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		t.Errorf("it ended with %v, want %d: %s", err, want, rest)
	}
}

// TestSignalsEndTheReadingOfStandardInput: nobody has to type Ctrl-D first.
func TestSignalsEndTheReadingOfStandardInput(t *testing.T) {
	box, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	file := filepath.Join(t.TempDir(), "e.env")
	if err := box.WriteEnv(file); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for name, tt := range map[string]struct {
		words string
		args  []string
	}{
		"text":    {"note: reading the text from standard input, end with Ctrl-D", []string{"send", "--to", "a@contoso.example"}},
		"message": {"note: reading the message from standard input, end with Ctrl-D", []string{"send", "--message", "-"}},
		"secret":  {"client secret (not shown): ", []string{"secret", "seal"}},
	} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(name+" "+signal.String(), func(t *testing.T) {
				_, tty := openTerminal(t)
				before, err := term.GetState(int(tty.Fd()))
				if err != nil {
					t.Fatal(err)
				}
				cmd, said := started(t, tty, tt.words, append([]string{"--env-file", file}, tt.args...)...)
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				ends(t, cmd, said, exit.Interrupted)
				if after, err := term.GetState(int(tty.Fd())); err != nil || *after != *before {
					t.Errorf("the terminal is not as it was (%v)", err)
				}
			})
		}
	}
	t.Run("pipe", func(t *testing.T) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		defer out.Close()
		cmd, said := started(t, in, "settings from", "-v", "--env-file", file, "send", "--to", "a@contoso.example")
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		ends(t, cmd, said, exit.Interrupted)
	})
	if n := len(box.Messages()); n != 0 {
		t.Errorf("%d messages are submitted", n)
	}
}

// TestTextTypedAtATerminal is submitted once its end is typed.
func TestTextTypedAtATerminal(t *testing.T) {
	typed, tty := openTerminal(t)
	cmd, said := started(t, tty, "end with Ctrl-D", "send", "--dry-run", "--save", filepath.Join(t.TempDir(), "x.eml"),
		"--from", "a@contoso.example", "--to", "b@contoso.example")
	if _, err := typed.WriteString("hello\n\x04"); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(said)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
}

// TestSecretTypedAtATerminal: it does not come out at the terminal, and Ctrl-C
// there is a key.
func TestSecretTypedAtATerminal(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for typing, want := range map[string]int{"S3cr3t~of.contosp\x7fo\r": exit.OK, "S3cr3t\x03": exit.Interrupted} {
		typed, tty := openTerminal(t)
		cmd, said := started(t, tty, "client secret (not shown): ", "secret", "seal")
		if _, err := typed.WriteString(typing); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(said)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != want || strings.Contains(string(rest), "S3cr3t") {
			t.Errorf("%q ended with %d, want %d: %s", typing, code, want, rest)
		}
	}
}

// TestSignalWhileWaitingForAnotherAttempt is an interruption, not advice about
// what the server said before.
func TestSignalWhileWaitingForAnotherAttempt(t *testing.T) {
	f, err := fault.Parse("concurrent-connections")
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.Start(t.Context(), sandbox.Options{Faults: []fault.Fault{f}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	file := filepath.Join(t.TempDir(), "e.env")
	if err := box.WriteEnv(file); err != nil {
		t.Fatal(err)
	}
	cmd, said := started(t, nil, "smtpsend: waiting: ", "-v", "--env-file", file, "send", "--to", "a@contoso.example", "--text", "x")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(said)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || !strings.Contains(string(rest), "smtpsend: error: interrupted\n") || strings.Contains(string(rest), "fix: ") {
		t.Errorf("it ended with %d: %s", code, rest)
	}
}

// The command is killed by the interrupt, and that is nothing to mend in the
// settings.
func TestInterruptWhileASecretsCommandRuns(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
	begun := filepath.Join(t.TempDir(), "begun")
	if err := syscall.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(begun)
		cancel()
	}()
	var stderr strings.Builder
	p := &process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, environ: []string{
		"PATH=/usr/bin:/bin", "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555", "SMTPSEND_OFFICE_TENANT_ID=contoso.example",
		"SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c 'echo >" + begun + "; exec sleep 600'",
	}}
	if code := run(ctx, p, []string{"token"}); code != exit.Interrupted || stderr.String() != "smtpsend: error: interrupted\n" {
		t.Errorf("exit %d, said %q", code, stderr.String())
	}
}
