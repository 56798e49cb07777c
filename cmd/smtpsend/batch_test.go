package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// TestWhatChangesBetweenCheckAndStart: what was checked is not what is there
// when the rows are taken. No row is left out in silence.
func TestWhatChangesBetweenCheckAndStart(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(dir string) error
		code   int
		out    string // end of standard output
		errs   string
	}{
		{"rows are cut off", func(dir string) error { return os.Truncate(filepath.Join(dir, "rows.csv"), 5) }, exit.Data,
			"1 row: 0 accepted, 0 refused, 0 in doubt, 1 waiting; 1 row not taken yet\n",
			"error: the file was changed meanwhile: it had 2 rows when it was checked, and 1 when they were put into the outbox\n"},
		{"an attachment is gone", func(dir string) error { return os.Remove(filepath.Join(dir, "b.txt")) }, exit.NoInput,
			" not taken yet\n", "error: row 2 (line 3): "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // no settings of whoever tests
			dir := t.TempDir()
			write(t, dir, "t.txt", "---\nto: '{{.id}}@contoso.example'\nattach: '"+dir+"/{{.id}}.txt'\n---\nhi\n")
			write(t, dir, "rows.csv", "id\na\nb\n")
			write(t, dir, "a.txt", "a")
			write(t, dir, "b.txt", "b")
			out := &watch{text: "less than a minute\n"}
			out.seen = func() {
				out.text = "\x00" // once
				if err := tt.change(dir); err != nil {
					t.Error(err)
				}
			}
			var errs bytes.Buffer
			p := &process{stdin: strings.NewReader(""), stdout: out, stderr: &errs, environ: []string{"SMTPSEND_MAIL_SENDER=app@contoso.example", "SMTPSEND_STATE_DIR=" + dir + "/state"}}
			code := run(t.Context(), p, []string{"batch", "--add-only", "--template", dir + "/t.txt", dir + "/rows.csv"})
			if code != tt.code || !strings.HasSuffix(out.String(), tt.out) || !strings.Contains(errs.String(), tt.errs) {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out.String(), &errs)
			}
			if !strings.Contains(errs.String(), "note: when the cause is fixed, the same command continues where it stopped\n") {
				t.Errorf("it is not said how to go on: %s", &errs)
			}
		})
	}
}
