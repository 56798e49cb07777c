package message_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/smtpsend/smtpsend/internal/message"
)

func TestPreviewShowsTheMailAndRunsNothing(t *testing.T) {
	dir := tree(t, map[string]string{"p.png": picture, "<b>.pdf": "x"})
	d := draft(t)
	d.Subject, d.From.Name, d.Text = `</title><script>x()</script>`, `<img onerror="x()">`, ""
	d.Bcc = addrs(t, "secret@contoso.example")
	d.HTML = `<p onclick='y()'>body "quoted" <img src="p.png"></p>`
	d.EmbedDir = dir
	d.Attachments = []message.Attachment{{Path: filepath.Join(dir, "<b>.pdf")}}
	m := compose(t, d)
	var b strings.Builder
	if err := message.Preview(&b, d, m); err != nil {
		t.Fatal(err)
	}
	page := parsePage(t, b.String())
	if page.tags["script"] > 0 || page.tags["img"] > 0 || page.tags["iframe"] != 1 || page.tags["b"] > 0 {
		t.Errorf("elements %v", page.tags)
	}
	if page.frame["sandbox"] != "" || !strings.Contains(page.frame["srcdoc"], `<p onclick='y()'>body "quoted" <img src="data:image/png;base64,iVBORw0KGgo`) {
		t.Errorf("frame %q", page.frame)
	}
	for _, want := range []string{`<img onerror="x()"> <build@contoso.example>`, "secret@contoso.example", "hidden from all recipients", `body "quoted"`, "<b>.pdf (application/pdf, 1 KiB)", "</title><script>x()</script>"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("page lacks %q:\n%s", want, page.text)
		}
	}
	if !strings.Contains(b.String(), `content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`) {
		t.Error("no policy")
	}
}

type page struct {
	tags  map[string]int
	frame map[string]string
	text  string
}

// parsePage reads a page as a browser would.
func parsePage(t *testing.T, s string) page {
	root, err := html.Parse(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	p := page{map[string]int{}, map[string]string{}, ""}
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			p.tags[n.Data]++
			for _, a := range n.Attr {
				if n.Data == "iframe" {
					p.frame[a.Key] = a.Val
				}
			}
		case html.TextNode:
			p.text += n.Data
		}
	}
	return p
}

func TestSizeReportNamesTheLargestFile(t *testing.T) {
	dir := t.TempDir()
	sized := func(name string, n int64) message.Attachment {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, n); err != nil { // sparse: takes no space
			t.Fatal(err)
		}
		return message.Attachment{Path: path}
	}
	for want, tt := range map[string]struct {
		files      []message.Attachment
		near, over bool
	}{
		"1 KiB encoded": {},
		"32.8 MiB encoded, close to the default limit of a mailbox in Exchange Online, 35 MiB; big.zip makes 31.5 MiB of it (23 MiB on disk)": {
			[]message.Attachment{sized("small.pdf", 1<<20), sized("big.zip", 23<<20)}, true, false},
		"41.1 MiB encoded, more than the default limit of a mailbox in Exchange Online, 35 MiB (Set-Mailbox -MaxSendSize allows up to 150 MiB); a.zip makes 41.1 MiB of it (30 MiB on disk)": {
			[]message.Attachment{sized("a.zip", 30<<20)}, true, false},
		"164 MiB encoded, more than the 150 MiB that Exchange Online takes at all; b.zip makes 164 MiB of it (120 MiB on disk)": {
			[]message.Attachment{sized("b.zip", 120<<20)}, true, true},
	} {
		d := draft(t)
		d.Attachments = tt.files
		r := compose(t, d).SizeReport()
		if got := r.String(); got != want || r.NearLimit() != tt.near || r.OverService() != tt.over {
			t.Errorf("%s, near %v, over %v, want %s", got, r.NearLimit(), r.OverService(), want)
		}
	}
}
