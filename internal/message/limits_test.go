package message_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
)

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
		"out/1.pdf":                      "file does not exist; a file of the name \"out/1.pdf\" is in the current directory",
		"sub":                            "is not a regular file but a directory",
		"":                               "is not a regular file but a directory",
		"1.pdf/x":                        "not a directory",
	} {
		err := attaching(t, message.Attachment{Path: path, Dir: out})
		var field *badinput.FieldError
		var file *badinput.FileError
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
	var field *badinput.FieldError
	if !errors.As(err, &field) || err.Error() != "HTML: has 7340033 octets, at most 7340032; what is longer can be attached" {
		t.Error(err)
	}
}

func TestMarkdownOverALimitIsAFieldError(t *testing.T) {
	d := draft(t)
	d.Markdown = strings.Repeat("a|", 1000) + "\n" + strings.Repeat("-|", 1000) + "\n" + strings.Repeat("|\n", 1000)
	_, err := message.Compose(t.Context(), d)
	var field *badinput.FieldError
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
