package message_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
)

// taken is how many octets f takes from the heap, given back or not.
func taken(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// attaching composes a message with one attachment.
func attaching(t *testing.T, a message.Attachment) error {
	t.Helper()
	d := draft(t)
	d.Attachments = []message.Attachment{a}
	m, err := message.Compose(t.Context(), d)
	if err == nil {
		_ = m.Close()
	}
	return err
}

func TestAttachmentsStayBelowTheirDirectory(t *testing.T) {
	dir := tree(t, map[string]string{"secret.env": "x", "out/1.pdf": "x", "out/sub/2.pdf": "x", "elsewhere/3.pdf": "x"})
	out := filepath.Join(dir, "out")
	for name, target := range map[string]string{"leads-out": "../secret.env", "leads-in": "sub/2.pdf", "dir-out": "../elsewhere", "dir-in": "sub", "absolute": filepath.Join(dir, "secret.env")} {
		if err := os.Symlink(target, filepath.Join(out, name)); err != nil {
			t.Skip(err)
		}
	}
	t.Chdir(dir)
	for path, want := range map[string]string{
		"1.pdf": "", "sub/2.pdf": "", "./sub/../1.pdf": "", "leads-in": "", "dir-in/2.pdf": "", filepath.Join(out, "1.pdf"): "", filepath.Join(out, "sub", "..", "1.pdf"): "",
		"../secret.env":                  "is outside of the directory",
		"sub/../../secret.env":           "is outside of the directory",
		"/etc/passwd":                    "is outside of the directory",
		filepath.Join(dir, "secret.env"): "is outside of the directory",
		out + "/../secret.env":           "is outside of the directory",
		out + "x/1.pdf":                  "is outside of the directory",
		"..":                             "is outside of the directory",
		"leads-out":                      "leads out of the directory",
		"dir-out/3.pdf":                  "leads out of the directory",
		"absolute":                       "leads out of the directory",
		filepath.Join(out, "leads-out"):  "leads out of the directory",
		"none.pdf":                       "no such file or directory",
		"out/1.pdf":                      "file does not exist; there is one of the name \"out/1.pdf\" in the current directory, and --attach-dir . takes it from there",
		"sub":                            "is not a regular file but a directory",
		"":                               "is not a regular file but a directory",
		"1.pdf/x":                        "not a directory",
	} {
		err := attaching(t, message.Attachment{Path: path, Dir: out})
		var field *message.FieldError
		var file *message.FileError
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", path, err, want)
		case strings.Contains(want, "out of") || strings.Contains(want, "outside"):
			if !errors.As(err, &field) || !strings.Contains(err.Error(), fmt.Sprintf("%q", out)) {
				t.Errorf("%s: %T %v", path, err, err)
			}
		case want != "" && !errors.As(err, &file):
			t.Errorf("%s: %T %v", path, err, err)
		}
		if strings.Contains(want, "does not exist") && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := attaching(t, message.Attachment{Path: "x", Dir: filepath.Join(dir, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := attaching(t, message.Attachment{Path: filepath.Join(out, "leads-out")}); err != nil { // of the command line
		t.Error(err)
	}
}

// TestEmbeddedImagesAreOpenedBelowTheirDirectory, not by a name that may have come
// to mean another file.
func TestEmbeddedImagesAreOpenedBelowTheirDirectory(t *testing.T) {
	dir := tree(t, map[string]string{"secret.png": picture, "mail/ok.png": picture})
	d := draft(t)
	d.HTML, d.Inline = `<img src="cid:a@b">`, []message.Inline{{CID: "a@b", Path: "../secret.png", Dir: filepath.Join(dir, "mail")}}
	if _, err := message.Compose(t.Context(), d); err == nil || !strings.Contains(err.Error(), "is outside of the directory") {
		t.Error(err)
	}
	d.Inline[0].Path = "ok.png"
	if m, err := message.Compose(t.Context(), d); err != nil {
		t.Error(err)
	} else {
		_ = m.Close()
	}
}

func TestHTMLOverALimitIsAFieldError(t *testing.T) {
	d := draft(t)
	d.HTML = strings.Repeat("x", limits.HTML+1)
	_, err := message.Compose(t.Context(), d)
	var field *message.FieldError
	if !errors.As(err, &field) || err.Error() != "HTML: has 7340033 octets, at most 7340032; what is longer can be attached" {
		t.Error(err)
	}
}

func TestMarkdownOverALimitIsAFieldError(t *testing.T) {
	d := draft(t)
	d.Markdown = strings.Repeat("a|", 1000) + "\n" + strings.Repeat("-|", 1000) + "\n" + strings.Repeat("|\n", 1000)
	_, err := message.Compose(t.Context(), d)
	var field *message.FieldError
	if !errors.As(err, &field) || err.Error() != "Markdown: has more than 200000 lines, list items, table cells, links and other elements; it can be sent as plain text, or attached" {
		t.Error(err)
	}
}

// cancelled has ended, and says why.
func cancelled(t *testing.T) (context.Context, error) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	return ctx, why
}

func TestComposingEndsWithTheContext(t *testing.T) {
	ctx, why := cancelled(t)
	for name, change := range map[string]func(*message.Draft){
		"Markdown":   func(d *message.Draft) { d.Markdown = "a\n\nb" },
		"HTML":       func(d *message.Draft) { d.HTML, d.Text = "<p>a", "" },
		"images":     func(d *message.Draft) { d.HTML, d.EmbedDir = "<p>a", t.TempDir() },
		"attachment": func(d *message.Draft) { d.Attachments = []message.Attachment{{Path: file(t, "a.txt", "x")}} },
	} {
		d := draft(t)
		change(&d)
		if _, err := message.Compose(ctx, d); !errors.Is(err, why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := message.ReadRaw(ctx, strings.NewReader(complete+"\r\nx"), message.RawOptions{}); !errors.Is(err, why) {
		t.Error(err)
	}
	if _, err := message.OpenRaw(ctx, file(t, "a.eml", complete+"\r\nx"), message.RawOptions{}); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestReadingEndsWithTheContextAndLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	text := complete + "\r\n" + strings.Repeat("x\r\n", 1<<20) + strings.Repeat("y", 1200)
	for _, n := range []int{0, 10, 100, 150} { // while it is taken in, and while its parts are looked for
		if _, err := message.ReadRaw(untiltest.EndsAfter(t.Context(), n), strings.NewReader(text), message.RawOptions{TempDir: dir, Reencode: message.ReencodeLong}); err == nil {
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
		octets := taken(func() {
			var raw *message.Raw
			if raw, err = message.ReadRaw(t.Context(), strings.NewReader(tt.in), message.RawOptions{Reencode: message.ReencodeLong}); err == nil {
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
	raw := readRaw(t, in, message.RawOptions{Reencode: message.ReencodeLong})
	if got := octets(t, rawMail(t, raw, atNoon)); strings.Count(got, "quoted-printable") != 1 || !strings.Contains(got, "\r\n--x--\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nwort") {
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
		octets := taken(func() {
			raw, err := message.ReadRaw(t.Context(), strings.NewReader("From: a@contoso.example\r\n"+field+"\r\nx\r\n"), message.RawOptions{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer raw.Close()
			_, _ = raw.Recipients() // most are refused
			_, _ = raw.From()
			if m, err := raw.Mail(someone, atNoon); err != nil {
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

func TestManyAddressesAreRefused(t *testing.T) {
	list := strings.Repeat("a@b.c,", limits.Addresses)
	if got, err := message.ParseAddressList("To", list); err != nil || len(got) != limits.Addresses {
		t.Errorf("%d, %v", len(got), err)
	}
	if _, err := message.ParseAddressList("To", list+"a@b.c"); err == nil || !strings.HasSuffix(err.Error(), "more than 50000 addresses") {
		t.Errorf("%.200v", err)
	}
}

// TestPreviewCarriesNoImageTooOften: one that the body shows a thousand times was
// once in the page a thousand times.
func TestPreviewCarriesNoImageTooOften(t *testing.T) {
	dir := tree(t, map[string]string{"small.png": picture, "large.png": picture + strings.Repeat("x", 3<<20)})
	d := draft(t)
	d.HTML, d.EmbedDir = `<img src="small.png">`+strings.Repeat(`<img src="large.png">`, 1000), dir
	m := compose(t, d)
	var b strings.Builder
	if err := message.Preview(&b, d, m); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "data:image/png"); n != 1 || b.Len() > 1<<20 {
		t.Errorf("%d images, %d octets", n, b.Len())
	}
}

// TestImagesThatAreShownAgainAreLookedForOnce.
func TestImagesThatAreShownAgainAreLookedForOnce(t *testing.T) {
	dir := tree(t, map[string]string{"a.png": picture})
	d := draft(t)
	d.HTML, d.EmbedDir = strings.Repeat(`<img src=a.png>`, 50_000), dir
	m := compose(t, d)
	if report := m.SizeReport(); len(report.Parts) != 1 {
		t.Errorf("%d parts", len(report.Parts))
	}
	d.EmbedDir = ""
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, "<img src=%d.png>", i)
	}
	d.HTML += many.String()
	m = compose(t, d)
	if n := len(m.Missing()); n != 20_001 {
		t.Errorf("%d missing images", n)
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
		n := taken(func() {
			raw, err := message.ReadRaw(t.Context(), io.MultiReader(strings.NewReader(head), bomb.in), message.RawOptions{})
			if err == nil {
				_ = raw.Close()
			}
			var field *message.FieldError
			if !errors.As(err, &field) || !strings.Contains(err.Error(), bomb.reason) {
				t.Errorf("%s: %v, want %q", name, err, bomb.reason)
			}
		})
		if n > 100<<20 {
			t.Errorf("%s: %d MB were taken", name, n>>20)
		}
	}
	raw, err := message.ReadRaw(t.Context(), strings.NewReader(head+strings.Repeat("\r", 900)+"y\n"+strings.Repeat("\r", 60_000)+"\n"), message.RawOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Close()
}

func TestAnAddressIsBounded(t *testing.T) {
	long := strings.Repeat("x ", limits.Address/2)
	for _, list := range []string{long + "<a@b.example>", `"` + long + `" <a@b.example>`, "a@b.example, " + long + "<a@b.example>", long + ": a@b.example;"} {
		_, err := message.ParseAddressList("To", list)
		var field *message.FieldError
		if !errors.As(err, &field) || !strings.HasSuffix(field.Reason, " octets, at most 65536") || len(err.Error()) > 1000 {
			t.Errorf("%.100v", err)
		}
	}
	if _, err := message.ParseAddressList("To", strings.Repeat("x ", 1000)+"<a@b.example>"); err != nil {
		t.Error(err)
	}
}

// TestLinesOfABodyTakeNoMemory where long ones are re-encoded: each became a text.
func TestLinesOfABodyTakeNoMemory(t *testing.T) {
	text := "From: a@contoso.example\n\n" + strings.Repeat("a line of some words\n", 500_000) + strings.Repeat("x", 1200)
	n := taken(func() {
		raw, err := message.ReadRaw(t.Context(), strings.NewReader(text), message.RawOptions{Reencode: message.ReencodeLong, TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Close()
	})
	if n > 8<<20 {
		t.Errorf("%d MB were taken", n>>20)
	}
}
