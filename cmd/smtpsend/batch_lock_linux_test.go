package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// waitingBatch is a batch of two rows that has found the outbox locked by
// somebody else, which is this test.
type waitingBatch struct {
	box    *sandbox.Sandbox
	out    *outbox.Outbox
	sender *outbox.Sender
	cmd    *exec.Cmd
	said   io.Reader
	report string
}

func startWaitingBatch(t *testing.T) *waitingBatch {
	t.Helper()
	box, err := sandbox.Start(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	dir := t.TempDir()
	write(t, dir, "t.txt", "---\nto: '{{.id}}@contoso.example'\nsubject: 'row {{.id}}'\n---\nhi\n")
	write(t, dir, "rows.csv", "id\na\nb\n")
	env := filepath.Join(dir, "e.env")
	if err := box.WriteEnv(env); err != nil {
		t.Fatal(err)
	}
	w := &waitingBatch{box: box, report: filepath.Join(dir, "report.csv")}
	state := filepath.Join(dir, "state")
	if w.out, err = outbox.Open(t.Context(), state, outbox.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.out.Close() })
	// Mail of others, which no batch waits for: later, and of the same mailbox.
	w.accept(t, spool.Message{ReadyAt: time.Now().Add(time.Hour)})
	if w.sender, _, err = w.out.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.sender.Release() })
	t.Setenv("SMTPSEND_STATE_DIR", state)
	t.Setenv("XDG_CACHE_HOME", dir)
	w.cmd, w.said = started(t, nil, "another process submits from this outbox", "--env-file", env, "batch",
		"--template", filepath.Join(dir, "t.txt"), "--report", w.report, filepath.Join(dir, "rows.csv"))
	return w
}

func (w *waitingBatch) accept(t *testing.T, m spool.Message) {
	t.Helper()
	m.Mailbox, m.MessageID = "noreply@contoso.example", "<1@contoso.example>"
	m.Envelope = mailobject.Envelope{ReversePath: m.Mailbox, ForwardPaths: []string{"other@contoso.example"}}
	if _, _, err := w.out.Accept(t.Context(), m, strings.NewReader("Subject: other\r\n\r\nhi\r\n")); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the end of the batch and checks that both rows were accepted
// with the words.
func (w *waitingBatch) ended(t *testing.T, words string) {
	t.Helper()
	kill := time.AfterFunc(time.Minute, func() { _ = w.cmd.Process.Kill() })
	defer kill.Stop()
	rest, _ := io.ReadAll(w.said)
	if err := w.cmd.Wait(); err != nil {
		t.Fatalf("it ended with %v: %s", err, rest)
	}
	report, err := os.ReadFile(w.report)
	if err != nil || strings.Count(string(report), ",accepted,"+words) != 2 {
		t.Errorf("report %v:\n%s", err, report)
	}
}

func TestABatchGoesOnWhenTheOtherProcessEnds(t *testing.T) {
	w := startWaitingBatch(t)
	if err := w.sender.Release(); err != nil {
		t.Fatal(err)
	}
	w.ended(t, "250 2.0.0 OK")
	if n := len(w.box.Messages()); n != 2 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestABatchIsOverWhenTheOtherProcessSubmittedIt(t *testing.T) {
	w := startWaitingBatch(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n := 0; n < 2; {
		c, err := w.sender.Claim(ctx, "noreply@contoso.example")
		if errors.Is(err, outbox.ErrIdle) { // the rows are still coming in
			continue
		}
		if err == nil {
			err = w.sender.AllowData(ctx, c)
		}
		if err == nil {
			_, err = w.sender.Finish(ctx, c, outbox.Result{
				Recipients: []outbox.Recipient{{Recipient: smtp.Recipient{ForwardPath: c.Envelope.ForwardPaths[0], Outcome: smtp.Accepted}}},
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	w.ended(t, "")
	if n := len(w.box.Messages()); n != 0 {
		t.Errorf("%d messages were submitted by the batch", n)
	}
}

// A terminal that is closed ends a batch as Ctrl-C does: what is on its way is
// not left in doubt.
func TestAClosedTerminalEndsABatchCleanly(t *testing.T) {
	// Under nohup a child inherits that the signal is ignored, unless we catch it.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	w := startWaitingBatch(t)
	if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ends(t, w.cmd, w.said, exit.Interrupted)
}
