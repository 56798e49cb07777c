package readymessage_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

func readRaw(t testing.TB, s string, o readymessage.Options) *readymessage.Message {
	t.Helper()
	raw, err := readymessage.Read(t.Context(), strings.NewReader(s), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

var (
	from    = contoso("f")
	someone = []address.Address{contoso("t")}
	atNoon  = readymessage.Changes{From: address.MustParse("Cron <cron@contoso.example>"), Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
)

func contoso(local string) address.Address {
	return address.MustParse(local + "@contoso.example")
}

func rawMail(t testing.TB, raw *readymessage.Message, c readymessage.Changes) *mailobject.Mail {
	t.Helper()
	m, err := raw.Mail(from, someone, mailobject.DSN{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const complete = "From: a@b.example\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@b.example>\r\n"

func TestRawChangesNothingButWhatIsListed(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"complete":                   {complete + "X: \ty  \r\n\r\nbody\r\n..\r\n", complete + "X: \ty  \r\n\r\nbody\r\n..\r\n"},
		"bare LF":                    {"From: a@b.example\nDate: x\nMessage-ID: <1>\n\nbody\n\nend", "From: a@b.example\r\nDate: x\r\nMessage-ID: <1>\r\n\r\nbody\r\n\r\nend\r\n"},
		"bare CR is a blank":         {complete + "\r\na\rb\nc\n\re\r", complete + "\r\na b\r\nc\r\n e\r\n"},
		"bare CR in a field":         {"Subject: hi\rBcc: evil@b.example\r\rX: 1\n" + complete + "\r\nx", "Subject: hi Bcc: evil@b.example  X: 1\r\n" + complete + "\r\nx\r\n"},
		"bare CR before a field":     {complete + "\rBcc: evil@b.example\n\nx", strings.TrimSuffix(complete, "\r\n") + "\r\n Bcc: evil@b.example\r\n\r\nx\r\n"},
		"CR CR LF is a line end":     {strings.ReplaceAll(complete+"\r\na\r\n\r\nb\r\n", "\r\n", "\r\r\n"), complete + "\r\na\r\n\r\nb\r\n"},
		"CR alone, of an old Mac":    {strings.ReplaceAll(complete+"\r\na\r\n\r\nb", "\r\n", "\r"), complete + "\r\na\r\n\r\nb\r\n"},
		"CR alone in a long message": {strings.ReplaceAll(complete, "\r\n", "\r") + "\r" + strings.Repeat("line\r", 300_000), complete + "\r\n" + strings.Repeat("line\r\n", 300_000)},
		"Bcc":                        {complete + "BCC : x@y.example,\r\n z@y.example\r\nTo: q@y.example\r\nbcc:\r\n\r\nBcc: in the body\r\n", complete + "To: q@y.example\r\n\r\nBcc: in the body\r\n"},
		"Bcc first":                  {"Bcc: x@y.example\r\n\t,z@y.example\r\n" + complete + "\r\n", complete + "\r\n"},
		"Bcc last":                   {complete + "Bcc: x@y.example\r\n (folded)", complete},
		"Resent-Bcc":                 {"Resent-Bcc: x@y.example\r\n" + complete + "\r\n", complete + "\r\n"},
		"mbox line":                  {"From root Sat Nov 21 10:00:00 2026\n" + complete + "\r\nx", complete + "\r\nx\r\n"},
		"mbox lines":                 {"From a Mon Nov 30\n>From b Mon\n>>From c\nFrom : d@b.example\nFrom \n" + complete + "\r\nFrom here\n>From there", complete + "\r\nFrom here\r\n>From there\r\n"},
		"mbox line in the header":    {complete + "From a Mon Nov 30\nX: y\n", complete + "\r\nFrom a Mon Nov 30\r\nX: y\r\n"},
		"mbox lines, no header":      {"From a\n>From b\n\nhello\n", "From: Cron <cron@contoso.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: ID\r\n\r\nhello\r\n"},
		"all missing": {"Subject: x\n\ny\n", "From: Cron <cron@contoso.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n" +
			"Message-ID: ID\r\nSubject: x\r\n\r\ny\r\n"},
		"no header at all": {"hello world\nsecond: line\n", "From: Cron <cron@contoso.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n" +
			"Message-ID: ID\r\n\r\nhello world\r\nsecond: line\r\n"},
		"body without empty line": {complete + "not a field\r\n", complete + "\r\nnot a field\r\n"},
		"empty":                   {"", "From: Cron <cron@contoso.example>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: ID\r\n"},
		"byte order mark":         {"\ufeff" + complete + "\nbody", complete + "\r\nbody\r\n"},
	} {
		m := rawMail(t, readRaw(t, tt.in, readymessage.Options{}), atNoon)
		got := strings.ReplaceAll(mailtest.Octets(t, m), "Message-ID: "+m.MessageID, "Message-ID: ID")
		if want := strings.ReplaceAll(tt.want, "Message-ID: "+m.MessageID, "Message-ID: ID"); got != want {
			t.Errorf("%s:\n%q\nwant:\n%q", name, got, want)
		}
		if m.Content.EightBit() {
			t.Errorf("%s: EightBit", name)
		}
	}
}

func TestRawKeepsBccAndForcesFromWhenAsked(t *testing.T) {
	c := atNoon
	c.KeepBcc, c.ForceFrom = true, true
	c.Prepend = []readymessage.Field{{"Received", "by relay (smtpsend)"}}
	in := "Date: x\r\nfrom: a@b.example,\r\n c@d.example\r\nMessage-ID:\r\n <1@b.example>\r\nBcc: z@b.example\r\n\r\n"
	m := rawMail(t, readRaw(t, in, readymessage.Options{}), c)
	want := "Received: by relay (smtpsend)\r\nFrom: Cron <cron@contoso.example>\r\nDate: x\r\nMessage-ID:\r\n <1@b.example>\r\nBcc: z@b.example\r\n\r\n"
	if got := mailtest.Octets(t, m); got != want || m.MessageID != "<1@b.example>" {
		t.Errorf("%q, Message-ID %q, want %q", got, m.MessageID, want)
	}
}

func TestMessageIDIsOfTheFromThatGoesOut(t *testing.T) {
	in := "From: root@web1\r\nDate: x\r\n\r\n"
	for force, want := range map[bool]string{true: "@contoso.example>", false: "@web1>"} {
		c := atNoon
		c.ForceFrom = force
		if m := rawMail(t, readRaw(t, in, readymessage.Options{}), c); !strings.HasSuffix(m.MessageID, want) {
			t.Errorf("forced %v: Message-ID %q, want one that ends in %q", force, m.MessageID, want)
		}
	}
}

func TestRawRecipients(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"three fields":   {"To: a@x.example, B <b@x.example>\nCc: c@x.example\nTo: d@x.example\nbcc: e@x.example,\n\tf@x.example\n\nTo: no@x.example", "a@x.example b@x.example c@x.example d@x.example e@x.example f@x.example"},
		"groups":         {"To: undisclosed-recipients:;\nCc: Team: a@x.example, c@x.example;\n\n", "a@x.example c@x.example"},
		"semicolons":     {"To: a@x.example; B <b@x.example>;\nCc: Team: c@x.example; ;d@x.example\n\n", "a@x.example b@x.example c@x.example d@x.example"},
		"sloppy names":   {"To: b@home.example <a@x.example>,[Ops] Team <b@x.example>, =?utf-8?q?=40?= @ <c@x.example>\n\n", "a@x.example b@x.example c@x.example"},
		"local names":    {"To: root, \"Ann\" <ann>\n\n", "root ann"},
		"IDN":            {"To: a@bücher.example\n\n", "a@xn--bcher-kva.example"},
		"Latin-1 name":   {"To: \xe4 <a@x.example>\n\n", "a@x.example"},
		"comma in word":  {"To: =?utf-8?Q?M=C3=BCller,_J=C3=B6rg?= <a@x.example>\n\n", "a@x.example"},
		"resent":         {"Received: x\nResent-To: r@x.example\nResent-Bcc: s@x.example\nReceived: y\nResent-To: old@x.example\nTo: a@x.example\n\n", "r@x.example s@x.example old@x.example"},
		"resent twice":   {"Resent-To: new@x.example\nResent-From: n@x.example\nReceived: y\nResent-To: old@x.example\nTo: a@x.example\n\n", "new@x.example old@x.example"},
		"block cut":      {"Resent-From: n@x.example\nReceived: y\nResent-To: r@x.example\nReceived: z\nResent-Cc: c@x.example\nTo: a@x.example\n\n", "r@x.example c@x.example"},
		"date alone":     {"Resent-Date: x\nDate: y\nTo: a@x.example\nResent-To: r@x.example\nResent-From: n@x.example\n\n", "r@x.example"},
		"resent to none": {"Resent-Date: x\nResent-From: n@x.example\nResent-Sender: s@x.example\nTo: a@x.example\n\n", "a@x.example"},
		"resent empty":   {"Resent-To:\nTo: a@x.example\nBcc: b@x.example\n\n", ""},
		"none":           {"Subject: x\n\nTo: a@x.example", ""},
	} {
		list, err := readRaw(t, tt.in, readymessage.Options{}).Recipients()
		var got []string
		for _, a := range list {
			got = append(got, a.Addr())
		}
		if s := strings.Join(got, " "); err != nil || s != tt.want {
			t.Errorf("%s: %s, %v, want %s", name, s, err, tt.want)
		}
	}
	for in, want := range map[string]string{
		"To: a@x.example, b@@\n\n":                 `To "b@@": no domain after the @`,
		"To: a@x.example B <b@x.example>\n\n":      `To "a@x.example B <b@x.example>": an address in front of a name; addresses are separated by commas`,
		"Cc: a@x.example  \"B\" <b@x.example>\n\n": `Cc "a@x.example  \"B\" <b@x.example>": text after the address; addresses are separated by commas`,
	} {
		if _, err := readRaw(t, in, readymessage.Options{}).Recipients(); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	if from, err := readRaw(t, "From: a@x.example via List <l@x.example>\n\n", readymessage.Options{}).From(); err != nil || len(from) != 1 || from[0].Addr() != "l@x.example" {
		t.Errorf("From with an address in its name: %v, %v", from, err)
	}
	for _, block := range []string{"Resent-From: r@x.example\n", "Resent-Date: x\nReceived: y\nResent-To: t@x.example\nResent-From: r@x.example\n", "Resent-From:\nReceived: y\nResent-From: r@x.example\nResent-From: s@x.example\n"} {
		from, err := readRaw(t, block+"From: a@x.example\n\n", readymessage.Options{}).From()
		if err != nil || len(from) != 1 || from[0].Addr() != "r@x.example" {
			t.Errorf("From of a message resent by %q: %v, %v", block, from, err)
		}
	}
}

func TestRawRefusesWithThePlace(t *testing.T) {
	for in, want := range map[string]string{
		"a: b\r\n\r\nx\ny\x00z":                                                             `message: NUL at octet 2 of line 4`,
		"a: b\n\nx\n" + strings.Repeat("y", 999) + "\n":                                     `message: line 4 has 999 octets, at most 998 (RFC 5322 2.1.1)`,
		strings.Repeat("x", 1000) + ": y":                                                   `message: line 1 has 1003 octets, at most 998 (RFC 5322 2.1.1)`,
		strings.Repeat("a: b\r\n", 1<<20/6+1) + "\r\nxx":                                    `message: the header section has more than 1048576 octets`,
		strings.Repeat("abc: d\r\n", 1<<20/8-1) + "a: b\r\n" + "Bcc: x@b.example\r\n\r\nxx": `message: the header section has more than 1048576 octets`,
		strings.Repeat("From \r\n", 1<<20/7+1) + "\r\nxx":                                   `message: the header section has more than 1048576 octets`,
	} {
		_, err := readymessage.Read(t.Context(), strings.NewReader(in), readymessage.Options{Reencode: readymessage.ReencodeNever})
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", in, err, want)
		}
		if mayReencode := !strings.Contains(want, "header section"); errors.Is(err, readymessage.ErrReencodeNever) != mayReencode {
			t.Errorf("%.20q: %v is ErrReencodeNever: %v", in, err, !mayReencode)
		}
	}
	if _, err := readymessage.Read(t.Context(), strings.NewReader("a: b\n\n"+strings.Repeat("x\n", 100)), readymessage.Options{MaxSize: 100}); err == nil || err.Error() != "message: more than 100 octets" {
		t.Errorf("too large: %v", err)
	}
	if _, err := readymessage.Open(t.Context(), filepath.Join(t.TempDir(), "no.eml"), readymessage.Options{}); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, new(*badinput.FileError)) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := readymessage.Open(t.Context(), t.TempDir(), readymessage.Options{}); !errors.As(err, new(*badinput.FileError)) {
		t.Errorf("directory: %v", err)
	}
	broken := errors.New("cable cut")
	if _, err := readymessage.Read(t.Context(), io.MultiReader(strings.NewReader("a: b"), errReader{broken}), readymessage.Options{}); !errors.Is(err, broken) {
		t.Errorf("reader's error: %v", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestMailRefusesTheEnvelope(t *testing.T) {
	names, err := address.ParseLenient("To", "root")
	if err != nil {
		t.Fatal(err)
	}
	local := names[0]
	for want, tt := range map[string]struct {
		from address.Address
		to   []address.Address
		c    readymessage.Changes
	}{
		`recipients: none; at least one is needed`:                     {from, nil, atNoon},
		`recipient "root": no @ and domain`:                            {address.Address{}, []address.Address{contoso("a"), local}, atNoon},
		`reverse-path "root": no @ and domain`:                         {local, someone, atNoon},
		`From: missing in the message, and none was given`:             {from, someone, readymessage.Changes{}},
		`header R "a\nb": a line feed at octet 3: a field is one line`: {from, someone, readymessage.Changes{From: atNoon.From, Prepend: []readymessage.Field{{"R", "a\nb"}}}},
	} {
		if _, err := readRaw(t, "x: y\n\n", readymessage.Options{}).Mail(tt.from, tt.to, mailobject.DSN{}, tt.c); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestLargeRawGoesThroughANamelessFile(t *testing.T) {
	dir := t.TempDir()
	in := complete + "Bcc: x@y.example\r\n\r\n" + strings.Repeat("0123456789 \xe4\r\n", 300_000)
	raw := readRaw(t, in, readymessage.Options{TempDir: dir, Reencode: readymessage.ReencodeNever})
	if names, err := os.ReadDir(dir); err != nil || (len(names) > 0 && os.PathSeparator == '/') {
		t.Errorf("directory holds %v, %v", names, err)
	}
	m := rawMail(t, raw, atNoon)
	for range 2 {
		if got := mailtest.Octets(t, m); got != strings.Replace(in, "Bcc: x@y.example\r\n", "", 1) {
			t.Errorf("content of %d octets differs", len(got))
		}
	}
	if !m.Content.EightBit() {
		t.Error("nothing says that an octet above 127 is left")
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("directory holds %v after Close", names)
	}
	if _, err := readymessage.Read(t.Context(), strings.NewReader(in), readymessage.Options{TempDir: filepath.Join(dir, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory for the copy: %v", err)
	}
}

// A script's list of recipients in one line.
func TestLongHeaderFieldsAreFolded(t *testing.T) {
	list := strings.Repeat("somebody@contoso.example, ", 200) + "last@contoso.example"
	in := "From bob " + strings.Repeat("x", 1200) + "\n" + complete + "To: " + list + "\nBcc: " + list + "\nX: y\n\t" + list + "\nSubject: z\n\nbody\n"
	m := rawMail(t, readRaw(t, in, readymessage.Options{Reencode: readymessage.ReencodeLong}), atNoon)
	got := mailtest.Octets(t, m)
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > 998 || (line != "" && strings.TrimSpace(line) == "") {
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
	}
	want := complete + "To: " + list + "\r\nX: y\r\n\t" + list + "\r\nSubject: z\r\n\r\nbody\r\n"
	unfold := strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t").Replace
	if unfold(got) != unfold(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if m.Content.Size() != int64(len(got)) {
		t.Errorf("size %d, and %d octets", m.Content.Size(), len(got))
	}
}

func TestLongLinesAreReencodedInTextPartsOnly(t *testing.T) {
	long := strings.Repeat("wört = ", 400) + "end"
	for name, tt := range map[string]struct{ in, want, refused string }{
		"plain":         {in: complete + "Bcc: x@y.example\r\n\r\nfirst\r\n" + long + "\r\nlast \r\n", want: "first\r\n" + long + "\r\nlast \r\n"},
		"no empty line": {in: complete + long + "\r\n", want: long + "\r\n"},
		"no header":     {in: long + "\n\nBcc: x", want: long + "\r\n\r\nBcc: x\r\n"},
		"declared, Bcc behind": {in: complete + "Content-Type: text/plain;\r\n charset=utf-8\r\nContent-Transfer-Encoding:\r\n 8bit\r\nBcc: q@y.example\r\nX: y\r\n\r\n" + long,
			want: long + "\r\n"},
		"multipart": {in: complete + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\npreamble\r\n--outer\r\n" +
			"Content-Type: multipart/alternative; boundary=\"in ner\"\r\n\r\n--in ner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nshort\r\n--in ner\r\n" +
			"Content-Transfer-Encoding: 8bit\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + long + "\r\n--in ner--\r\nepilogue\r\n" +
			"--outer\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nQUJD\r\n--outer--\r\n", want: long},
		"signed":        {in: complete + "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" + long, refused: "it is signed or encrypted"},
		"S/MIME":        {in: complete + "Content-Type: application/pkcs7-mime\r\n\r\n" + long, refused: "it is signed or encrypted"},
		"DKIM":          {in: complete + "DKIM-Signature: x\r\n\r\n" + long, refused: "it is signed or encrypted"},
		"no boundary":   {in: complete + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + long, refused: "the boundary of its multipart does not occur"},
		"blanks within": {in: complete + "Message-ID: <x" + strings.Repeat("y", 1200) + ">\r\n\r\n", refused: "a header field has no blank to fold it at"},
		"DKIM, header":  {in: complete + "DKIM-Signature: x\r\nX: " + long + "\r\n\r\n", refused: "it is signed or encrypted"},
		"uuencode":      {in: complete + "Content-Transfer-Encoding: x-uuencode\r\n\r\n" + long, refused: "it is in a part that is encoded as x-uuencode"},
	} {
		raw, err := readymessage.Read(t.Context(), strings.NewReader(tt.in), readymessage.Options{Reencode: readymessage.ReencodeLong})
		if tt.refused != "" {
			if err == nil || !strings.HasSuffix(err.Error(), "(RFC 5322 2.1.1); it cannot be re-encoded: "+tt.refused) {
				t.Errorf("%s: %v, want %s", name, err, tt.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := rawMail(t, raw, atNoon)
		got := mailtest.Octets(t, m)
		p := mailtest.Parse(t, got)
		if p.Text != tt.want && p.HTML != tt.want {
			t.Errorf("%s: text %q, HTML %q, want %q", name, p.Text, p.HTML, tt.want)
		}
		if p.Headers["Mime-Version"] == nil || strings.Contains(got, "@y.example") || strings.Count(got, "quoted-printable") != 1 {
			t.Errorf("%s:\n%.900s", name, got)
		}
		_ = m.Close()
	}
}

func FuzzRaw(f *testing.F) {
	for _, s := range []string{complete + "\r\nx", "From x\nBcc: a\n b\n\n\x00", "a:\n \n:\n", "Resent-To: a@b\nResent-Bcc: c\n\nBcc: x", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("x", 1200) + "\n--b--\n", "\n\n", "\r\r\n",
		"To: " + strings.Repeat("a@b ,", 400) + "\nBcc: " + strings.Repeat(" c", 900) + "\nContent-Transfer-Encoding: 8bit" + strings.Repeat(" x", 900) + "\n\n" + strings.Repeat("y", 1200)} {
		for how := range uint8(3) {
			f.Add(s, how)
		}
	}
	f.Fuzz(func(t *testing.T, s string, how uint8) {
		o := readymessage.Options{Reencode: []readymessage.Reencode{readymessage.ReencodeNever, readymessage.ReencodeLong, readymessage.ReencodeAlways}[how%3]}
		raw, err := readymessage.Read(t.Context(), strings.NewReader(s), o)
		if err != nil {
			return
		}
		defer raw.Close()
		checkRaw(t, raw, o)
	})
}

// checkRaw asserts what holds for every ready message that is taken.
func checkRaw(t testing.TB, raw *readymessage.Message, o readymessage.Options) {
	m, err := raw.Mail(from, someone, mailobject.DSN{}, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	content := mailtest.Octets(t, m)
	again := readRaw(t, content, o)
	for _, name := range []string{"Bcc", "Resent-Bcc"} {
		if value, ok := again.Field(name); ok {
			t.Errorf("%s: %s in the content", name, value)
		}
	}
	for _, name := range []string{"From", "Date", "Message-ID"} {
		if _, ok := again.Field(name); !ok {
			t.Errorf("no %s in the content", name)
		}
	}
	if got := mailtest.Octets(t, rawMail(t, again, atNoon)); got != content {
		t.Errorf("taken again it changed:\n%q\n%q", content, got)
	}
	if list, err := again.Recipients(); err == nil {
		for _, a := range list {
			if strings.ContainsAny(a.Addr(), "\r\n\x00<> ") {
				t.Errorf("recipient %q", a.Addr())
			}
		}
	}
	_ = fmt.Sprint(again.From())
}
