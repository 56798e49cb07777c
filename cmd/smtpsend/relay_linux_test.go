package main

import (
	"bufio"
	"errors"
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
	return startRelayWith(t, relaySettings, flags...)
}

// startRelayWith starts one with a settings file.
func startRelayWith(t *testing.T, settings string, flags ...string) *relayRun {
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
	r.cmd, r.said = started(t, nil, "listening", append(flags, "relay")...)
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
	r.write(t, relaySettings+"x: 1\n")
	out, err := exec.Command("smtpsend", "relay", "reload").CombinedOutput()
	coded, _ := errors.AsType[*exec.ExitError](err)
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
}

func TestRelayLogsObjectsWithJSON(t *testing.T) {
	r := startRelay(t, "--json")
	if line := r.logged(t, "smtp://127.0.0.1:0"); !strings.Contains(line, `"policy":"ip"`) {
		t.Errorf("logged %s", line)
	}
	r.end(t)
}
