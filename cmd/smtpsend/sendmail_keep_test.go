package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// endless is standard input of a program that never stops.
type endless struct{ piece, rest string }

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.piece
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// TestSendmailEndsWithoutEndOfInput: it read on and on into a temporary file, and
// copied gigabytes into dead.letter.
func TestSendmailEndsWithoutEndOfInput(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	home := t.TempDir()
	var stdout, stderr strings.Builder
	p := &process{
		stdin: &endless{piece: strings.Repeat("hello\n", 10_000)}, stdout: &stdout, stderr: &stderr,
		environ: []string{"SMTPSEND_MAIL_SENDER=a@contoso.example", "HOME=" + home},
	}
	if code := run(t.Context(), p, []string{"sendmail", "-i", "--dry-run", "b@contoso.example"}); code != exit.Data ||
		!strings.Contains(stderr.String(), "more than 157286400 octets") ||
		!strings.Contains(stderr.String(), "dead.letter (only its first 314572800 octets, the rest is missing)") {
		t.Errorf("exit %d, said %q", code, stderr.String())
	}
	f, err := os.Open(filepath.Join(home, "dead.letter"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() < limits.MessageRead || info.Size() > limits.MessageRead+1000 {
		t.Errorf("it has %d octets, %v", info.Size(), err)
	}
	end := make([]byte, 100)
	if _, err := f.ReadAt(end, info.Size()-100); err != nil || !bytes.HasSuffix(end, []byte("\n[smtpsend: this message is cut off: only its first 314572800 octets, the rest is missing]\n\n")) {
		t.Errorf("it ends with %q, %v", end, err)
	}
}
