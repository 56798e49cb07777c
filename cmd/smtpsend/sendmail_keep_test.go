package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
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
	if _, err := f.ReadAt(end, info.Size()-100); err != nil || !bytes.HasSuffix(end, []byte("\n[smtpsend: of this message here is only its first 314572800 octets, the rest is missing]\n\n")) {
		t.Errorf("it ends with %q, %v", end, err)
	}
}

// TestKeepingEndsSoonAfterASignal, and says what is missing, also in the note.
func TestKeepingEndsSoonAfterASignal(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := &original{}
	defer o.close()
	if _, err := io.CopyN(o, &endless{piece: strings.Repeat("a\n", 16<<10)}, 160<<20); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		want int64
	}{
		"no signal":      {t.Context(), 160 << 20},
		"before":         {untiltest.EndsAfter(t.Context(), 0), limits.Message},
		"while it wrote": {untiltest.EndsAfter(t.Context(), 16), limits.Message + 1<<20},
	} {
		n, err := o.writeTo(tt.ctx, io.Discard)
		if err != nil || n != tt.want || (o.missing(n) == "") != (n == 160<<20) {
			t.Errorf("%s: %d octets, %v, %q", name, n, err, o.missing(n))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	var stderr strings.Builder
	_, g := newRoot(&process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr})
	if err := (&sendmail{application: g}).keepInDir(ctx, dir, o, kept{}); err != nil {
		t.Fatal(err)
	}
	notes, _ := filepath.Glob(filepath.Join(dir, "*.json")) // the pattern is right
	if len(notes) != 1 {
		t.Fatalf("%q", notes)
	}
	note, err := os.ReadFile(notes[0])
	if want := "only its first 157286400 octets, the rest is missing"; err != nil || !strings.Contains(string(note), `"cut": "`+want) || !strings.Contains(stderr.String(), want) {
		t.Errorf("%s, %v, said %s", note, err, stderr.String())
	}
}

// failing is a disk that is full after some octets.
type failing struct {
	w    io.Writer
	room int
}

func (f *failing) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, io.ErrShortWrite
	}
	return f.w.Write(p)
}

func TestHalfADeadLetterIsTakenBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "dead.letter")
	if err := os.WriteFile(name, []byte("From a\nfirst\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = writeOut(t.Context(), f, func(w io.Writer) error {
		_, err := io.CopyN(&failing{w, 50_000}, &endless{piece: "a\n"}, 100_000)
		return err
	})
	text, readErr := os.ReadFile(name)
	if err == nil || readErr != nil || string(text) != "From a\nfirst\n\n" {
		t.Errorf("%v, %v, %d octets", err, readErr, len(text))
	}
}

// TestMboxQuotesInAnyPieces, and looks at each octet once: a line of 100 MB of ">"
// was looked at from its beginning for each of them.
func TestMboxQuotesInAnyPieces(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "\n",
		"a":                     "a\n\n",
		"a\n":                   "a\n\n",
		"a\n\n":                 "a\n\n\n",
		"From a\nFrom":          ">From a\nFrom\n\n",
		">From a\n>>From b\n>":  ">>From a\n>>>From b\n>\n\n",
		"Fr\nFFrom \nF>From \n": "Fr\nFFrom \nF>From \n\n",
		"x From \n From \nFrom": "x From \n From \nFrom\n\n",
		">\nFrom \n\nFrom \n":   ">\n>From \n\n>From \n\n",
	} {
		for _, piece := range []int{1, 2, 3, 100} {
			var out strings.Builder
			m := &mboxWriter{w: &out, fresh: true, head: true}
			for rest := text; rest != ""; {
				n := min(piece, len(rest))
				if _, err := m.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := m.end(""); err != nil || out.String() != want {
				t.Errorf("%q in pieces of %d: %q, %v, want %q", text, piece, out.String(), err, want)
			}
		}
	}
	m := &mboxWriter{w: io.Discard, fresh: true, head: true}
	if _, err := io.CopyN(m, &endless{piece: strings.Repeat(">", 10_000)}, 100<<20); err != nil || m.out.Cap() > 1<<20 {
		t.Errorf("%v, %d octets are held", err, m.out.Cap())
	}
}
