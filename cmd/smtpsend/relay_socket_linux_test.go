package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// localSettings are those of a relay on a Unix socket, for programs of a user.
func localSettings(socket string, uid int) string {
	return fmt.Sprintf("listeners: [{address: 'unix://%s'}]\ndomain: contoso.example\ndefault_mailbox: noreply@contoso.example\n"+
		"clients: [{name: programs, uids: [%d]}]\n"+
		"senders: [{from: '*@old.example', mailbox: noreply@contoso.example, force: true}]\n", socket, uid)
}

// startLocalRelay starts a relay on a Unix socket, and returns the environment of its
// callers: they have the socket's name, and no credential.
func startLocalRelay(t *testing.T) (r *relayRun, env []string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "relay.sock")
	r = startRelayWith(t, localSettings(socket, os.Getuid()), "relay")
	home := t.TempDir()
	return r, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "SMTPSEND_RELAY_SOCKET=" + socket}
}

// sendmail runs sendmail with a message, and returns its exit code and what it said.
func sendmailWith(t *testing.T, env []string, message string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("smtpsend", append([]string{"sendmail"}, args...)...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(message)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = failed.ExitCode()
	}
	return code, out.String(), said.String()
}

// In a directory that every user may write, anyone may listen while the relay does not,
// take the mail, and say 250.
func TestSendmailGivesNoMailToASocketOfAnyone(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "relay.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "554 5.0.0 the mail is mine\r\n")
			_ = c.Close()
		}
	}()
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SMTPSEND_RELAY_SOCKET=" + socket}
	code, _, said := sendmailWith(t, env, "Subject: x\n\nb\n", "-f", "a@contoso.example", "b@contoso.example")
	if code != exit.Config || !strings.Contains(said, "every user may write") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// Programs without any credential submit by the relay's socket.
func TestSendmailHandsItsMailToTheRelay(t *testing.T) {
	r, env := startLocalRelay(t)
	for name, tt := range map[string]struct {
		args          []string
		message       string
		from, subject string
		to            []string
	}{
		"recipients of the header, 8 bits": {
			[]string{"-t", "-i"}, "From: Kim <app@contoso.example>\nTo: a@fabrikam.example\nBcc: b@fabrikam.example\nSubject: Grüße\n\n.\nblå\n",
			"app@contoso.example", "Grüße", []string{"a@fabrikam.example", "b@fabrikam.example"},
		},
		"a local author": {
			[]string{"-FCronDaemon", "-i", "-oem", "c@fabrikam.example"}, "From: \"(Cron Daemon)\" <root>\nSubject: cron\n\nx\n",
			"noreply@contoso.example", "cron", []string{"c@fabrikam.example"},
		},
		"no author": {
			[]string{"-F", "Web Server", "-f", "www-data", "d@fabrikam.example"}, "Subject: web\n\nx\n",
			"noreply@contoso.example", "web", []string{"d@fabrikam.example"},
		},
		"nothing but a recipient": {[]string{"e@fabrikam.example"}, "Subject: nothing\n\nx\n", "noreply@contoso.example", "nothing", []string{"e@fabrikam.example"}},
		"a sender that a rule is for": {
			[]string{"-f", "erp@old.example", "f@fabrikam.example"}, "From: erp@old.example\nSubject: rule\n\nx\n",
			"noreply@contoso.example", "rule", []string{"f@fabrikam.example"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out, said := sendmailWith(t, env, tt.message, tt.args...); code != 0 || out+said != "" {
				t.Fatalf("exit %d, %q, %q", code, out, said)
			}
			r.logged(t, "outcome=accepted")
			list := r.box.Messages()
			m := list[len(list)-1]
			raw, _ := r.box.Raw(m.ID) // with a Message-ID of the relay's
			if m.Subject != tt.subject || m.From != tt.from || !slices.Equal(m.To, tt.to) || strings.Contains(string(raw), "Bcc") || !strings.Contains(string(raw), "@contoso.example>\r\nDate") {
				t.Errorf("arrived from %q, about %q, to %q:\n%s", m.From, m.Subject, m.To, raw)
			}
		})
	}
	r.end(t)
}

// The client of -bs hears what the relay says.
func TestSendmailSpeaksSMTPWithTheRelayBehindIt(t *testing.T) {
	r, env := startLocalRelay(t)
	code, out, said := sendmailWith(t, env, "EHLO x\r\nMAIL FROM:<root>\r\nRCPT TO:<a@fabrikam.example>\r\nDATA\r\nSubject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n", "-bs")
	if code != 0 || !strings.Contains(out, "\r\n250 2.0.0 queued as ") {
		t.Errorf("exit %d, %q, %q", code, out, said)
	}
	r.logged(t, "outcome=accepted")
	r.end(t)
}

// Who may not submit is refused for good, and the message is kept, as ever.
func TestSendmailIsRefusedByTheRelay(t *testing.T) {
	r, env := startLocalRelay(t)
	socket := strings.TrimPrefix(env[2], "SMTPSEND_RELAY_SOCKET=")
	r.write(t, localSettings(socket, os.Getuid()+1))
	if out, err := exec.Command("smtpsend", "relay", "reload").CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	code, _, said := sendmailWith(t, env, "Subject: x\n\nkept\n", "a@fabrikam.example")
	if code == 0 || code == exit.TryAgain || !strings.Contains(said, "550 5.7.1") || !strings.Contains(said, "dead.letter") {
		t.Errorf("exit %d, %s", code, said)
	}
	if !strings.Contains(said, "The relay does not know the client's address") {
		t.Errorf("not named as the relay's refusal: %s", said)
	}
	if kept, err := os.ReadFile(filepath.Join(strings.TrimPrefix(env[1], "HOME="), "dead.letter")); err != nil || !strings.Contains(string(kept), "kept") {
		t.Errorf("%s, %v", kept, err)
	}
	r.end(t)
}

// A relay that is being started again is waited for; one that is not there is an end
// with 75, and the message is kept.
func TestSendmailWaitsForTheRelay(t *testing.T) {
	r, env := startLocalRelay(t)
	r.end(t)
	code, _, said := sendmailWith(t, env, "Subject: x\n\nkept\n", "--timeout", "10ms", "a@fabrikam.example")
	if code != exit.TryAgain || !strings.Contains(said, "dead.letter") {
		t.Errorf("without a relay: exit %d, %s", code, said)
	}
	cmd := exec.Command("smtpsend", "sendmail", "-v", "--timeout", "2m", "a@fabrikam.example")
	cmd.Env, cmd.Stdin = env, strings.NewReader("Subject: late\n\nx\n")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := stderr.Read(first); err != nil { // it says that it waits
		t.Fatal(err)
	}
	r.cmd, r.said = started(t, nil, "listening", "relay")
	rest := new(strings.Builder)
	for buffer := make([]byte, 4096); ; {
		n, err := stderr.Read(buffer)
		rest.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
	r.logged(t, "outcome=accepted")
	r.end(t)
}
