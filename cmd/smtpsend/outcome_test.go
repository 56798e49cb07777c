package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/deadletter"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// oddServer is a server that is not Exchange and gives the replies of say, with a
// sandbox for the tokens, and the settings that lead to both.
func oddServer(t *testing.T, say map[string]string) (environ []string, dir string) {
	t.Helper()
	environ, end := sandboxFor(t, "token-short")
	t.Cleanup(end)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go serveAll(listener, say)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	dir = t.TempDir()
	return append(environ, "SMTPSEND_MAIL_SERVER=127.0.0.1", "SMTPSEND_SMTP_PORT="+port, "SMTPSEND_SMTP_SECURITY=0",
		"SMTPSEND_STATE_DIR="+filepath.Join(dir, "state"), "SMTPSEND_DEAD_LETTER_DIR="+dir, "SMTPSEND_ALIASES_FILE=/dev/null"), dir
}

// deadLetter is the only one in the directory, with its content, and takes it away.
func deadLetter(t *testing.T, dir string) (note deadletter.Note, content string) {
	t.Helper()
	notes, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(notes) != 1 {
		t.Fatalf("%d dead letters", len(notes))
	}
	text, err := os.ReadFile(notes[0])
	if err == nil {
		err = json.Unmarshal(text, &note)
	}
	raw, more := os.ReadFile(strings.TrimSuffix(notes[0], ".json") + ".eml")
	if err != nil || more != nil {
		t.Fatal(err, more)
	}
	for _, name := range []string{notes[0], strings.TrimSuffix(notes[0], ".json") + ".eml"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return note, string(raw)
}

const (
	letterToTwo = "From: noreply@contoso.example\nTo: a@contoso.example\nBcc: b@contoso.example\nSubject: s\n\nb\n.\nmore\n"
	laterForB   = "451 4.3.0 later"
)

// TestWhatOneHasIsNotTriedAgainForAll: whoever reads 75 submits the same again, to
// everybody.
func TestWhatOneHasIsNotTriedAgainForAll(t *testing.T) {
	environ, dir := oddServer(t, map[string]string{"rcpt b@contoso.example": laterForB})
	send := []string{"send", "--attempts", "1", "--to", "a@contoso.example", "--to", "b@contoso.example", "--text", "x"}
	if r := runVerb(t, environ, "", send...); r.code != exit.Partly || !strings.Contains(r.out, "deferred      b@") {
		t.Errorf("send ends with %d\n%s", r.code, r.out)
	}
	if r := runVerb(t, append(environ, "SMTPSEND_QUEUE=fallback"), "", send...); r.code != exit.OK || !strings.Contains(r.report, "for 1 recipient;") {
		t.Errorf("send ends with %d where the outbox keeps the rest\n%s", r.code, r.report)
	}
	if r := runVerb(t, environ, "", "queue", "run"); r.code != exit.TryAgain {
		t.Errorf("queue run ends with %d\n%s", r.code, r.out)
	}
	mailed := runVerb(t, environ, letterToTwo, "sendmail", "--timeout", "900ms", "-i", "-t", "-f", "noreply@contoso.example", "-F", "A B", "-N", "failure")
	if mailed.code != exit.Partly {
		t.Errorf("sendmail ends with %d\n%s", mailed.code, mailed.report)
	}
	note, content := deadLetter(t, dir)
	want := []string{"-i", "-F", "A B", "-N", "FAILURE", "-f", "noreply@contoso.example", "--timeout", "900ms", "--", "b@contoso.example"}
	if !slices.Equal(note.Arguments, want) || content != letterToTwo || note.ExitCode != exit.Partly {
		t.Errorf("kept with %q\n%q", note.Arguments, content)
	}
	again := append([]string{"--trace", "sendmail"}, note.Arguments...)
	healed, _ := oddServer(t, nil)
	if r := runVerb(t, healed, content, again...); r.code != exit.OK || strings.Count(r.report, "RCPT TO") != 1 || !strings.Contains(r.report, "RCPT TO:<b@contoso.example>") {
		t.Errorf("%q ends with %d\n%s", again, r.code, r.report)
	}
}

// TestDeadLettersNameThoseWhoLackTheMessage goes through what may be open.
func TestDeadLettersNameThoseWhoLackTheMessage(t *testing.T) {
	const no = "550 5.1.1 no such user"
	for _, tt := range []struct {
		name    string
		say     map[string]string
		queue   string
		code    int
		to      string // of the arguments, after "--"
		without bool   // there are none
	}{
		{name: "all deferred", say: map[string]string{"mail": "451 4.3.0 later"}, code: exit.TryAgain, to: "a@contoso.example b@contoso.example"},
		{name: "all refused", say: map[string]string{"dot": "554 5.6.0 no"}, code: exit.Refused, to: "a@contoso.example b@contoso.example"},
		{name: "one refused", say: map[string]string{"rcpt b@contoso.example": no}, code: exit.Partly, to: "b@contoso.example"},
		{name: "one deferred, one refused", say: map[string]string{"rcpt a@contoso.example": no, "rcpt b@contoso.example": laterForB}, code: exit.TryAgain,
			to: "b@contoso.example"},
		{name: "one refused, one in the outbox", say: map[string]string{"rcpt a@contoso.example": no, "rcpt b@contoso.example": laterForB},
			queue: "fallback", code: exit.Partly, to: "a@contoso.example"},
		{name: "in doubt", say: map[string]string{"dot": "close"}, code: exit.InDoubt, without: true},
		{name: "in doubt, one refused", say: map[string]string{"dot": "close", "rcpt b@contoso.example": no}, code: exit.InDoubt, without: true},
	} {
		environ, dir := oddServer(t, tt.say)
		environ = append(environ, "SMTPSEND_QUEUE="+tt.queue)
		if r := runVerb(t, environ, letterToTwo, "sendmail", "--timeout", "900ms", "-t", "-i"); r.code != tt.code {
			t.Errorf("%s: sendmail ends with %d\n%s", tt.name, r.code, r.report)
		}
		note, _ := deadLetter(t, dir)
		to := note.Arguments[slices.Index(note.Arguments, "--")+1:]
		if tt.without != (note.Arguments == nil) || strings.Join(to, " ") != tt.to {
			t.Errorf("%s: kept with %q", tt.name, note.Arguments)
		}
	}
}

// TestWhatIsKeptBeforeAnAttemptNamesAll: a full disk, or settings with which no
// connection can be made, come before any outcome.
func TestWhatIsKeptBeforeAnAttemptNamesAll(t *testing.T) {
	environ, dir := oddServer(t, nil)
	if err := os.WriteFile(filepath.Join(dir, "state"), nil, 0o600); err != nil { // in place of the directory
		t.Fatal(err)
	}
	r := runVerb(t, environ, letterToTwo, "sendmail", "-i", "-t", "--queue")
	note, _ := deadLetter(t, dir)
	if want := []string{"-i", "--queue", "--", "a@contoso.example", "b@contoso.example"}; r.code == exit.OK || !slices.Equal(note.Arguments, want) {
		t.Errorf("ends with %d, kept with %q", r.code, note.Arguments)
	}
}

// TestASessionOnAPipeKnowsWhatIsQueued: a client that is told that nobody has the
// message submits it again, and what the outbox keeps goes out twice.
func TestASessionOnAPipeKnowsWhatIsQueued(t *testing.T) {
	environ, dir := oddServer(t, map[string]string{"rcpt a@contoso.example": "550 5.1.1 no such user", "rcpt b@contoso.example": laterForB})
	environ = append(environ, "SMTPSEND_QUEUE=fallback")
	session := "EHLO x\r\nMAIL FROM:<noreply@contoso.example>\r\nRCPT TO:<a@contoso.example>\r\nRCPT TO:<b@contoso.example>\r\nDATA\r\n" +
		"From: noreply@contoso.example\r\nSubject: s\r\n\r\nx\r\n.\r\nQUIT\r\n"
	r := runVerb(t, environ, session, "sendmail", "--timeout", "900ms", "-bs")
	if !strings.Contains(r.out, "250-2.0.0 Queued for 1 as ") || !strings.Contains(r.out, "250 2.0.0 refused: a@contoso.example 550 5.1.1") {
		t.Errorf("%s\n%s", r.out, r.report)
	}
	note, _ := deadLetter(t, dir)
	if want := []string{"-i", "-f", "noreply@contoso.example", "--timeout", "900ms", "--", "a@contoso.example"}; !slices.Equal(note.Arguments, want) {
		t.Errorf("kept with %q", note.Arguments)
	}
}

// TestAMessageLargerThanSIZEIsFinal: what the server says that it cannot take, it
// cannot take tomorrow.
func TestAMessageLargerThanSIZEIsFinal(t *testing.T) {
	for _, tt := range []struct {
		size string
		want int
	}{{"SIZE 100", exit.Refused}, {"SIZE 0", exit.OK}, {"SIZE", exit.OK}, {"SIZE many", exit.OK}, {"SIZE 99999999999999999999", exit.OK}} {
		environ, _ := oddServer(t, map[string]string{"ehlo": "250-odd\r\n250-" + tt.size + "\r\n250 AUTH XOAUTH2"})
		codes := everyRoad(t, environ)
		if codes != (roads{tt.want, tt.want, tt.want, tt.want}) {
			t.Errorf("%s: %+v", tt.size, codes)
		}
		state := decode[struct {
			Messages []struct{ State, Kind string }
		}](t, runVerb(t, environ, "", "--json", "queue", "ls", "--all"))
		for _, m := range state.Messages {
			if tt.want != exit.OK && (m.State != "dead" || m.Kind != "message-too-large") {
				t.Errorf("%s: %+v", tt.size, m)
			}
		}
		if r := runVerb(t, environ, "", "queue", "run"); r.code != exit.OK {
			t.Errorf("%s: the next run ends with %d\n%s", tt.size, r.code, r.out)
		}
	}
}

// TestMessagesThatAreTooLargeDoNotPauseAMailbox: the server has not seen them.
func TestMessagesThatAreTooLargeDoNotPauseAMailbox(t *testing.T) {
	environ, _ := oddServer(t, map[string]string{"ehlo": "250-odd\r\n250-SIZE 100\r\n250 AUTH XOAUTH2"})
	for n := range 8 {
		runVerb(t, environ, "", "send", "--queue", "--to", fmt.Sprintf("a%d@contoso.example", n), "--text", "x")
	}
	if r := runVerb(t, environ, "", "queue", "run"); r.code != exit.Refused || !strings.Contains(r.out, " 8 refused,") {
		t.Errorf("ends with %d\n%s", r.code, r.out)
	}
	if r := runVerb(t, environ, "", "queue", "why"); !strings.Contains(r.out, "nothing waits") {
		t.Error(r.out)
	}
}

// roads are the exit codes of one message that goes by each verb.
type roads struct{ send, sendmail, run, batch int }

// everyRoad submits a message by each, with an outbox of its own for batch, which
// gets a limit for failures that pass.
func everyRoad(t *testing.T, environ []string) (r roads) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"mail.md": "---\nto: '{{.email}}'\nsubject: s\n---\nx\n", "rows.csv": "email\na@contoso.example\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.send = runVerb(t, environ, "", "send", "--attempts", "1", "--to", "a@contoso.example", "--text", "x").code
	r.sendmail = runVerb(t, environ, "Subject: s\n\nx\n", "sendmail", "--timeout", "900ms", "a@contoso.example").code
	runVerb(t, environ, "", "send", "--queue", "--to", "a@contoso.example", "--text", "x")
	r.run = runVerb(t, environ, "", "queue", "run").code
	own := append(environ, "SMTPSEND_STATE_DIR="+filepath.Join(dir, "state"))
	r.batch = runVerb(t, own, "", "batch", "--template", filepath.Join(dir, "mail.md"), filepath.Join(dir, "rows.csv")).code
	return r
}

// TestOneFailureHasOneExitCode has the failures that end a batch; those for which
// it would wait are in TestEveryFaultHasOneName.
func TestOneFailureHasOneExitCode(t *testing.T) {
	for name, tt := range map[string]struct {
		say  map[string]string
		want int
	}{
		"sign-in refused":     {map[string]string{"auth": "535 5.7.8 no"}, exit.NotAuthorised},
		"sign-in refused 554": {map[string]string{"auth": "554 5.7.1 no"}, exit.NotAuthorised},
		"recipient refused":   {map[string]string{"rcpt": "550 5.1.1 no such user"}, exit.NoUser},
		"content refused":     {map[string]string{"dot": "554 5.6.0 no"}, exit.Refused},
		"sender refused":      {map[string]string{"mail": "553 5.1.8 <x>: Sender address rejected: not owned by user y"}, exit.NotAuthorised},
	} {
		environ, _ := oddServer(t, tt.say)
		if codes := everyRoad(t, environ); codes != (roads{tt.want, tt.want, tt.want, tt.want}) {
			t.Errorf("%s: %+v, want %d", name, codes, tt.want)
		}
	}
}

// TestABlockEndsEveryVerbAlike: nothing is wrong with the sign-in there.
func TestABlockEndsEveryVerbAlike(t *testing.T) {
	if !slices.Contains(fault.Names(), "bad-outbound-sender") {
		t.Fatal("the sandbox has no such fault")
	}
	environ, end := sandboxFor(t, "bad-outbound-sender")
	defer end()
	dir := t.TempDir()
	environ = append(environ, "SMTPSEND_STATE_DIR="+filepath.Join(dir, "state"), "SMTPSEND_DEAD_LETTER_DIR="+dir, "SMTPSEND_ALIASES_FILE=/dev/null")
	if codes := everyRoad(t, environ); codes != (roads{exit.Refused, exit.Refused, exit.Refused, exit.Refused}) {
		t.Errorf("%+v", codes)
	}
	for range 2 { // a run that finds the mailbox stopped
		if r := runVerb(t, environ, "", "queue", "run"); r.code != exit.Refused {
			t.Errorf("a later run ends with %d\n%s", r.code, r.report)
		}
	}
}

// TestARunThatFindsAPauseSaysSo: a run that was asked for what is due, and did
// nothing, does not end well.
func TestARunThatFindsAPauseSaysSo(t *testing.T) {
	environ, _ := oddServer(t, map[string]string{"greeting": "421 4.3.2 busy"})
	runVerb(t, environ, "", "send", "--queue", "--to", "a@contoso.example", "--text", "x")
	for range 2 {
		r := runVerb(t, environ, "", "queue", "run")
		if r.code != exit.TryAgain {
			t.Errorf("ends with %d\n%s", r.code, r.out)
		}
	}
	if r := runVerb(t, environ, "", "queue", "run"); !strings.Contains(r.report, "which is paused: ") {
		t.Error(r.report)
	}
	runVerb(t, environ, "", "queue", "hold", "--all")
	if r := runVerb(t, environ, "", "queue", "run"); r.code != exit.OK {
		t.Errorf("with nothing due it ends with %d\n%s", r.code, r.report)
	}
}

// TestThePartOfAMessageThatFailedIsNamed: the server's last words are those to the
// final dot, and say that all is well.
func TestThePartOfAMessageThatFailedIsNamed(t *testing.T) {
	environ, dir := oddServer(t, map[string]string{"rcpt b@contoso.example": laterForB})
	environ = append(environ, "SMTPSEND_OPERATOR=ops@contoso.example")
	runVerb(t, environ, "", "send", "--queue", "--to", "a@contoso.example", "--to", "b@contoso.example", "--text", "x")
	if r := runVerb(t, environ, "", "queue", "run"); r.code != exit.TryAgain {
		t.Errorf("queue run ends with %d\n%s", r.code, r.out)
	}
	if r := runVerb(t, environ, "", "queue", "ls"); !strings.Contains(r.out, "451 4.3.0 later") && !strings.Contains(r.out, "deferred: 4.3.0 later") {
		t.Error(r.out)
	}
	refusing, _ := oddServer(t, map[string]string{"rcpt b@contoso.example": "550 5.1.1 no such user"})
	refusing = append(refusing, "SMTPSEND_OPERATOR=ops@contoso.example", "SMTPSEND_STATE_DIR="+filepath.Join(dir, "state"))
	runVerb(t, refusing, "", "queue", "retry", "--all")
	if r := runVerb(t, refusing, "", "queue", "run"); r.code != exit.Partly {
		t.Errorf("a run whose message one has already ends with %d\n%s", r.code, r.out)
	}
	runVerb(t, refusing, "", "send", "--queue", "--to", "a@contoso.example", "--to", "b@contoso.example", "--text", "x")
	if r := runVerb(t, refusing, "", "queue", "run"); r.code != exit.Partly {
		t.Errorf("a run whose message one gets ends with %d\n%s", r.code, r.out)
	}
	list := decode[struct {
		Messages []struct {
			State, Kind string
			Code        int `json:"reply_code"`
		}
	}](t, runVerb(t, refusing, "", "--json", "queue", "ls", "--all", "--state", "dead"))
	if len(list.Messages) != 2 {
		t.Errorf("%+v", list)
	}
	for _, m := range list.Messages {
		if m.Kind != "recipient-unknown" || m.Code != 550 {
			t.Errorf("%+v", m)
		}
	}
}

// TestWhatWasGivenUpIsNotTriedAgain: a batch that is started again reads from the
// outbox why its rows were lost.
func TestWhatWasGivenUpIsNotTriedAgain(t *testing.T) {
	environ, dir := oddServer(t, map[string]string{"rcpt": laterForB})
	for name, text := range map[string]string{"mail.md": "---\nto: '{{.email}}'\nsubject: s\n---\nx\n", "rows.csv": "email\na@contoso.example\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	batch := []string{"batch", "--template", filepath.Join(dir, "mail.md"), filepath.Join(dir, "rows.csv")}
	runVerb(t, environ, "", append(batch, "--add-only")...)
	box, err := outbox.Open(t.Context(), filepath.Join(dir, "state"), outbox.Options{GiveUp: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	sender, _, err := box.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := sender.Claim(t.Context(), "noreply@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	later := smtp.Reply{Code: 451, Lines: []string{"4.3.0 later"}}
	s, err := sender.Finish(t.Context(), c, outbox.Result{
		Verdict:    mailbox.Verdict{Stage: smtp.StageRcpt, Class: diagnosis.ClassTransient, Kind: "unknown-transient", Reply: later},
		Recipients: []outbox.Recipient{{Recipient: smtp.Recipient{ForwardPath: "a@contoso.example", Outcome: smtp.Transient, Reply: later}}},
	})
	if err = errors.Join(err, sender.Release()); err != nil || s.State != outbox.Dead {
		t.Fatalf("%+v, %v", s, err)
	}
	if r := runVerb(t, environ, "", batch...); r.code != exit.Refused {
		t.Errorf("ends with %d\n%s%s", r.code, r.out, r.report)
	}
}
