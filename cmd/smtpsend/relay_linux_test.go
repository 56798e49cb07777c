package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// relayRun is a relay in a process of its own, beside a sandbox.
type relayRun struct {
	cmd  *exec.Cmd
	said *bufio.Reader // its log
	dir  string
	box  *sandbox.Sandbox
}

const relaySettings = "listeners: [{address: 'smtp://127.0.0.1:0'}]\nclients: [{name: here, networks: [127.0.0.1]}]\n"

func startRelay(t *testing.T, flags ...string) *relayRun {
	t.Helper()
	return startRelayWith(t, relaySettings, append(flags, "relay")...)
}

// startRelayWith starts one with a settings file, or with none.
func startRelayWith(t *testing.T, settings string, args ...string) *relayRun {
	t.Helper()
	r := &relayRun{dir: t.TempDir()}
	var err error
	if r.box, err = sandbox.Start(t.Context(), sandbox.Options{SigningKey: signingKey()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.box.Close() })
	if err := r.box.WriteEnv(r.dir + "/e.env"); err != nil {
		t.Fatal(err)
	}
	r.write(t, settings)
	t.Setenv("XDG_CONFIG_HOME", r.dir)
	t.Setenv("XDG_CACHE_HOME", r.dir)
	t.Setenv("SMTPSEND_STATE_DIR", filepath.Join(r.dir, "state"))
	t.Setenv("SMTPSEND_ENV_FILE", r.dir+"/e.env")
	t.Setenv("SMTPSEND_RELAY_FILE", r.dir+"/relay.yaml")
	if settings == "" {
		t.Setenv("SMTPSEND_RELAY_FILE", "")
	}
	r.cmd, r.said = started(t, nil, "listening", args...)
	return r
}

func (r *relayRun) write(t *testing.T, settings string) {
	t.Helper()
	if err := os.WriteFile(r.dir+"/relay.yaml", []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
}

// logged reads the log up to a line with the text.
func (r *relayRun) logged(t *testing.T, text string) string {
	t.Helper()
	for {
		line, err := r.said.ReadString('\n')
		if strings.Contains(line, text) {
			return line
		}
		if err != nil {
			t.Fatalf("%q is not in the log", text)
		}
	}
}

// end ends the relay, which must have done it well.
func (r *relayRun) end(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.said.ReadString('\n'); err != nil {
			break
		}
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("the relay ended with %v", err)
	}
}

func TestRelayIsAWholeRelay(t *testing.T) {
	r := startRelay(t)
	at := regexp.MustCompile(`at=(\S+)`).FindStringSubmatch(r.logged(t, "at="))[1]
	if err := smtp.SendMail(at, nil, "a@contoso.example", []string{"x@contoso.example"}, []byte("Subject: page\r\n\r\ntext\r\n")); err != nil {
		t.Fatal(err)
	}
	r.logged(t, "msg=taken")
	r.logged(t, "outcome=accepted")
	if list := r.box.Messages(); len(list) != 1 || list[0].Subject != "page" {
		t.Errorf("%d messages arrived", len(list))
	}
	if out, err := exec.Command("smtpsend", "relay", "reload").CombinedOutput(); err != nil || string(out) != "the relay has read its settings again\n" {
		t.Errorf("reload: %v, %s", err, out)
	}
	out, err := exec.Command("smtpsend", "relay").CombinedOutput()
	coded, _ := errors.AsType[*exec.ExitError](err)
	if coded == nil || coded.ExitCode() != exit.TryAgain || !strings.Contains(string(out), "another relay runs with this directory: "+r.dir) {
		t.Errorf("a second relay: %v, %s", err, out)
	}
	r.write(t, relaySettings+"x: 1\n")
	out, err = exec.Command("smtpsend", "relay", "reload").CombinedOutput()
	coded, _ = errors.AsType[*exec.ExitError](err)
	if coded == nil || coded.ExitCode() != exit.Config || !strings.Contains(string(out), "line 3: x") {
		t.Errorf("reload: %v, %s", err, out)
	}
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.logged(t, "line 3: x")
	if err := smtp.SendMail(at, nil, "a@contoso.example", []string{"x@contoso.example"}, []byte("Subject: page\r\n\r\ntext\r\n")); err != nil {
		t.Error(err)
	}
	r.end(t)
	out, err = exec.Command("smtpsend", "relay", "sessions").CombinedOutput()
	if lines := regexp.MustCompile(`(?m)^\S+ \S+  session  127.0.0.1  1 message \(\d+ octets\), client here, from a@contoso.example$`).FindAll(out, -1); err != nil || len(lines) != 2 {
		t.Errorf("sessions: %v, %s", err, out)
	}
}

// TestRelayShowsWhatItRefused: while it runs, and after it was killed.
func TestRelayShowsWhatItRefused(t *testing.T) {
	r := startRelay(t)
	at := regexp.MustCompile(`at=(\S+)`).FindStringSubmatch(r.logged(t, "at="))[1]
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "EHLO printer\r\nAUTH PLAIN AGEAYg==\r\n"); err != nil {
		t.Fatal(err)
	}
	r.logged(t, "code=relay-auth-not-offered")
	shown := func() string {
		out, err := exec.Command("smtpsend", "relay", "sessions", "--refused", "--address", "127.0.0.1").CombinedOutput()
		if err != nil {
			t.Fatalf("%v, %s", err, out)
		}
		return string(out)
	}
	for t.Context().Err() == nil && !strings.Contains(shown(), "refused  127.0.0.1  relay-auth-not-offered\n    127.0.0.1 wanted to sign in where ") {
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait() // killed
	if text := shown(); !strings.Contains(text, "relay-auth-not-offered") {
		t.Error(text)
	}
}

// TestRelayLearnsAndKnows: what the learning mode printed is put in place.
func TestRelayLearnsAndKnows(t *testing.T) {
	send := func(r *relayRun, from, to string) error {
		at := regexp.MustCompile(`at=(\S+)`).FindStringSubmatch(r.logged(t, "at="))[1]
		return smtp.SendMail(at, nil, from, []string{to}, []byte("Subject: page\r\n\r\ntext\r\n"))
	}
	learns := startRelayWith(t, "", "relay", "--observe", "127.0.0.0/8", "--listen", "smtp://127.0.0.1:0", "--for", "24h")
	if err := send(learns, "scan@contoso.example", "x@contoso.example"); err != nil {
		t.Fatal(err)
	}
	learns.end(t)
	out, err := exec.Command("smtpsend", "relay", "observed").Output()
	if err != nil || !strings.HasPrefix(string(out), "# ADDRESS ") || !strings.Contains(string(out), "\n# 127.0.0.1 ") {
		t.Fatalf("%v, %s", err, out)
	}
	for from, ok := range map[string]bool{"scan@contoso.example": true, "boss@contoso.example": false} {
		knows := startRelayWith(t, string(out), "relay")
		if err := send(knows, from, "x@contoso.example"); (err == nil) != ok {
			t.Errorf("%s: %v", from, err)
		}
		knows.end(t)
	}
}

func TestRelayLogsObjectsWithJSON(t *testing.T) {
	r := startRelay(t, "--json")
	if line := r.logged(t, "smtp://127.0.0.1:0"); !strings.Contains(line, `"policy":"ip"`) {
		t.Errorf("logged %s", line)
	}
	r.end(t)
}
