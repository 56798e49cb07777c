package message_test

import (
	"errors"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/message"
)

// picture is a PNG of one pixel.
const picture = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"

// tree makes files below a new directory.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMarkdownBecomesHTMLAndText(t *testing.T) {
	d := draft(t)
	d.Text, d.Markdown = "", "# Bericht\n\nEs gab **3** Fehler, siehe [Log](https://contoso.example/log).\n\n| Test | ms |\n|---|--:|\n| a | 12 |\n| b | 3 |\n\n<script>x()</script>\n\n[js](javascript:x())\n"
	raw := mailtest.Octets(t, compose(t, d).Mail)
	for parser, parse := range parsers {
		t.Run(parser, func(t *testing.T) {
			got := parse(t, []string{raw})[0]
			if want := "Bericht\r\n=======\r\n\r\nEs gab 3 Fehler, siehe Log <https://contoso.example/log>.\r\n\r\nTest  ms\r\n----  --\r\na     12\r\nb      3\r\n\r\njs\r\n"; got.Text != want {
				t.Errorf("text %q, want %q", got.Text, want)
			}
			for _, want := range []string{"<h1>Bericht</h1>", "<strong>3</strong>", `<th style="text-align:right">ms</th>`, `<meta charset="utf-8">`} {
				if !strings.Contains(got.HTML, want) {
					t.Errorf("HTML lacks %s:\n%s", want, got.HTML)
				}
			}
			if strings.Contains(got.HTML, "script") {
				t.Errorf("HTML holds a script:\n%s", got.HTML)
			}
		})
	}
}

func TestInlineImagesAreRelatedToTheHTML(t *testing.T) {
	dir := tree(t, map[string]string{"mail.html": "", "img/Größe 1.png": picture, "b.gif": "GIF89a", "given.png": picture})
	d := draft(t)
	d.HTML = `<p><img src="img/Gr%C3%B6%C3%9Fe%201.png" alt='a "b"'><IMG SRC=b.gif><img src="b.gif"/>` +
		`<img src="https://x.example/r.png"><img src="//x.example/r.png"><img src="data:image/png;base64,AA=="><img src="cid:given"><img src="/abs.png"><!-- <img src="none.png"> --></p>`
	d.EmbedDir = dir
	d.Inline = []message.Inline{{CID: "given", Path: filepath.Join(dir, "given.png")}}
	d.Attachments = []message.Attachment{{Path: filepath.Join(dir, "b.gif")}}
	raw := mailtest.Octets(t, compose(t, d).Mail)
	if !strings.Contains(raw, "Content-Type: multipart/related;\r\n type=\"multipart/alternative\";\r\n boundary=") {
		t.Errorf("no root type:\n%s", raw)
	}
	for parser, parse := range parsers {
		t.Run(parser, func(t *testing.T) {
			got := parse(t, []string{raw})[0]
			var files []string
			cids := map[string]string{}
			for _, f := range got.Files {
				files = append(files, f.Disposition+" "+f.Type+" "+f.Name)
				cids[f.Name+f.Disposition] = strings.Trim(f.CID, "<>")
			}
			if want := []string{"inline image/png given.png", "inline image/png Größe 1.png", "inline image/gif b.gif", "attachment image/gif b.gif"}; !reflect.DeepEqual(files, want) {
				t.Errorf("files %q, want %q", files, want)
			}
			if cids["given.pnginline"] != "given" || cids["b.gifattachment"] != "" || !regexp.MustCompile(`^image1\.\w{26}@contoso\.example$`).MatchString(cids["Größe 1.pnginline"]) {
				t.Errorf("content ids %q", cids)
			}
			want := `<p><img src="cid:` + cids["Größe 1.pnginline"] + `" alt="a &#34;b&#34;"><img src="cid:` + cids["b.gifinline"] + `"><img src="cid:` + cids["b.gifinline"] + `"/>` +
				`<img src="https://x.example/r.png"><img src="//x.example/r.png"><img src="data:image/png;base64,AA=="><img src="cid:given"><img src="/abs.png"><!-- <img src="none.png"> --></p>`
			if got.HTML != want {
				t.Errorf("HTML\n%s\nwant\n%s", got.HTML, want)
			}
		})
	}
}

func TestEmbeddingStaysInItsDirectory(t *testing.T) {
	dir := tree(t, map[string]string{"secret.png": picture, "mail/ok.png": picture})
	if err := os.Symlink(filepath.Join(dir, "secret.png"), filepath.Join(dir, "mail", "link.png")); err != nil {
		t.Skip(err)
	}
	for src, want := range map[string]string{
		"../secret.png":      `HTML image "../secret.png": is outside of the directory of the HTML file`,
		"x/../../secret.png": `HTML image "x/../../secret.png": is outside of the directory of the HTML file`,
		"..%2fsecret.png":    `HTML image "..%2fsecret.png": is outside of the directory of the HTML file`,
		"link.png":           `HTML image "link.png": cannot be embedded (path escapes from parent)`,
		"none.png":           `none.png": no such file or directory`,
	} {
		d := draft(t)
		d.HTML, d.EmbedDir = `<img src="`+src+`">`, filepath.Join(dir, "mail")
		_, err := message.Compose(t.Context(), d)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
		if src == "none.png" && (!errors.Is(err, fs.ErrNotExist) || !errors.As(err, new(*badinput.FileError))) {
			t.Errorf("%s: %v is no *FileError", src, err)
		}
	}
}

func TestThreadPriorityAndListFields(t *testing.T) {
	d := draft(t)
	d.MessageID = "<2@contoso.example>"
	d.Priority, d.InReplyTo = message.PriorityHigh, "1@contoso.example"
	d.ListUnsubscribe = []string{"mailto:u@contoso.example?subject=x", "https://contoso.example/u?id=1"}
	got := mailtest.Octets(t, compose(t, d).Mail)
	want := "Subject: hi\r\nX-Priority: 1\r\nImportance: high\r\nIn-Reply-To: <1@contoso.example>\r\nReferences: <1@contoso.example>\r\n" +
		"List-Unsubscribe: <mailto:u@contoso.example?subject=x>,\r\n <https://contoso.example/u?id=1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nDate:"
	if !strings.Contains(got, want) {
		t.Errorf("header:\n%s\nwant:\n%s", got, want)
	}
	d.References = []string{"<0@contoso.example>  1@contoso.example"}
	d.ListUnsubscribe = d.ListUnsubscribe[:1]
	got = mailtest.Octets(t, compose(t, d).Mail)
	if !strings.Contains(got, "\r\nReferences: <0@contoso.example> <1@contoso.example>\r\n") || strings.Contains(got, "One-Click") {
		t.Errorf("header:\n%s", got)
	}
}

func TestComposeRefusesRichFields(t *testing.T) {
	for want, change := range map[string]func(*message.Draft){
		`priority "urgent": is not high, normal or low`:                             func(d *message.Draft) { d.Priority = "urgent" },
		`In-Reply-To "a": must look like <left@right>`:                              func(d *message.Draft) { d.InReplyTo = "a" },
		`References "<a@b>\nBcc: x@y": a line feed at octet 6: a field is one line`: func(d *message.Draft) { d.References = []string{"<a@b>\nBcc: x@y"} },
		`list-unsubscribe "https://x.example/` + strings.Repeat("u", 102) + `...": has 901 octets, at most 900: it is on one line`: func(d *message.Draft) {
			d.ListUnsubscribe = []string{"https://x.example/" + strings.Repeat("u", 883)}
		},
		`header sender "b@x.example": is given twice, but may occur only once (RFC 5322 3.6)`: func(d *message.Draft) {
			d.Headers = []message.Header{{"Sender", "a@x.example"}, {"sender", "b@x.example"}}
		},
		`header Sender "b": no @ and domain`:                                                                          func(d *message.Draft) { d.Headers = []message.Header{{"Sender", "b"}} },
		`header Sender: has no address`:                                                                               func(d *message.Draft) { d.Headers = []message.Header{{"Sender", ""}} },
		`header Errors-To "none:;": has no address`:                                                                   func(d *message.Draft) { d.Headers = []message.Header{{"Errors-To", "none:;"}} },
		`header Sender "a@x, b@x": has more than one address (RFC 5322 3.6.2)`:                                        func(d *message.Draft) { d.Headers = []message.Header{{"Sender", "a@x, b@x"}} },
		`list-unsubscribe "ftp://x": must be https://HOST/... or mailto:USER@DOMAIN`:                                  func(d *message.Draft) { d.ListUnsubscribe = []string{"ftp://x"} },
		`list-unsubscribe "https://x/\nBcc:y": is not a URL; non-ASCII characters and commas must be percent-encoded`: func(d *message.Draft) { d.ListUnsubscribe = []string{"https://x/\nBcc:y"} },
		`Markdown: given together with HTML; one of them is enough`:                                                   func(d *message.Draft) { d.Markdown, d.HTML = "a", "b" },
		`inline image "x": needs an HTML body that shows it`:                                                          func(d *message.Draft) { d.Inline = []message.Inline{{CID: "x", Path: "y"}} },
		`inline image "x>\r\nBcc: a": '>' cannot be used in a content id`:                                             func(d *message.Draft) { d.HTML, d.Inline = "x", []message.Inline{{CID: "x>\r\nBcc: a", Path: "y"}} },
		`inline image "x": this content id is given twice`:                                                            func(d *message.Draft) { d.HTML, d.Inline = "x", []message.Inline{{CID: "x"}, {CID: "x"}} },
		`inline image "y": needs a content id of 1 to 200 characters`:                                                 func(d *message.Draft) { d.HTML, d.Inline = "x", []message.Inline{{Path: "y"}} },
		`header importance "low": is set by the priority already`:                                                     func(d *message.Draft) { d.Priority, d.Headers = "low", []message.Header{{"importance", "low"}} },
		`content type "text/plain\r\nBcc: x": is not a media type such as application/pdf`: func(d *message.Draft) {
			d.Attachments = []message.Attachment{{Path: file(t, "a", "x"), ContentType: "text/plain\r\nBcc: x"}}
		},
		`content type "message/rfc822": cannot be sent in base64 (RFC 2045 6.4); use application/octet-stream`: func(d *message.Draft) {
			d.Attachments = []message.Attachment{{Path: file(t, "a", "x"), ContentType: "message/rfc822"}}
		},
		`attachment name "a\r\nb": a carriage return at octet 2: a field is one line`: func(d *message.Draft) {
			d.Attachments = []message.Attachment{{Path: file(t, "a", "x"), Name: "a\r\nb"}}
		},
	} {
		d := draft(t)
		change(&d)
		_, err := message.Compose(t.Context(), d)
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || err.Error() != want {
			t.Errorf("err = %v, want %s", err, want)
		}
	}
}

func TestContentTypeByNameThenByContent(t *testing.T) {
	for name, tt := range map[string]struct{ content, given, want string }{
		"a.pdf":     {"x", "", "application/pdf"},
		"A.PDF":     {"x", "", "application/pdf"},
		"r.xlsx":    {"PK\x03\x04", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		"u.log":     {"Grüße", "", "text/plain; charset=utf-8"},
		"l.csv":     {"Gr\xfc\xdfe", "", "text/csv"},
		"noname":    {picture, "", "image/png"},
		"page.xyz":  {"<html><body>", "", "text/html; charset=utf-8"},
		"data.xyz":  {"\x00\x01", "", "application/octet-stream"},
		"mail.eml":  {"From: x", "", "application/octet-stream"},
		"given.pdf": {"x", `Text/X-Log; charset="utf-8"; name=evil`, "text/x-log; charset=utf-8"},
		"cut.txt":   {strings.Repeat("a", 4095) + "ß", "", "text/plain; charset=utf-8"},
	} {
		d := draft(t)
		d.Attachments = []message.Attachment{{Path: file(t, name, tt.content), ContentType: tt.given}}
		got := mailtest.Octets(t, compose(t, d).Mail)
		if want := "\r\nContent-Type: " + tt.want + ";\r\n name=\"" + name + "\"\r\n"; !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%.900s", name, want, got)
		}
	}
}

func TestExtraFieldsOfAddressesEncodeTheNameOnly(t *testing.T) {
	m, err := message.Compose(t.Context(), message.Draft{
		From: addr(t, "a@x.example"), To: []address.Address{addr(t, "b@x.example")}, Text: "x",
		Headers: []message.Header{{"Sender", "Grüße <s@x.example>"}, {"Disposition-Notification-To", "\"Ünï, Cödé\" <r@x.example>, q@x.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	read, err := mail.ReadMessage(strings.NewReader(mailtest.Octets(t, m.Mail)))
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"Sender": "Grüße/s@x.example", "Disposition-Notification-To": "Ünï, Cödé/r@x.example /q@x.example"} {
		list, err := read.Header.AddressList(field)
		var got []string
		for _, a := range list {
			got = append(got, a.Name+"/"+a.Address)
		}
		if s := strings.Join(got, " "); err != nil || s != want {
			t.Errorf("%s: %s, %v, want %s", field, s, err, want)
		}
	}
}

// A program has advice for these reasons, and finds them in the error.
func TestReasonsCanBeToldApart(t *testing.T) {
	t.Chdir(tree(t, map[string]string{"here.pdf": "x", "out/a.pdf": "x"}))
	attached := func(path string) func(*message.Draft) {
		return func(d *message.Draft) { d.Attachments = []message.Attachment{{Path: path, Dir: "out"}} }
	}
	for name, tt := range map[string]struct {
		change func(*message.Draft)
		want   error
	}{
		"own field":   {func(d *message.Draft) { d.Headers = []message.Header{{"bcc", "c@d"}} }, message.ErrOwnField},
		"Return-Path": {func(d *message.Draft) { d.Headers = []message.Header{{"Return-Path", "c@d"}} }, message.ErrOwnField},
		"set already": {func(d *message.Draft) {
			d.InReplyTo, d.Headers = "a@b", []message.Header{{"References", "<a@b>"}}
		}, message.ErrSetAlready},
		"outside": {attached("../here.pdf"), message.ErrOutside},
	} {
		d := draft(t)
		tt.change(&d)
		if _, err := message.Compose(t.Context(), d); !errors.Is(err, tt.want) || !errors.As(err, new(*badinput.FieldError)) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	d := draft(t)
	attached("here.pdf")(&d)
	var elsewhere *message.ElsewhereError
	if _, err := message.Compose(t.Context(), d); !errors.As(err, &elsewhere) || elsewhere.Name != "here.pdf" || !errors.As(err, new(*badinput.FileError)) {
		t.Errorf("elsewhere: %v", err)
	}
}
