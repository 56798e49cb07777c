package message_test

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/message"
)

// scripts are texts that have each broken some mail program.
var scripts = map[string]string{
	"ascii":      "Quarterly report",
	"german":     "Größe und Übermaß",
	"polish":     "Zażółć gęślą jaźń",
	"cyrillic":   "Отчёт за ноябрь, часть вторая, с приложениями",
	"greek":      "Αναφορά του μήνα",
	"hebrew":     "דוח רבעוני (טיוטה)",
	"arabic":     "تقرير ربع سنوي",
	"japanese":   "四半期報告書、第二部:添付ファイルあり",
	"korean":     "분기 보고서",
	"thai":       "รายงานประจำไตรมาส",
	"devanagari": "त्रैमासिक रिपोर्ट",
	"emoji":      "👩‍👩‍👧 done ✅ 🇩🇪",
	"mixed rtl":  "abc שלום 123 مرحبا xyz",
	"combining":  "e\u0301 a\u0308 n\u0303",
	"specials":   `a "quoted" \ back; semi, comma: colon <angle> (paren) @ = ? _`,
	"lookalike":  "=?utf-8?q?not encoded?= and =41=42",
	"long":       strings.Repeat("Überlänge ", 40) + "Ende",
	"long word":  strings.Repeat("字", 200),
}

// fileName makes a legal file name of a text.
func fileName(s string) string {
	s = strings.NewReplacer("/", "-", "\\", "-", ":", "-", "=?", "").Replace(s)
	for len(s) > 200 {
		s = string([]rune(s)[:len([]rune(s))/2])
	}
	return s + ".pdf"
}

// oneWord cuts a display name to what one encoded word holds, because Python
// before 3.13 misreads two.
func oneWord(s string) string {
	for len(s) > 45 {
		s = string([]rune(s)[:len([]rune(s))-1])
	}
	return strings.TrimSpace(s)
}

func named(name, addr string) address.Address {
	a := address.MustParse(addr)
	a.Name = name
	return a
}

func scriptDraft(t testing.TB, text string) message.Draft {
	d := draft(t)
	d.Subject = text
	name := oneWord(text)
	d.From.Name, d.To[0].Name = name, name
	d.Cc = []address.Address{named(name, "c@contoso.example"), address.MustParse("d@contoso.example")}
	d.ReplyTo = []address.Address{named(name, "r@contoso.example")}
	d.Text = text + "\r\n\r\n.\r\nFrom here\r\n" + strings.Repeat(text+" ", 20) + "\r\ntrailing blank \r\n"
	d.HTML = "<p>" + text + "</p>\r\n"
	d.Attachments = []message.Attachment{
		{Path: file(t, "a.bin", text+"\n\r\x00\xff"), Name: fileName(text)},
		{Path: file(t, "b.txt", ""), Name: "empty.txt"},
	}
	d.Headers = []message.Header{{"X-Note", text}, {"X-Note", "second"}}
	return d
}

func TestThreeParsersAgreeInEveryScript(t *testing.T) {
	var drafts []message.Draft
	var raws []string
	for _, script := range slices.Sorted(maps.Keys(scripts)) {
		d := scriptDraft(t, scripts[script])
		drafts, raws = append(drafts, d), append(raws, mailtest.Octets(t, compose(t, d).Mail))
	}
	for parser, parse := range parsers {
		t.Run(parser, func(t *testing.T) {
			for i, got := range parse(t, raws) {
				checkParsed(t, parser, drafts[i], got)
			}
		})
	}
}

func checkParsed(t *testing.T, parser string, d message.Draft, got mailtest.Parsed) {
	t.Helper()
	if got.Subject != d.Subject {
		t.Errorf("subject %q, want %q", got.Subject, d.Subject)
	}
	if got.Text != d.Text || got.HTML != d.HTML {
		t.Errorf("text %q and HTML %q, want %q and %q", got.Text, got.HTML, d.Text, d.HTML)
	}
	want := map[string][][2]string{}
	for field, list := range map[string][]address.Address{"From": {d.From}, "To": d.To, "Cc": d.Cc, "Reply-To": d.ReplyTo} {
		for _, a := range list {
			want[field] = append(want[field], [2]string{a.Name, a.Addr()})
		}
	}
	if !reflect.DeepEqual(got.Addresses, want) {
		t.Errorf("addresses %q, want %q", got.Addresses, want)
	}
	if len(got.Files) != len(d.Attachments) {
		t.Fatalf("%d files, want %d", len(got.Files), len(d.Attachments))
	}
	for i, f := range got.Files {
		if f.Name != d.Attachments[i].Name || f.Disposition != "attachment" {
			t.Errorf("file %d is %q %q, want %q", i, f.Disposition, f.Name, d.Attachments[i].Name)
		}
	}
	if want := mailtest.Sum([]byte(d.HTML[3:len(d.HTML)-6] + "\n\r\x00\xff")); got.Files[0].SHA256 != want {
		t.Errorf("content of %q is not intact", got.Files[0].Name)
	}
	if got.Files[0].Type != "application/pdf" || got.Files[1].Type != "text/plain" || got.Files[1].SHA256 != mailtest.Sum(nil) {
		t.Errorf("files %+v", got.Files)
	}
	if parser == "go" && got.Files[0].TypeName != d.Attachments[0].Name {
		t.Errorf("name in Content-Type %q, want %q", got.Files[0].TypeName, d.Attachments[0].Name)
	}
	if parser == "python" && !reflect.DeepEqual(got.Headers["X-Note"], []string{d.Subject, "second"}) {
		t.Errorf("X-Note %q, want %q and second", got.Headers["X-Note"], d.Subject)
	}
}

func TestLongNamesAndManyRecipientsAreFolded(t *testing.T) {
	d := draft(t)
	d.From.Name = strings.Repeat("Ärzte und Ämter ", 12) + "e. V."
	d.Subject = "https://contoso.example/" + strings.Repeat("x", 900)
	for _, name := range []string{strings.Repeat("x", 1200), strings.Repeat("plain (words) ", 80) + "end"} {
		d.Cc = append(d.Cc, named(name, "c@contoso.example"))
	}
	for range 500 {
		d.To = append(d.To, named("Somebody, Else", "somebody@contoso.example"))
	}
	raw := mailtest.Octets(t, compose(t, d).Mail)
	for _, parser := range []string{"go", "go-message"} {
		got := parsers[parser](t, []string{raw})[0]
		if got.Subject != d.Subject || got.Addresses["From"][0][0] != d.From.Name || len(got.Addresses["To"]) != 501 ||
			got.Addresses["Cc"][0][0] != d.Cc[0].Name || got.Addresses["Cc"][1][0] != d.Cc[1].Name {
			t.Errorf("%s read %q, %q", parser, got.Subject, got.Addresses)
		}
	}
	header, _, _ := strings.Cut(raw, "\r\n\r\n")
	for line := range strings.SplitSeq(header, "\r\n") {
		if len(line) > 78 || strings.TrimSpace(line) == "" {
			t.Errorf("line of %d octets in the header: %q", len(line), line)
		}
	}
}

// TestEveryPartHasItsPlace has the whole structure, the boundaries as B0, B1 and B2.
func TestEveryPartHasItsPlace(t *testing.T) {
	d := draft(t)
	d.MessageID = strings.Repeat("x", 60) + "@contoso.example"
	d.HTML = "<p>Größe"
	d.Inline = []message.Inline{{CID: "logo@contoso.example", Path: file(t, "logo.png", "png")}}
	d.Attachments = []message.Attachment{{Path: file(t, "a.csv", "x")}, {Path: file(t, "b.txt", ""), Name: "Größe.txt"}}
	raw := mailtest.Octets(t, compose(t, d).Mail)
	seen := map[string]bool{}
	for i, m := range regexp.MustCompile(`boundary=(\S+)`).FindAllStringSubmatch(raw, -1) {
		if seen[m[1]] || len(m[1]) < 26 {
			t.Errorf("boundary %s can be guessed", m[1])
		}
		seen[m[1]] = true
		raw = strings.ReplaceAll(raw, m[1], fmt.Sprintf("B%d", i))
	}
	want := `From: Build <build@contoso.example>
To: a@contoso.example
Subject: hi
Date: Sat, 21 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Message-ID:
 <xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@contoso.example>
Content-Type: multipart/mixed;
 boundary=B0

--B0
Content-Type: multipart/related;
 type="multipart/alternative";
 boundary=B1

--B1
Content-Type: multipart/alternative;
 boundary=B2

--B2
Content-Transfer-Encoding: 7bit
Content-Type: text/plain; charset=UTF-8

hi

--B2
Content-Transfer-Encoding: quoted-printable
Content-Type: text/html; charset=UTF-8

<p>Gr=C3=B6=C3=9Fe
--B2--

--B1
Content-Disposition: inline;
 filename="logo.png"
Content-Id: <logo@contoso.example>
Content-Transfer-Encoding: base64
Content-Type: image/png;
 name="logo.png"

cG5n

--B1--

--B0
Content-Disposition: attachment;
 filename="a.csv"
Content-Transfer-Encoding: base64
Content-Type: text/csv; charset=utf-8;
 name="a.csv"

eA==

--B0
Content-Disposition: attachment;
 filename*=utf-8''Gr%C3%B6%C3%9Fe.txt
Content-Transfer-Encoding: base64
Content-Type: text/plain; charset=utf-8;
 name="=?utf-8?b?R3LDtsOfZS50eHQ=?="


--B0--
`
	if got := strings.ReplaceAll(raw, "\r\n", "\n"); got != want {
		t.Errorf("content:\n%s\nwant:\n%s", got, want)
	}
}
