package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// TestWhatIsExactIsSafeAtATerminal: what goes octet by octet into a file or a
// pipe is shown at a terminal, like all else.
func TestWhatIsExactIsSafeAtATerminal(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
	body := escs + hidden + octets + "\r\nend of it\r\n"
	o := ordeal{
		files:  map[string]string{"m.eml": "From: app@contoso.example\r\nTo: a@contoso.example\r\nSubject: x\r\n\r\n" + strings.ReplaceAll(body, "\x00", ""), "s.properties": "MailSender=" + hidden + "\n"},
		answer: answering(200, "application/json", `{"token_type":"Bearer","expires_in":3600,"access_token":"token-`+hidden+`-that-ends"}`),
	}
	s := newScene(t, o, t.TempDir())
	s.env["SMTPSEND_REENCODE"] = "never"
	out, errs := s.perform(t, ordeal{args: []string{"send", "--queue", "--message", "@@/m.eml"}})
	qid, _, ok := strings.Cut(strings.TrimPrefix(string(out), "queued as "), ";")
	if !ok {
		t.Fatalf("not queued: %s%s", out, errs)
	}
	for _, tt := range []struct {
		args     []string
		end, raw string
	}{
		{[]string{"queue", "cat", qid}, "end of it", hidden + octets}, {[]string{"token"}, "-that-ends", "token-" + hidden},
		{[]string{"config", "import", "@@/s.properties"}, "# Imported", ""}, {[]string{"config", "example"}, "OFFICE_TENANT_ID", ""},
	} {
		t.Run(strings.Join(tt.args[:1], " "), func(t *testing.T) {
			piped, errs := s.perform(t, ordeal{args: tt.args})
			if !bytes.Contains(piped, []byte(tt.raw)) || !bytes.Contains(piped, []byte(tt.end)) {
				t.Errorf("a pipe gets %q %q", piped, errs)
			}
			shown := s.atTerminal(t, tt.args, tt.end)
			if bad := steering(shown, true); bad != "" {
				t.Errorf("the terminal gets %s", bad)
			}
		})
	}
}

// atTerminal is what a terminal gets up to the word end and the line end after
// it.
func (s *scene) atTerminal(t *testing.T, args []string, end string) []byte {
	t.Helper()
	seen, tty := openTerminal(t)
	p := &process{stdin: strings.NewReader(""), stdout: tty, stderr: os.Stderr}
	for name, value := range s.env {
		p.environ = append(p.environ, name+"="+value)
	}
	for i := range args {
		args[i] = s.at(args[i])
	}
	done := make(chan []byte)
	go func() {
		var all []byte
		for buffer := make([]byte, 4096); ; {
			n, err := seen.Read(buffer)
			all = append(all, buffer[:n]...)
			if i := bytes.Index(all, []byte(end)); err != nil || i >= 0 && bytes.IndexByte(all[i:], '\n') >= 0 {
				done <- all
				break
			}
		}
		for buffer := make([]byte, 4096); ; { // whatever else comes, so that nobody waits
			if _, err := seen.Read(buffer); err != nil {
				return
			}
		}
	}()
	run(t.Context(), p, args)
	return <-done
}

// TestWhoRemovesWaitingMailIsAsked: at a terminal, and everything but yes is no.
func TestWhoRemovesWaitingMailIsAsked(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
	environ := []string{"SMTPSEND_STATE_DIR=" + t.TempDir(), "SMTPSEND_MAIL_SENDER=app@contoso.example"}
	var out, errs bytes.Buffer
	do := func(stdin io.Reader, stderr io.Writer, args ...string) int {
		out.Reset()
		return run(t.Context(), &process{stdin: stdin, stdout: &out, stderr: stderr, environ: environ}, args)
	}
	if code := do(strings.NewReader("x"), &errs, "send", "--queue", "--to", "a@contoso.example"); code != exit.OK {
		t.Fatalf("%d: %s", code, &errs)
	}
	for _, tt := range []struct {
		typed, said string
		code        int
	}{
		{"\n", "", exit.Usage}, {"no\n", "", exit.Usage}, {"\x04", "", exit.Usage}, {"Yes\n", "1 message removed\n", exit.OK},
	} {
		typed, tty := openTerminal(t)
		asked := make(chan bool)
		go func() {
			var all []byte
			for buffer := make([]byte, 4096); ; {
				n, err := typed.Read(buffer)
				if all = append(all, buffer[:n]...); err != nil {
					return
				}
				if bytes.HasSuffix(all, []byte("1 message waits and would never be sent. Remove? [y/N] ")) {
					_, _ = typed.WriteString(tt.typed)
					close(asked)
				}
			}
		}()
		code := do(tty, tty, "queue", "rm", "--all")
		<-asked
		if code != tt.code || out.String() != tt.said {
			t.Errorf("%q: %d, %q", tt.typed, code, out.String())
		}
	}
}
