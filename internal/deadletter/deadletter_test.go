package deadletter

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
)

// TestKeepingEndsSoonAfterASignal, and says what is missing, also in the note.
func TestKeepingEndsSoonAfterASignal(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c := &Copy{}
	defer c.Close()
	piece := bytes.Repeat([]byte("a\n"), 16<<10)
	for range 160 << 20 / len(piece) {
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		want int64
	}{
		"no signal":      {t.Context(), 160 << 20},
		"before":         {untiltest.EndsAfter(t.Context(), 0), limits.Message},
		"while it wrote": {untiltest.EndsAfter(t.Context(), 16), limits.Message + 1<<20},
	} {
		n, err := c.writeTo(tt.ctx, io.Discard)
		if err != nil || n != tt.want || (c.missing(n) == "") != (n == 160<<20) {
			t.Errorf("%s: %d octets, %v, %q", name, n, err, c.missing(n))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	kept, err := Keep(ctx, c, Note{}, Places{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	notes, _ := filepath.Glob(filepath.Join(dir, "*.json")) // the pattern is right
	if len(notes) != 1 {
		t.Fatalf("%q", notes)
	}
	note, err := os.ReadFile(notes[0])
	if want := "only its first 157286400 octets, the rest is missing"; err != nil || !strings.Contains(string(note), `"cut": "`+want) || !strings.Contains(kept.String(), want) {
		t.Errorf("%s, %v, said %s", note, err, kept.String())
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
		_, err := io.Copy(&failing{w, 50_000}, struct{ io.Reader }{strings.NewReader(strings.Repeat("a\n", 50_000))}) // in pieces
		return err
	})
	text, readErr := os.ReadFile(name)
	if err == nil || readErr != nil || string(text) != "From a\nfirst\n\n" {
		t.Errorf("%v, %v, %d octets", err, readErr, len(text))
	}
}
