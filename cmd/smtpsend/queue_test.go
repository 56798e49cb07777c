package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
)

// TestWhatIsUnderWayIsToldOf: who cancels everything hears what could not be
// cancelled.
func TestWhatIsUnderWayIsToldOf(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
	dir := filepath.Join(t.TempDir(), "state")
	box, err := outbox.Open(t.Context(), dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	m := spool.Message{Mailbox: "app@contoso.example", MessageID: "<1@contoso.example>"}
	m.Envelope = mailobject.Envelope{ReversePath: m.Mailbox, ForwardPaths: []string{"x@contoso.example"}}
	for range 3 {
		if _, _, err := box.Accept(t.Context(), m, strings.NewReader("Subject: x\r\n\r\nx\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	sender, _, err := box.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Release()
	if _, err := sender.Claim(t.Context(), m.Mailbox); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := &process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: []string{"SMTPSEND_STATE_DIR=" + dir}}
	if code := run(t.Context(), p, []string{"queue", "cancel", "--all"}); code != exit.OK || out.String() != "2 messages cancelled\n" {
		t.Errorf("exit code %d: %s", code, &out)
	}
	if want := "smtpsend: note: 1 more is being submitted: cancel does not apply to them now\n"; errs.String() != want {
		t.Errorf("standard error %q, want %q", &errs, want)
	}
}
