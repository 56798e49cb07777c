//go:build linux

package recipes_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// strangerID is a user that no client of the relay is.
const strangerID = 60996

// relayHost is a machine with a relay that runs as mailout, and with sendmail for all.
type relayHost struct {
	*sandbox.Sandbox
	top string
}

func newRelayHost(t *testing.T) *relayHost {
	t.Helper()
	box, top := machine(t, "relayhost", "setpriv", "php")
	h := &relayHost{box, top}
	binary, err := os.ReadFile(program("smtpsend"))
	if err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf("listeners: [{address: 'unix://%s/run/relay.sock'}]\ndomain: contoso.example\ndefault_mailbox: noreply@contoso.example\n"+
		"clients: [{name: programs, uids: [%d]}]\n", top, eveID)
	for _, err := range []error{
		os.Chmod(top, 0o755), os.WriteFile(top+"/smtpsend", binary, 0o755), os.Symlink("smtpsend", top+"/sendmail"),
		box.WriteEnv(top + "/relay.env"), os.Chown(top+"/relay.env", mailoutID, mailoutID), os.Chown(top+"/relay.env.ca.pem", mailoutID, mailoutID),
		os.WriteFile(top+"/relay.yaml", []byte(settings), 0o644),
		os.Mkdir(top+"/run", 0o755), os.Chown(top+"/run", mailoutID, mailoutID), os.Mkdir(top+"/state", 0o700), os.Chown(top+"/state", mailoutID, mailoutID),
		os.Mkdir(top+"/home", 0o755), os.Chown(top+"/home", strangerID, strangerID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.start(t)
	return h
}

// as is a program of a user, with what is in its environment.
func (h *relayHost) as(t *testing.T, uid int, env []string, args ...string) *exec.Cmd {
	t.Helper()
	id := fmt.Sprint(uid)
	cmd := exec.CommandContext(t.Context(), "setpriv", append([]string{"--reuid=" + id, "--regid=" + id, "--clear-groups"}, args...)...)
	cmd.Dir, cmd.Env = h.top, append([]string{"PATH=/usr/bin:/bin"}, env...)
	return cmd
}

// start starts the relay, and returns when it listens.
func (h *relayHost) start(t *testing.T) {
	t.Helper()
	cmd := h.as(t, mailoutID, []string{"SMTPSEND_RELAY_FILE=" + h.top + "/relay.yaml", "SMTPSEND_STATE_DIR=" + h.top + "/state"},
		h.top+"/smtpsend", "--env-file", h.top+"/relay.env", "relay")
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	log := bufio.NewReader(said)
	for text := ""; !strings.Contains(text, "listening"); {
		line, err := log.ReadString('\n')
		if text += line; err != nil {
			t.Fatalf("the relay ended: %s", text)
		}
	}
	go func() { // the log has no one else
		for err := error(nil); err == nil; {
			_, err = log.ReadString('\n')
		}
	}()
}

// history is what waits in the relay's outbox or has left it.
func (h *relayHost) history(t *testing.T) string {
	t.Helper()
	out, err := h.as(t, mailoutID, []string{"SMTPSEND_STATE_DIR=" + h.top + "/state"}, h.top+"/smtpsend", "--json", "queue", "history", "--limit", "10").CombinedOutput()
	if err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	return string(out)
}

// TestEveryUserMaySubmitByTheRelay, as the manual says: who is a client submits, PHP
// included, and others are refused. None of them can read a credential.
func TestEveryUserMaySubmitByTheRelay(t *testing.T) {
	h := newRelayHost(t)
	socket := []string{"SMTPSEND_RELAY_SOCKET=" + h.top + "/run/relay.sock", "HOME=" + h.top + "/home"}
	script := filepath.Join(h.top, "mail.php")
	if err := os.WriteFile(script, []byte(`<?php exit(mail("a@contoso.example", "by PHP", "x", "From: shop@contoso.example") ? 0 : 1);`), 0o644); err != nil {
		t.Fatal(err)
	}
	php := []string{"php", "-n", "-d", "sendmail_path=" + h.top + "/sendmail -t -i", script}
	if out, err := h.as(t, eveID, socket, php...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("PHP: %v, %s", err, out)
	}
	command := h.as(t, eveID, socket, h.top+"/sendmail", "-i", "b@contoso.example")
	command.Stdin = strings.NewReader("Subject: by sendmail\n\nx\n")
	if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("sendmail: %v, %s", err, out)
	}
	if list := h.history(t); !strings.Contains(list, "a@contoso.example") || !strings.Contains(list, "b@contoso.example") {
		t.Errorf("the outbox has %s", list)
	}
	out, err := h.as(t, strangerID, socket, php...).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), "550 5.7.1") || !strings.Contains(string(out), "dead.letter") {
		t.Errorf("a stranger: %v, %s", err, out)
	}
	if out, err := h.as(t, eveID, socket, "cat", h.top+"/relay.env").CombinedOutput(); err == nil {
		t.Errorf("a client reads %s", out)
	}
}
