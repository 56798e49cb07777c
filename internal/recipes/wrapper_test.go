//go:build linux

package recipes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// The users of the host: who has the secret, and who may submit.
const mailoutID, eveID = 60994, 60995

// host is a machine set up as the manual's section about a wrapper for many users
// says, with real sudo: in a mount namespace of its own, so that this machine's
// users and sudoers stay as they are.
type host struct {
	*sandbox.Sandbox
	top     string // what the manual has in /usr/local, /etc and /var
	sudoers string
	users   string // a shell script that puts passwd and the like in place
}

// manualBlocks are the indented blocks of the manual's wrapper, in their order:
// two scripts and a line of sudoers.
func manualBlocks(t *testing.T) (pinning, wrapper, sudoers string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/manual.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\nWith the wrapper callers can submit")
	section, _, ended := strings.Cut(section, "\nsudo removes the callers'")
	if !ok || !ended {
		t.Fatal("the manual has no section about the wrapper")
	}
	blocks := regexp.MustCompile(`(?m)(^    .*\n)+`).FindAllString(section, -1)
	if len(blocks) != 3 {
		t.Fatalf("the manual's section has %d blocks, want 3", len(blocks))
	}
	for i, b := range blocks {
		blocks[i] = strings.ReplaceAll(b[4:], "\n    ", "\n")
	}
	return blocks[0], blocks[1], blocks[2]
}

// machine is a sandbox, and a directory that every user may enter, for a host of several
// users. It needs root.
func machine(t *testing.T, name string, programs ...string) (*sandbox.Sandbox, string) {
	t.Helper()
	need(t, programs...)
	needRoot(t)
	box, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	top, err := os.MkdirTemp("", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	return box, top
}

func newHost(t *testing.T) *host {
	t.Helper()
	box, top := machine(t, "host", "sudo", "setpriv")
	h := &host{Sandbox: box, top: top}
	pinning, wrapper, sudoers := manualBlocks(t)
	h.dir(t, "", 0, 0o755)
	for _, d := range []string{"usr", "usr/local", "usr/local/bin", "usr/local/sbin", "usr/local/lib", "usr/local/lib/smtpsend", "etc", "etc/smtpsend", "var", "home"} {
		h.dir(t, d, 0, 0o755)
	}
	h.dir(t, "home/eve", eveID, 0o755)
	for _, d := range []string{"var/mailout", "var/mailout/dead", "var/mailout/cache", "var/mailout/state"} {
		h.dir(t, d, mailoutID, 0o700)
	}
	binary, err := os.ReadFile(program("smtpsend"))
	if err != nil {
		t.Fatal(err)
	}
	h.file(t, "usr/local/bin/smtpsend", string(binary), 0, 0o755)
	h.file(t, "usr/local/lib/smtpsend/sendmail", h.here(pinning), 0, 0o755)
	h.file(t, "usr/local/sbin/sendmail", h.here(wrapper), 0, 0o755)
	if err := os.Symlink("sendmail", h.path("usr/local/sbin/mailq")); err != nil {
		t.Fatal(err)
	}
	h.file(t, "etc/smtpsend/ca.pem", string(box.CAPEM()), 0, 0o644)
	env := strings.Join(append(box.Env(), "SMTPSEND_CA_FILE="+h.path("etc/smtpsend/ca.pem"), "SMTPSEND_CACHE_DIR="+h.path("var/mailout/cache"),
		"SMTPSEND_STATE_DIR="+h.path("var/mailout/state"), "SMTPSEND_DEAD_LETTER_DIR="+h.path("var/mailout/dead"), "SMTPSEND_ALIASES_FILE=/dev/null", ""), "\n")
	h.file(t, "etc/smtpsend/smtpsend.env", env, 0, 0o640)
	if err := os.Chown(h.path("etc/smtpsend/smtpsend.env"), 0, mailoutID); err != nil {
		t.Fatal(err)
	}
	h.sudoers = h.here(sudoers)
	h.addUsers(t)
	return h
}

// here puts the manual's paths below the host's top.
func (h *host) here(text string) string {
	for _, place := range []string{"/usr/local/", "/etc/smtpsend/"} {
		text = strings.ReplaceAll(text, place, h.top+place)
	}
	return text
}

func (h *host) path(name string) string { return filepath.Join(h.top, name) }

func (h *host) dir(t *testing.T, name string, uid int, mode os.FileMode) {
	t.Helper()
	for _, err := range []error{os.MkdirAll(h.path(name), 0o755), os.Chmod(h.path(name), mode), os.Chown(h.path(name), uid, uid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (h *host) file(t *testing.T, name, text string, uid int, mode os.FileMode) string {
	t.Helper()
	for _, err := range []error{os.WriteFile(h.path(name), []byte(text), 0o600), os.Chown(h.path(name), uid, uid), os.Chmod(h.path(name), mode)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return h.path(name)
}

// addUsers makes copies of the machine's users with ours beside them.
func (h *host) addUsers(t *testing.T) {
	t.Helper()
	h.dir(t, "users", 0, 0o755)
	h.users = "mount --make-rprivate /\n"
	for name, lines := range map[string]string{
		"passwd": fmt.Sprintf("mailout:x:%d:%[1]d::%s:/usr/sbin/nologin\neve:x:%d:%[3]d::%s:/bin/sh\n", mailoutID, h.path("var/mailout"), eveID, h.path("home/eve")),
		"group":  fmt.Sprintf("mailout:x:%d:\neve:x:%d:\n", mailoutID, eveID),
		"shadow": "mailout:*:19000:0:99999:7:::\neve:*:19000:0:99999:7:::\n",
	} {
		text, err := os.ReadFile("/etc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		h.file(t, "users/"+name, string(text)+lines, 0, 0o644)
		h.users += "mount --bind " + h.path("users/"+name) + " /etc/" + name + "\n"
	}
	h.file(t, "users/sudoers", "Defaults !authenticate, !lecture, env_reset, secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\n"+h.sudoers, 0, 0o440)
	h.users += "mount --bind " + h.path("users/sudoers") + " /etc/sudoers\n"
}

// eve runs a shell command as the attacker, whose PATH has the host's sendmail.
func (h *host) eve(t *testing.T, command string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	script := h.users + `exec setpriv --reuid=$UID_OF_EVE --regid=$UID_OF_EVE --clear-groups env -i HOME=` + h.path("home/eve") +
		" PATH=" + h.path("usr/local/sbin") + ":/usr/bin:/bin bash -c \"$COMMAND\""
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Dir = h.path("home/eve")
	cmd.Env = append(os.Environ(), fmt.Sprintf("UID_OF_EVE=%d", eveID), "COMMAND="+command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		lacking(t, fmt.Sprintf("no mount namespace can be made here: %v", err))
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestEveryUserMaySubmitByTheWrapper and nothing else.
func TestEveryUserMaySubmitByTheWrapper(t *testing.T) {
	h := newHost(t)
	if r := h.eve(t, `printf 'From: noreply@contoso.example\n\nhi\n' | sendmail -i a@contoso.example && mailq && id -un`); r.code != 0 || r.stdout != "Mail queue is empty\neve\n" {
		t.Fatalf("submitting: %v", r)
	}
	if n := len(h.Messages()); n != 1 {
		t.Fatalf("%d messages arrived", n)
	}
	smtpsend := h.path("usr/local/bin/smtpsend")
	for _, command := range []string{
		"cat " + h.path("etc/smtpsend/smtpsend.env"),
		"sudo -n -u mailout " + smtpsend + " token", "sudo -n -u mailout " + smtpsend + " --env-file " + h.path("etc/smtpsend/smtpsend.env") + " token",
		"sudo -n " + h.path("usr/local/lib/smtpsend/sendmail"), "sudo -n -u mailout sh", smtpsend + " --env-file " + h.path("etc/smtpsend/smtpsend.env") + " token",
	} {
		if r := h.eve(t, command); r.code == 0 || strings.Contains(r.String(), h.ClientSecret()) {
			t.Errorf("%s: %v", command, r)
		}
	}
}

// TestNoCallerRunsTheOutbox: with a limit on the size of files, or by a signal,
// a run ended after the message was accepted and before that was recorded, and
// the next one submitted it again.
func TestNoCallerRunsTheOutbox(t *testing.T) {
	h := newHost(t)
	if r := h.eve(t, `printf 'From: noreply@contoso.example\n\nhi\n' | sendmail --queue a@contoso.example`); r.code != 0 {
		t.Fatalf("queueing: %v", r)
	}
	for _, command := range []string{"sendmail -q", "(ulimit -f 60; sendmail -q)", "sendmail -qIx", "sendmail -v -qSx", "SUDO_UID=0 sendmail -q"} {
		if r := h.eve(t, command); r.code != 77 || !strings.Contains(r.stderr, "the outbox belongs to another user") {
			t.Errorf("%s: %v", command, r)
		}
	}
	if r := h.eve(t, "mailq"); !strings.Contains(r.stdout, "in 1 Request") || len(h.Messages()) != 0 {
		t.Errorf("%d messages arrived, %v", len(h.Messages()), r)
	}
}

// exploits are what a local user tried on 30 November 2026, and its kin. MARK is
// what a command of the attacker's makes, EVIL an env file of the attacker's with
// such a command.
var exploits = []string{
	`sendmail --env-file=/proc/self/cmdline -F $'x\nSMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c "cat ENV >&2; touch MARK; exit 1"\n' root </dev/null`,
	`sendmail --env-file /proc/self/cmdline -F $'x\nSMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=touch MARK\n' root </dev/null`,
	`sendmail --env-file=/proc/self/environ root </dev/null`,
	`sendmail --env-file=EVIL root </dev/null`, `sendmail -a evil root </dev/null`, `sendmail -C EVIL root </dev/null`, `sendmail -CEVIL root </dev/null`,
	`sendmail --profile=../../home/eve/evil root </dev/null`, `sendmail --account=../evil root </dev/null`, `sendmail --file=EVIL root </dev/null`,
	`sendmail --env-file=/dev/stdin root <EVIL`, `sendmail --env-file=/dev/fd/0 root <EVIL`, `sendmail --env-file=/proc/self/fd/0 root <EVIL`,
	`mkdir -m 777 d; { printf 'To: nobody\n\n'; cat EVIL; } | sendmail --dead-letter-dir=HOME/d -t; sendmail --env-file=$(ls HOME/d/*.eml) root </dev/null`,
	`mkdir -m 777 d; ln -s STATE/queue.db d/x; sendmail --dead-letter-dir=HOME/d nobody@nowhere </dev/null`,
	`sendmail --aliases=ENV root </dev/null`, `sendmail --aliases ENV root </dev/null`, `sendmail -oAENV root </dev/null`,
	`SMTPSEND_ENV_FILE=EVIL sendmail root </dev/null`, `SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND='touch MARK' sendmail root </dev/null`,
	`XDG_CONFIG_HOME=HOME sendmail root </dev/null`, `BASH_ENV=EVIL ENV=EVIL sendmail root </dev/null`, `LD_PRELOAD=EVIL sendmail root </dev/null`,
	`HOME=HOME sendmail root </dev/null`, `TMPDIR=HOME sendmail nobody@nowhere </dev/null`, `cd / && sendmail -bs </dev/null`,
	`sendmail -t -- --env-file=EVIL <EVIL`, `sendmail -bs --env-file=EVIL </dev/null`, `sendmail -bp -C EVIL`, `sendmail -q --env-file=EVIL`,
	`printf 'EHLO x\r\nMAIL FROM:<--env-file=EVIL>\r\nRCPT TO:<a@b> --env-file=EVIL\r\nQUIT\r\n' | sendmail -bs`,
	`sendmail -v -d -P root <ENV`, `sendmail -XHOME/made -OQueueDirectory=HOME root </dev/null`,
	// sudo's own patterns see the arguments as one text.
	`sudo -n -u mailout SMTPSEND --env-file 'ENV sendmail x/../../../EVIL' sendmail root </dev/null`,
	`sudo -n -u mailout SMTPSEND --env-file 'ENV sendmail' token`, `sudo -n -u mailout SMTPSEND --env-file ENV 'sendmail token'`,
	`sudo -n -u mailout SMTPSEND --env-file ENV sendmail --env-file EVIL root </dev/null`, `sudo -n -u mailout SMTPSEND --env-file ENV --env-file EVIL sendmail root </dev/null`,
	`sudo -n -u mailout SMTPSEND --env-file ENV sendmail -- --env-file EVIL </dev/null`, `sudo -n -u mailout SMTPSEND --profile ../../home/eve/evil sendmail root </dev/null`,
}

// TestALocalUserLearnsNothingByTheWrapper tries each by the manual's line of
// sudoers, and by one with a pattern that pins the settings before the verb.
func TestALocalUserLearnsNothingByTheWrapper(t *testing.T) {
	for name, pattern := range map[string]string{
		"the manual's line": "",
		"a pattern":         "ALL ALL=(mailout) NOPASSWD: SMTPSEND --env-file ENV sendmail *\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			mark, evil := h.path("home/eve/mark"), h.path("home/eve/evil.env")
			words := strings.NewReplacer("SMTPSEND_ENV_FILE=", "SMTPSEND_ENV_FILE=", "SMTPSEND_", "SMTPSEND_", "BASH_ENV=", "BASH_ENV=", "ENV=", "ENV=", "HOME=", "HOME=", // names of variables stay
				"SMTPSEND", h.path("usr/local/bin/smtpsend"), "ENV", h.path("etc/smtpsend/smtpsend.env"), "HOME", h.path("home/eve"),
				"STATE", h.path("var/mailout/state"), "MARK", mark, "EVIL", evil)
			if pattern != "" {
				h.sudoers += words.Replace(pattern)
				h.addUsers(t)
			}
			h.file(t, "var/mailout/state/queue.db", "", mailoutID, 0o600)
			for _, exploit := range exploits {
				h.dir(t, "home/eve", eveID, 0o777) // so that mailout could leave a mark there
				h.file(t, "home/eve/evil.env", "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=touch "+mark+"\n", eveID, 0o644)
				r := h.eve(t, words.Replace(exploit))
				if wasRun(mark) {
					t.Errorf("%s ran the command: %v", exploit, r)
					os.Remove(mark)
				}
				if strings.Contains(r.String(), h.ClientSecret()) {
					t.Errorf("%s showed the secret: %v", exploit, r)
				}
				for _, made := range []string{"made", "d"} {
					if left, _ := filepath.Glob(h.path("home/eve/" + made + "/*.eml")); len(left) > 0 || wasRun(h.path("home/eve/made")) {
						t.Errorf("%s made %q: %v", exploit, left, r)
					}
				}
				os.RemoveAll(h.path("home/eve/d"))
			}
		})
	}
}
