package printable_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/printable"
)

func TestLineShowsWhatWasThere(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"Grüße ✓ 日本語 a\u0301 \u00a0":  "Grüße ✓ 日本語 a\u0301 \u00a0",
		"a\x1b]0;title\ab":            `a\x1b]0;title\x07b`,
		"one\ntwo\r\nthree\tfour":     "one two three four",
		"over\rwritten":               `over\rwritten`,
		"\u009b31m\x9b31m\x7f\x00":    `\u009b31m\x9b31m\x7f\x00`,
		"a\u202eb\u2066c\u200fd":      `a\u202eb\u2066c\u200fd`,
		"\u061c\u2028\u2029\u0085":    `\u061c\u2028\u2029\u0085`,
		"z\u200bw\u200dj\ufeff\u00ad": `z\u200bw\u200dj\ufeff\u00ad`,
		"\U000e0041\ufe0f\u3164":      `\U000e0041\ufe0f\u3164`,
		"caf\xe9 \xc3":                `caf\xe9 \xc3`,
		"\ufffd is a rune":            "\ufffd is a rune",
	} {
		got := printable.Line(text)
		if got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
		if again := printable.Line(got); again != got {
			t.Errorf("%q becomes %q the second time", got, again)
		}
	}
}

func TestTextKeepsItsLines(t *testing.T) {
	if got, want := printable.Text("a\tb\r\nc\n\x1bd\r"), "a\tb\nc\n\\x1bd\\r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// named is a text, as the ids and states of the outbox are.
type named string

// stringer gives its text itself.
type stringer struct{ text string }

func (s stringer) String() string { return s.text }

func TestArgsOfEveryKind(t *testing.T) {
	evil := "a\x1b\nb"
	for _, tt := range []struct {
		format string
		arg    any
		want   string
	}{
		{"%s", evil, `a\x1b b`}, {"%v", named(evil), `a\x1b b`}, {"%s", errors.New(evil), `a\x1b b`}, {"%v", stringer{evil}, `a\x1b b`},
		{"%s", []byte(evil), `a\x1b b`}, {"%v", []string{evil}, `[a\x1b b]`}, {"%q", evil, `"a\x1b\nb"`}, {"%q", "\u3164", `"\u3164"`},
		{"%v", map[string]string{evil: "1"}, `map[a\x1b b:1]`}, {"%+v", struct{ A string }{evil}, `{A:a\x1b b}`}, {"%c", '\x1b', `\x1b`},
		{"%-10s|", "a\x1b", `a\x1b     |`}, {"%10s|", named("a"), "         a|"}, {"%d", 7, "7"}, {"%v", 1500 * time.Millisecond, "1.5s"},
		{"%v", nil, "<nil>"}, {"%.1f", 2.25, "2.2"}, {"%v", &evil, ""}, {"%t", true, "true"}, {"%x", "\x1b", "1b"},
	} {
		got := fmt.Sprintf(tt.format, printable.Args([]any{tt.arg})...)
		if tt.want != "" && got != tt.want {
			t.Errorf("%s of %#v gives %q, want %q", tt.format, tt.arg, got, tt.want)
		}
	}
	if got := fmt.Sprintf("%-*s|%*d", printable.Args([]any{4, "a", 3, 7})...); got != "a   |  7" {
		t.Errorf("a width gives %q", got)
	}
}

func TestJSONStaysTheSameValue(t *testing.T) {
	value := map[string]string{"a\u2028": "x\u009b\U000e0041\u202e\u007f\n\t\x1b\u200b" + "ü"}
	encoded, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text := printable.JSON(string(encoded))
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && printable.Steers(r) }); i >= 0 {
		t.Errorf("%q steers at %d", text, i)
	}
	var again map[string]string
	if err := json.Unmarshal([]byte(text), &again); err != nil || fmt.Sprint(again) != fmt.Sprint(value) {
		t.Errorf("%q reads as %q, %v", text, again, err)
	}
}

// TestWriterIsTextInPieces: wherever a stream is cut, the result is the same.
func TestWriterIsTextInPieces(t *testing.T) {
	text := "é\r\n✓\u202e\x1b\r\U000e0041\xe2\x82 x\r\n\xf0"
	for size := 1; size <= len(text); size++ {
		var out, smtp bytes.Buffer
		w, s := printable.NewWriter(&out), printable.NewSMTPWriter(&smtp)
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			for _, to := range []*printable.Writer{w, s} {
				if got, err := to.Write(rest[:n]); got != n || err != nil {
					t.Fatal(got, err)
				}
			}
			rest = rest[n:]
		}
		if err := errors.Join(w.Flush(), s.Flush()); err != nil {
			t.Fatal(err)
		}
		if out.String() != printable.Text(text) {
			t.Errorf("in pieces of %d: %q, want %q", size, out.String(), printable.Text(text))
		}
		if want := strings.ReplaceAll(printable.Text(text), "\n", "\r\n"); smtp.String() != want {
			t.Errorf("in pieces of %d: %q, want %q", size, smtp.String(), want)
		}
	}
}

// FuzzLine: whatever comes in, nothing that steers comes out, and what is
// harmless stays as it is.
func FuzzLine(f *testing.F) {
	f.Add("a\x1b[2J\u009b\u202e\xff\U000e0001\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		line := printable.Line(text)
		if !utf8.ValidString(line) || strings.IndexFunc(line, printable.Steers) >= 0 {
			t.Errorf("%q gives %q", text, line)
		}
		if utf8.ValidString(text) && strings.IndexFunc(text, printable.Steers) < 0 && line != text {
			t.Errorf("%q is changed to %q", text, line)
		}
	})
}
