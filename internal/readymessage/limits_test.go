package readymessage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
)

func TestReadingEndsWithTheCauseOfTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	if _, err := readymessage.Read(ctx, strings.NewReader(complete+"\r\nx"), readymessage.Options{}); !errors.Is(err, why) {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(path, []byte(complete+"\r\nx"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readymessage.Open(ctx, path, readymessage.Options{}); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestReadingEndsWithTheContextAndLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	text := complete + "\r\n" + strings.Repeat("x\r\n", 1<<20) + strings.Repeat("y", 1200)
	for _, n := range []int{0, 10, 100, 150} { // while it is taken in, and while its parts are looked for
		if _, err := readymessage.Read(untiltest.EndsAfter(t.Context(), n), strings.NewReader(text), readymessage.Options{TempDir: dir, Reencode: readymessage.ReencodeLong}); err == nil {
			t.Errorf("it went on after %d", n)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestPartsForReencodingAreBounded: the header of a part was once put together line
// by line, and each line was compared with the boundary of each multipart around it.
func TestPartsForReencodingAreBounded(t *testing.T) {
	long := strings.Repeat("y", 1200)
	start := complete + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	nested := func(depth int) string {
		var b strings.Builder
		for i := range depth {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		return complete + b.String() + "\r\n" + long + "\r\n"
	}
	for name, tt := range map[string]struct{ in, want string }{
		"continued":        {start + "X: y\r\n" + strings.Repeat(" y\r\n", 100_000) + "\r\n" + long, "the header of a part has more than 102400 octets"},
		"fields":           {start + strings.Repeat("X: y\r\n", 100_000) + "\r\n" + long, "the header of a part has more than 102400 octets"},
		"of a message":     {start + "Content-Type: message/rfc822\r\n\r\n" + strings.Repeat("X: y"+strings.Repeat(" y", 100)+"\r\n", 4_000) + "\r\n" + long, ""},
		"within the limit": {start + "X: y\r\n" + strings.Repeat(" y\r\n", 50_000) + "\r\n" + long, ""},
		"nested":           {nested(101), "its parts are nested more than 100 deep"},
		"nested 100":       {nested(100), ""},
		"many boundaries":  {complete + strings.Repeat("Content-Type: multipart/mixed; boundary=b\r\n", 200) + "\r\n--b\r\n\r\n" + long, ""},
		"parts":            {start + strings.Repeat("\r\nx\r\n--b\r\n", 20_000) + "\r\n" + long, "it has more than 10000 parts"},
	} {
		var err error
		octets := mailtest.Taken(func() {
			var raw *readymessage.Message
			if raw, err = readymessage.Read(t.Context(), strings.NewReader(tt.in), readymessage.Options{Reencode: readymessage.ReencodeLong}); err == nil {
				_ = raw.Close()
			}
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), "it cannot be re-encoded: "+tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if octets > 50<<20 {
			t.Errorf("%s: %d MB were taken", name, octets>>20)
		}
	}
}

// TestDelimitersAreThoseOfTheInnermostMultipart, also where one boundary is another
// with hyphens after it.
func TestDelimitersAreThoseOfTheInnermostMultipart(t *testing.T) {
	long := strings.Repeat("wort ", 400)
	in := complete + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: multipart/mixed; boundary=\"x--\"\r\n\r\n" +
		"--x--\r\n\r\n" + long + "\r\n--x----\r\n--x\r\nContent-Type: application/pdf\r\n\r\nQUJD\r\n--x--\r\n"
	raw := readRaw(t, in, readymessage.Options{Reencode: readymessage.ReencodeLong})
	if got := mailtest.Octets(t, rawMail(t, raw, atNoon)); strings.Count(got, "quoted-printable") != 1 || !strings.Contains(got, "\r\n--x--\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nwort") {
		t.Errorf("%s", got)
	}
}

// TestHostileHeadersAreRead in time and memory that grow with them alone.
func TestHostileHeadersAreRead(t *testing.T) {
	fill := func(start, again, end string) string { // folded, for no line may be long
		line := strings.Repeat(again, 900/len(again))
		if !strings.HasSuffix(again, "\n") {
			line += "\r\n "
		}
		return start + strings.Repeat(line, (limits.HeaderSection-2000)/len(line)) + end + "\r\n"
	}
	for name, field := range map[string]string{
		"comments":      fill("To: a@b.example ", "(", ""),
		"comments 2":    fill("To: ", "(", "x"+")"),
		"closed":        fill("To: a@b.example ", "(x)", ""),
		"escaped":       fill("To: a@b.example (", `\(`, ")"),
		"quotes":        fill("To: ", `"x" `, "<a@b.example>"),
		"quote":         fill("To: \"", "x", ""),
		"groups":        fill("To: ", "g:;,", ""),
		"group":         fill("To: g: ", "a@b.example,", ";"),
		"words":         fill("To: ", "x ", "<a@b.example>"),
		"encoded words": fill("To: ", "=?utf-8?q?x?= ", "<a@b.example>"),
		"open words":    fill("To: ", "=?utf-8?q?", " <a@b.example>"),
		"open words 2":  fill("To: ", "=?utf-8?b?!", "?= <a@b.example>"),
		"equal signs":   fill("To: ", "=", " <a@b.example>"),
		"brackets":      fill("To: ", "[x] ", "<a@b.example>"),
		"angles":        fill("To: ", "<", ""),
		"at signs":      fill("To: ", "@", ""),
		"route":         fill("To: <", "@a,", ":a@b.example>"),
		"commas":        fill("To: ", ",", ""),
		"semicolons":    fill("To: ", "a@b.example;", ""),
		"folded":        fill("To: a@b.example", "\r\n ", "x"),
		"fields":        fill("", "Bcc:\r\n", ""),
		"fields 2":      fill("", "To: a@b.example\r\n", ""),
		"resent":        fill("", "Resent-To: a@b.example\r\n", ""),
	} {
		octets := mailtest.Taken(func() {
			raw, err := readymessage.Read(t.Context(), strings.NewReader("From: a@contoso.example\r\n"+field+"\r\nx\r\n"), readymessage.Options{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer raw.Close()
			_, _ = raw.Recipients() // most are refused
			_, _ = raw.From()
			if m, err := raw.Mail(from, someone, mailobject.DSN{}, atNoon); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if _, err := m.Content.WriteTo(io.Discard); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if octets > 150<<20*raceFactor {
			t.Errorf("%s: %d MB were taken", name, octets>>20)
		}
	}
}

// repeated is a reader of what is written again and again, n times.
func repeated(piece string, n int) io.Reader {
	piece = strings.Repeat(piece, 1000)
	list := make([]io.Reader, n/1000)
	for i := range list {
		list[i] = strings.NewReader(piece)
	}
	return io.MultiReader(list...)
}

// TestCRsAreBounded: they were part of no count, and became blanks all at once, or
// nothing for ever.
func TestCRsAreBounded(t *testing.T) {
	head := "From: a@contoso.example\n\nx"
	for name, bomb := range map[string]struct {
		in     io.Reader
		reason string
	}{
		"blanks":    {repeated("\r", 100_000_000), "line 3 has more than 65536 CRs in a row"},
		"line ends": {repeated(strings.Repeat("\r", 60_000)+"\n", 8000), "more than 314572800 octets, with CRs"},
	} {
		n := mailtest.Taken(func() {
			raw, err := readymessage.Read(t.Context(), io.MultiReader(strings.NewReader(head), bomb.in), readymessage.Options{})
			if err == nil {
				_ = raw.Close()
			}
			var field *badinput.FieldError
			if !errors.As(err, &field) || !strings.Contains(err.Error(), bomb.reason) {
				t.Errorf("%s: %v, want %q", name, err, bomb.reason)
			}
		})
		if n > 100<<20 {
			t.Errorf("%s: %d MB were taken", name, n>>20)
		}
	}
	raw, err := readymessage.Read(t.Context(), strings.NewReader(head+strings.Repeat("\r", 900)+"y\n"+strings.Repeat("\r", 60_000)+"\n"), readymessage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Close()
}

// TestLinesOfABodyTakeNoMemory where long ones are re-encoded: each became a text.
func TestLinesOfABodyTakeNoMemory(t *testing.T) {
	text := "From: a@contoso.example\n\n" + strings.Repeat("a line of some words\n", 500_000) + strings.Repeat("x", 1200)
	n := mailtest.Taken(func() {
		raw, err := readymessage.Read(t.Context(), strings.NewReader(text), readymessage.Options{Reencode: readymessage.ReencodeLong, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Close()
	})
	if n > 8<<20 {
		t.Errorf("%d MB were taken", n>>20)
	}
}
