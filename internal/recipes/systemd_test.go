//go:build linux

package recipes_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// systemdHost is a host that systemd runs, with our units under a name of their own.
type systemdHost struct {
	*site
	name  string // in the place of "smtpsend" in names of units and directories
	files string // programs and settings, readable by the service's user
}

// newSystemdHost installs the units. It needs systemd as the init process.
func newSystemdHost(t *testing.T) *systemdHost {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root, and systemd as the init process")
	}
	files, err := os.MkdirTemp("/var/lib", "smtpsend-test-")
	if err != nil {
		t.Fatal(err)
	}
	chmod(t, files, 0o755)
	h := &systemdHost{newSite(t), filepath.Base(files) + "x", files}
	t.Cleanup(func() { h.remove(t) })
	h.install(t, program("smtpsend"), "smtpsend", 0o755)
	h.install(t, deployed(t, "systemd/notify-log"), "notify-log", 0o755)
	h.envFile = filepath.Join(files, "whole.env")
	if err := h.WriteEnv(h.envFile); err != nil {
		t.Fatal(err)
	}
	// The queue's unit has the secret as a credential.
	text, err := os.ReadFile(h.envFile)
	if err != nil {
		t.Fatal(err)
	}
	rest := regexp.MustCompile(`(?m)^SMTPSEND_OFFICE_CLIENT_SECRET=.*\n`).ReplaceAll(text, nil)
	for name, content := range map[string]string{"smtpsend.env": string(rest), "client-secret": h.ClientSecret()} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{h.envFile, h.envFile + ".ca.pem", filepath.Join(files, "smtpsend.env")} {
		if out, err := exec.Command("chgrp", groupOf(t, serviceUser), file).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		chmod(t, file, 0o640)
	}
	h.unit(t, "smtpsend-queue.service")
	h.unit(t, "smtpsend-notify@.service")
	return h
}

func groupOf(t *testing.T, user string) string {
	t.Helper()
	out, err := exec.Command("id", "-gn", user).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (h *systemdHost) install(t *testing.T, from, name string, mode os.FileMode) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.files, name), content, mode); err != nil {
		t.Fatal(err)
	}
}

// unit installs a unit of ours with the names of this test.
func (h *systemdHost) unit(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(deployed(t, "systemd/"+name))
	if err != nil {
		t.Fatal(err)
	}
	h.define(t, strings.Replace(name, "smtpsend", h.name, 1), strings.NewReplacer(
		"User=mailout", "User="+serviceUser,
		"#LoadCredential=", "LoadCredential=",
		"/usr/local/bin/smtpsend", h.files+"/smtpsend",
		"/usr/local/lib/smtpsend/", h.files+"/",
		"/etc/smtpsend/", h.files+"/",
		"Directory=smtpsend", "Directory="+h.name,
		"%S/smtpsend", "%S/"+h.name,
		"%C/smtpsend", "%C/"+h.name,
		"/var/lib/smtpsend", "/var/lib/"+h.name,
	).Replace(string(text)))
}

func (h *systemdHost) define(t *testing.T, name, text string) {
	t.Helper()
	writeUnit(t, "/run/systemd/system/"+name, text)
	h.systemctl(t, 0, "daemon-reload")
}

func (h *systemdHost) remove(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"/run/systemd/system/" + h.name + "*", "/var/lib/" + h.name, "/var/cache/" + h.name + "*", h.files} {
		paths, _ := filepath.Glob(pattern) // the pattern is well formed
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
	}
	h.systemctl(t, 0, "daemon-reload")
}

// systemctl runs a command of systemctl's that must end with the given code.
func (h *systemdHost) systemctl(t *testing.T, code int, args ...string) {
	t.Helper()
	cmd := exec.Command("systemctl", args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == code {
		return
	}
	log, _ := exec.Command("journalctl", "--no-pager", "-n", "50", "-u", h.name+"*").CombinedOutput()
	t.Fatalf("systemctl %q: %v\n%s\n%s", args, err, out, log)
}

// settings writes notify.env.
func (h *systemdHost) settings(t *testing.T, lines ...string) {
	t.Helper()
	lines = append(lines, "NOTIFY_TO=admins@contoso.example", "SMTPSEND="+h.files+"/smtpsend", "SMTPSEND_ENV_FILE="+h.envFile)
	if err := os.WriteFile(filepath.Join(h.files, "notify.env"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// last is the content of the last message of n.
func (h *systemdHost) last(t *testing.T, n int) string {
	t.Helper()
	all := h.Messages()
	if len(all) != n {
		t.Fatalf("%d messages arrived, want %d", len(all), n)
	}
	raw, _ := h.Raw(all[n-1].ID)
	return string(raw)
}

// The units as they are shipped, but for names of users and files.
func TestUnitsUnderSystemd(t *testing.T) {
	h := newSystemdHost(t)
	queue, failed := h.name+"-queue.service", h.name+"-watched.service"
	h.systemctl(t, 0, "start", queue) // makes the directory of the outbox
	send := []string{"setpriv", "--reuid", serviceUser, "--regid", groupOf(t, serviceUser), "--clear-groups", "--", h.files + "/smtpsend",
		"--env-file", h.envFile, "send", "--queue", "--to", "a@contoso.example", "--subject", "x", "--text", "by the queue"}
	h.environ = append(h.environ, "SMTPSEND_STATE_DIR=/var/lib/"+h.name, "SMTPSEND_CACHE_DIR=/var/cache/"+h.name)
	h.ok(t, "", send...)
	h.systemctl(t, 0, "start", queue)
	if got := h.last(t, 1); !strings.Contains(got, "by the queue") {
		t.Errorf("arrived:\n%s", got)
	}

	logs := filepath.Join(h.files, "logs")
	mkdir(t, logs)
	give(t, logs)
	log := filepath.Join(logs, "service.log")
	notify := h.name + "-notify@" + failed + ".service" // as notify.conf names it
	pipe := filepath.Join(logs, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	give(t, pipe)
	h.define(t, failed, fmt.Sprintf("[Unit]\nOnFailure=%s\n[Service]\nType=oneshot\nUser=%s\nUMask=0077\n"+
		"ExecStart=/bin/sh -c 'echo to the file >%s; echo to the journal; read line <%s; exit 3'\n", h.name+"-notify@%n.service", serviceUser, log, pipe))
	h.define(t, h.name+"-after.service", "[Unit]\nAfter="+notify+"\n[Service]\nType=oneshot\nExecStart=/bin/true\n")
	fail := func() {
		start := exec.Command("systemctl", "start", failed)
		if err := start.Start(); err != nil {
			t.Fatal(err)
		}
		end, err := os.OpenFile(pipe, os.O_WRONLY, 0) // when the service reads, it has written
		if err != nil {
			t.Fatal(err)
		}
		// The journal asks a living process for the run that its line belongs to.
		h.ok(t, "", "journalctl", "--sync")
		end.Close()
		if err := start.Wait(); start.ProcessState.ExitCode() != 1 {
			t.Fatalf("starting what fails: %v", err)
		}
		h.systemctl(t, 0, "start", h.name+"-after.service") // when the notice has been sent
	}
	h.settings(t, "NOTIFY_LOG="+log)
	fail()
	if got := attachment(t, h.last(t, 2), "failure.txt"); got != "to the file\n" {
		t.Errorf("mailed %q", got)
	}
	h.settings(t)
	fail()
	if got := h.last(t, 3); !strings.Contains(attachment(t, got, "failure.txt"), ": to the journal\n") || !strings.Contains(got, "Result: exit-code, exit status 3") {
		t.Errorf("mailed:\n%s", got)
	}
	h.settings(t, "SMTPSEND_QUEUE=always", "SMTPSEND_STATE_DIR=/var/lib/"+h.name)
	fail()
	h.last(t, 3)
	h.systemctl(t, 0, "start", queue)
	if got := attachment(t, h.last(t, 4), "failure.txt"); !strings.Contains(got, ": to the journal\n") {
		t.Errorf("mailed %q", got)
	}
}
