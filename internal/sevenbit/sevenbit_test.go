package sevenbit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/sevenbit"
)

var (
	all      = sevenbit.Options{EightBit: true}
	longOnly = sevenbit.Options{}
)

// message finds the fields of a message, whose lines end with LF in tests.
func message(s string) (string, sevenbit.Message) {
	s = strings.ReplaceAll(s, "\n", "\r\n")
	m := sevenbit.Message{Octets: strings.NewReader(s), Size: int64(len(s))}
	pos := int64(0)
	for line := range strings.SplitAfterSeq(s, "\n") {
		end := pos + int64(len(line))
		switch name, _, ok := strings.Cut(line, ":"); {
		case line == "\r\n":
			m.Body, m.Blank = end, true
			return s, m
		case line != "" && (line[0] == ' ' || line[0] == '\t') && len(m.Fields) > 0:
			m.Fields[len(m.Fields)-1].To = end
		case ok && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
			m.Fields = append(m.Fields, sevenbit.Field{Name: strings.ToLower(name), From: pos, To: end})
		default:
			m.Body = pos
			return s, m
		}
		pos = end
	}
	m.Body = pos
	return s, m
}

// tester is *testing.T or *rapid.T.
type tester interface {
	rapid.TB
	Context() context.Context
}

// apply makes the message that the plan says.
func apply(t tester, s string, plan sevenbit.Plan) string {
	t.Helper()
	var b bytes.Buffer
	pos := int64(0)
	for _, e := range plan.Edits {
		if e.From < pos || e.To < e.From || e.To > int64(len(s)) {
			t.Fatalf("edit from %d to %d after %d", e.From, e.To, pos)
		}
		b.WriteString(s[pos:e.From])
		if before := b.Len(); e.Put != nil {
			if err := e.Put.Write(&b); err != nil {
				t.Fatal(err)
			}
			if n := int64(b.Len() - before); n != e.Put.Size() {
				t.Fatalf("size %d, but %d octets: %q", e.Put.Size(), n, b.Bytes()[before:])
			}
		}
		pos = e.To
	}
	b.WriteString(s[pos:])
	return b.String()
}

func changed(t tester, in string, o sevenbit.Options) (string, sevenbit.Plan) {
	t.Helper()
	s, m := message(in)
	plan, err := sevenbit.Make(t.Context(), m, o)
	if err != nil {
		t.Fatalf("%v: %q", err, in)
	}
	return strings.ReplaceAll(apply(t, s, plan), "\r\n", "\n"), plan
}

func TestHeaderFieldsAreEncoded(t *testing.T) {
	long := strings.Repeat("x", 950)
	for in, want := range map[string]string{
		"Subject: Störung":                                        "Subject: =?utf-8?q?St=C3=B6rung?=",
		"Subject: a  Störung heute morgen, ok":                    "Subject: a  =?utf-8?q?St=C3=B6rung?= heute morgen, ok",
		"Subject: öä üß":                                          "Subject: =?utf-8?b?w7bDpCDDvMOf?=",
		"Subject: =?utf-8?q?=C3=B6?= ö =?x?q?y?=":                 "Subject: =?utf-8?q?=C3=B6?= =?utf-8?q?_=C3=B6_?= =?x?q?y?=",
		"Subject: Gr\xfc\xdfe":                                    "Subject: =?utf-8?b?R3LDvMOfZQ==?=",
		"SUBJECT: ö":                                              "SUBJECT: =?utf-8?b?w7Y=?=",
		"Subject: one\n two ö\n\tthree":                           "Subject: one two =?utf-8?b?w7Y=?=\tthree",
		"X-Note: a\x00b":                                          "X-Note: =?utf-8?b?YQBi?=",
		"From: Jörg Müller <j@x.example>":                         "From: =?utf-8?b?SsO2cmcgTcO8bGxlcg==?= <j@x.example>",
		`From: "Müller, Jörg" <j@x.example>`:                      "From: =?utf-8?b?TcO8bGxlciwgSsO2cmc=?= <j@x.example>",
		`From: "M\"ü" X <j@x.example>`:                            "From: =?utf-8?b?TSLDvA==?= X <j@x.example>",
		"From: Jörg<j@x.example>":                                 "From: =?utf-8?b?SsO2cmc=?= <j@x.example>",
		"From: j@x.example (Jörg (der \\) Große))":                "From: j@x.example (=?utf-8?b?SsO2cmcgKGRlciApIEdyb8OfZSk=?=)",
		"To: Büro: a@x.example, Ü <b@x.example>; , c@x.example":   "To: =?utf-8?b?QsO8cm8=?=: a@x.example, =?utf-8?b?w5w=?= <b@x.example>; ,\n c@x.example",
		"To: a@bücher.example, <b@BÜCHER.example>":                "To: a@xn--bcher-kva.example, <b@xn--bcher-kva.example>",
		"Cc: J@Ü <j@x.example>":                                   "Cc: =?utf-8?b?SkDDnA==?= <j@x.example>",
		"Content-Type: image/png; name=\"ä b.png\"":               "Content-Type: image/png;\n name*=utf-8''%C3%A4%20b.png",
		"Content-Disposition: attachment; filename=ä.png; size=3": "Content-Disposition: attachment;\n filename*=utf-8''%C3%A4.png;\n size=3",
		"Content-Disposition: attachment; filename=\"ä":           "Content-Disposition: attachment;\n filename*=utf-8''%C3%A4",
		"Content-Disposition: inline; filename=ä.pdf; x=y; FileName*=utf-8''%C3%A4b.pdf": "Content-Disposition: inline;\n filename*=utf-8''%C3%A4b.pdf;\n x=y",
		"Content-Disposition: inline; filename*=utf-8''ä%20b.pdf":                        "Content-Disposition: inline;\n filename*=utf-8''%C3%A4%20b.pdf",
		"Content-Disposition: inline; filename*=iso-8859-15''\xa4%A4.pdf":                "Content-Disposition: inline;\n filename*=utf-8''%E2%82%AC%E2%82%AC.pdf",
		"Content-Disposition: inline; filename*1=ä.pdf; filename*0*=us-ascii'en'a%20":    "Content-Disposition: inline;\n filename*=utf-8''a%20%C3%A4.pdf",
		"Content-Disposition: inline; filename=ä; filename*=utf-8''; filename*=":         "Content-Disposition: inline;\n filename*=utf-8''%C3%A4",
		"Content-Disposition: inline; filename*=utf-8''ä; filename*0*=utf-8''ö; =ü":      "Content-Disposition: inline;\n filename*=utf-8''%C3%A4;\n =?",
		"Content-Disposition: inline; İİİİ*=ä":                                           "Content-Disposition: inline;\n ????*=utf-8''%C3%A4",
		"To: \"j\xf6\" <a@b\xfccher.example> (a;b), a@bücher.example (Büro <Nord>)":      "To: =?utf-8?b?asO2?= <a@xn--bcher-kva.example> (a;b),\n a@xn--bcher-kva.example (=?utf-8?b?QsO8cm8gPE5vcmQ+?=)",
		"Message-ID: <ü@x>":    "Message-ID: =?utf-8?b?PMO8QHg+?=",
		"X-Key: " + long + "z": "X-Key: " + long + "z",
	} {
		got, plan := changed(t, "Subject: y\n"+in+"\n\n", all)
		if got != "Subject: y\n"+want+"\n\n" {
			t.Errorf("%q became\n%q, want\n%q", in, strings.TrimPrefix(got, "Subject: y\n"), want+"\n\n")
		}
		if plan.EightBit || plan.UTF8Header {
			t.Errorf("%q: %v, %v", in, plan.EightBit, plan.UTF8Header)
		}
	}
}

func TestLocalPartsStayInUTF8(t *testing.T) {
	long := "To: jörg@x.example (" + strings.Repeat("ä", 100) + "), <jörg@x.example>\n\n"
	if got, _ := changed(t, long, all); strings.Count(got, "\n ") < 3 {
		t.Errorf("became %q", got)
	} else if again, _ := changed(t, got, all); again != got {
		t.Errorf("became\n%s, then\n%s", got, again)
	}
	for _, in := range []string{"To: jörg@x.example", "To: \"j\xf6 rg\"@x.example", "To: Ä <jörg@bücher.example>", "To: \"jö rg\"@x.example"} {
		got, plan := changed(t, in+"\n\n", all)
		if !plan.UTF8Header || !plan.EightBit || !strings.Contains(got, "rg") || strings.ContainsAny(got, "Äü") {
			t.Errorf("%q became %q, %v", in, got, plan.UTF8Header)
		}
	}
}

func TestLongFieldsAreFolded(t *testing.T) {
	ids := strings.Repeat("<1234567890@x.example>", 100)
	list := strings.Repeat("a@x.example,", 200) + "b@x.example"
	words := strings.Repeat("word ", 500) + "end"
	for in, lossless := range map[string]bool{
		"Subject: " + words: true, "References: " + ids: false, "To: " + list: false,
		"To: \"" + words + "\" <a@x.example>":                            true,
		"Content-Type: text/plain; " + strings.Repeat("a=\"b c\";", 300): false,
		"X: " + strings.Repeat("y", 3000):                                false,
	} {
		for _, o := range []sevenbit.Options{all, longOnly} {
			got, _ := changed(t, in+"\n\n", o)
			for line := range strings.SplitSeq(strings.TrimSuffix(got, "\n\n"), "\n") {
				if len(line) > 998 || strings.TrimSpace(line) == "" {
					t.Errorf("%.40q has a line of %d octets", in, len(line))
				}
			}
			unfolded := strings.TrimSuffix(strings.ReplaceAll(got, "\n ", " "), "\n\n")
			if unfolded != in && (lossless || strings.ReplaceAll(unfolded, " ", "") != strings.ReplaceAll(in, " ", "") && !strings.HasPrefix(in, "X")) {
				t.Errorf("%.40q became %.300q", in, got)
			}
		}
	}
}

// TestNoFieldIsAddedByACharset: in EBCDIC a percent sign is LF, and a bar is @.
func TestNoFieldIsAddedByACharset(t *testing.T) {
	got, _ := changed(t, "To: |\xc2\x83\x83\x7a@\x81%\xff@x.example\nContent-Type: text/plain; charset=IBM037\n\n", all)
	if header, _, _ := strings.Cut(got, "\n\n"); strings.Count(header, "\n") != 1 || !strings.HasSuffix(got, "\n\n") {
		t.Errorf("became\n%s", got)
	}
}

// TestWhatIsEncodedIsFoldedWhereItCanBe: an encoded name makes no list of addresses
// too long, and a field that cannot be folded is left, not refused.
func TestWhatIsEncodedIsFoldedWhereItCanBe(t *testing.T) {
	list := strings.Repeat("a@x.example,", 80)
	got, plan := changed(t, "To: "+list+"Ö <b@x.example>\nCc: a@x.example ("+strings.Repeat("ö", 400)+")\n\n", all)
	for line := range strings.SplitSeq(got, "\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
	if plan.EightBit || strings.ReplaceAll(got[:len(list)+20], "\n ", "")[:len(list)+4] != "To: "+list {
		t.Errorf("became\n%s", got)
	}
	for _, in := range []string{"To: " + strings.Repeat("a", 990) + "@ö" + "\n\n", "Content-Type: message/delivery-status\n\n" + strings.Repeat("A", 990) + ": ö\n"} {
		if got, plan := changed(t, in, all); got != in || !plan.EightBit {
			t.Errorf("%.20q... became\n%s", in, got)
		}
	}
}

// TestHostileFieldsTakeNoLonger: 200 KB of words, quotes and brackets.
func TestHostileFieldsTakeNoLonger(t *testing.T) {
	for _, unit := range []string{"ö ", "a@ö ", "\"ö\"", "<ö>", "(ö)", "\"ö\"@", ";a*1=ö", "((ö", "\\\"ö"} {
		for _, name := range []string{"Subject", "To", "Content-Type"} {
			in := name + ": " + strings.Repeat(strings.Repeat(unit, 900/len(unit))+"\n ", 220) + "x\n\n"
			start := time.Now()
			changed(t, in, all)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s of %q took %v", name, unit, took)
			}
		}
	}
}

const mixed = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"

func TestPartsAreEncoded(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"nothing said": {"Subject: x\n\nGrüße\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n"},
		"no header at all": {"Grüße\n", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nGr=C3=BC=C3=9Fe\n"},
		"8bit": {"MIME-Version: 1.0\nContent-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: 8bit\n\nGr\xfc\xdfe\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n"},
		"Cyrillic": {"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nПривет\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n0J/RgNC40LLQtdGCDQo=\n"},
		"in a multipart that says 8bit": {mixed + "Content-Transfer-Encoding: 8bit\n\n--b\nContent-Type: text/plain; charset=utf-8\n\nä\n--b\nContent-Type: text/x-y\n\nascii\n--b--\n",
			mixed + "Content-Transfer-Encoding: 7bit\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b\nContent-Type: text/x-y\n\nascii\n--b--\n"},
		"an attachment": {mixed + "\n--b\nContent-Type: application/x-patch; name=ä.diff\nContent-Transfer-Encoding: 8bit\n\n+ä\n\n--b--\n",
			mixed + "\n--b\nContent-Type: application/x-patch;\n name*=utf-8''%C3%A4.diff\nContent-Transfer-Encoding: base64\n\nK8OkDQo=\n--b--\n"},
		"no type, no header":   {mixed + "\n--b\n\nä\n--b--\n", mixed + "\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b--\n"},
		"outside of all parts": {mixed + "\nPräambel\n--b\n\na\n--b--\nübrig\n", mixed + "\nPr??ambel\n--b\n\na\n--b--\n??brig\n"},
		"a message within": {mixed + "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: ä\nContent-Type: text/plain; charset=utf-8\n\nö\n--b--\n",
			mixed + "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: =?utf-8?b?w6Q=?=\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=B6\n--b--\n"},
		"a digest": {"MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: ä\n\nx\n--b--\n",
			"MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: =?utf-8?b?w6Q=?=\n\nx\n--b--\n"},
		"a report": {mixed + "\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nDiagnostic-Code: smtp; 550 Postfach überfüllt\n--b--\n",
			mixed + "\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nDiagnostic-Code: smtp; 550 Postfach =?utf-8?b?w7xiZXJmw7xsbHQ=?=\n--b--\n"},
		"quoted-printable with raw octets": {"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 ä=\nb = c\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 =C3=A4=\nb = c\n"},
		"quoted-printable with a blank behind a soft line end": {"Content-Transfer-Encoding: quoted-printable\n\nä=3dx= \ny=\t\n= z\n", "Content-Transfer-Encoding: quoted-printable\n\n=C3=A4=3Dx=\ny=\t\n= z\n"},
		"an encoding that nobody knows": {"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8 bits\n\nä\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n"},
		"NULs in a line": {"Subject: x\n\nl\x00\x00\n", "Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\nl=00=00\n"},
		"NUL":            {"Subject: x\n\na\x00b\n", "Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\na=00b\n"},
		"charset of the text for the header": {"Subject: \xc8esky\n" + mixed + "\n--b\nContent-Type: text/plain; charset=iso-8859-2\n\n\xc8esky\n--b--\n",
			"Subject: =?utf-8?b?xIxlc2t5?=\n" + mixed + "\n--b\nContent-Type: text/plain; charset=iso-8859-2\nContent-Transfer-Encoding: quoted-printable\n\n=C8esky\n--b--\n"},
		"a header with a line that is no field": {mixed + "\n--b\nContent-Type: text/plain; charset=utf-8\nno field\n more\nX: y\n\nä\n--b--\n",
			mixed + "\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nno field\n more\nX: y\n\n=C3=A4\n--b--\n"},
		"a header that begins with a blank": {mixed + "\n--b\n ä\n\nä\n--b--\n",
			mixed + "\n--b\n ä\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b--\n"},
		"a message within, from an mbox file": {mixed + "\n--b\nContent-Type: message/rfc822\n\n>From a@x Mon Nov 30\nContent-Type: text/plain; charset=utf-8\n\nä\n--b--\n",
			mixed + "\n--b\nContent-Type: message/rfc822\n\n>From a@x Mon Nov 30\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b--\n"},
		"a boundary in pieces": {"Content-Type: multipart/mixed; boundary*1=\"c \"; boundary*0=b\n\n--bc\nContent-Type: text/plain; charset*=us-ascii''iso-8859-15\n\n\xa4\n--bc--\n",
			"Content-Type: multipart/mixed; boundary*1=\"c \"; boundary*0=b\n\n--bc\nContent-Type: text/plain; charset*=us-ascii''iso-8859-15\nContent-Transfer-Encoding: quoted-printable\n\n=A4\n--bc--\n"},
		"Shift_JIS": {"To: \"\x95\x5c\" <a@x.example>\nContent-Type: text/plain; charset=shift_jis; x=\"\x95\x5c \"\n\n\x95\x5c and more\n",
			"To: =?utf-8?b?6KGo?= <a@x.example>\nContent-Type: text/plain;\n charset=shift_jis;\n x*=utf-8''%E8%A1%A8%20\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=95\\ and more\n"},
		"Shift_JIS beside UTF-8": {"To: \x93\xfa <j\u00f6rg@b\u00fccher.example>\nContent-Type: text/plain; charset=shift_jis\n\nascii\n",
			"To: =?utf-8?b?5pel?= <j\u00f6rg@xn--bcher-kva.example>\nContent-Type: text/plain; charset=shift_jis\n\nascii\n"},
		"UTF-8 that is called UTF-16": {"Content-Type: text/xml; charset=\"utf-16\"\n\nä and more\n", "Content-Type: text/xml; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 and more\n"},
		"HTML that names its charset": {"Content-Type: text/html\n\n<meta charset=iso-8859-2>\xb1 and more\n", "Content-Type: text/html; charset=iso-8859-2\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n<meta charset=3Diso-8859-2>=B1 and more\n"},
		"HTML that names a wrong one": {"Content-Type: text/html\n\n<meta charset=utf-8>\xb1 and more\n", "Content-Type: text/html; charset=windows-1252\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n<meta charset=3Dutf-8>=B1 and more\n"},
		"a type that is none":         {"Content-Type: text/ä b\n\nä and more\n", "Content-Type: text/? b; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 and more\n"},
		"a name without room":         {"Content-Type: text/x;\n " + strings.Repeat("x", 992) + "=ä\n\nä and more\n", "Content-Type: text/x; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 and more\n"},
		"a type of 900 letters":       {"Content-Type: text/" + strings.Repeat("x", 960) + "\n\nä and more\n", "Content-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4 and more\n"},
		"a line From in a header": {mixed + "\n--b\nContent-Type: text/plain; charset=utf-8\nFrom me\n\nä\n--b--\n",
			mixed + "\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nFrom me\n\n=C3=A4\n--b--\n"},
		"base64 without a last delimiter":   {mixed + "\n--b\nContent-Type: x/y\n\nä\n", mixed + "\n--b\nContent-Type: x/y\nContent-Transfer-Encoding: base64\n\nw6QNCg==\n"},
		"a report without a last delimiter": {mixed + "\n--b\nContent-Type: message/delivery-status\n\nA: ä\n", mixed + "\n--b\nContent-Type: message/delivery-status\n\nA: =?utf-8?b?w6Q=?=\n"},
		"only a last delimiter":             {"X: ä\n" + mixed + "\nä\n--b--\nä\n", "X: =?utf-8?b?w6Q=?=\n" + mixed + "\nä\n--b--\n??\n"},
	} {
		got, plan := changed(t, tt.in, all)
		want := strings.Replace(tt.want, "Content-Transfer-Encoding: quoted-printable\nContent-Transfer-Encoding: quoted-printable", "Content-Transfer-Encoding: quoted-printable", 1)
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		if plan.EightBit == mimetext.IsASCII(want) {
			t.Errorf("%s: 8 bits are left: %v", name, plan.EightBit)
		}
	}
}

func TestCharsetsThatTheOctetsDisprove(t *testing.T) {
	for _, tt := range []struct{ declared, body, want string }{
		{"ANSI_X3.4-1968", "Größe", "utf-8"}, {"us-ascii", "Gr\xf6\xdfe \x80", "windows-1252"}, {"us-ascii", "Gr\xf6\xdfe \x81", "iso-8859-1"},
		{"utf-8", "Größe", "utf-8"}, {"UTF-8", "Gr\xf6\xdfe", "windows-1252"}, {"utf8", "Größe", "utf8"},
		{"iso-8859-1", "Gr\xf6\xdfe", "iso-8859-1"}, {"iso-8859-1", "Größe", "utf-8"}, {"iso-8859-1", "f\xfcr", "iso-8859-1"}, {"ISO-8859-1", "\x93x\x94", "ISO-8859-1"},
		{"iso-8859-15", "\xa4", "iso-8859-15"}, {"windows-1252", "G\xc3\x81", "utf-8"}, {"koi8-r", "\xf0\xd2", "koi8-r"},
		{"iso-2022-jp", "日本", "utf-8"}, {"gb2312", "\xc4\xe3\xba\xc3", "gb2312"}, {"big5", "日本語テキスト", "utf-8"}, {"shift_jis", "\x93\xfa\x96\x7b", "shift_jis"},
		{"unknown-8bit", "ö", "utf-8"}, {"unknown-8bit", "\xf6", "unknown-8bit"}, {"x-nonsense", "\xf6", "x-nonsense"}, {"", "\xf6", "windows-1252"},
	} {
		got, _ := changed(t, "MIME-Version: 1.0\nContent-Type: text/html; charset=\""+tt.declared+"\"; format=flowed\n\n"+tt.body+strings.Repeat(" etc.", 20)+"\n", all)
		_, rest, _ := strings.Cut(got, "charset=")
		charset, _, _ := strings.Cut(strings.TrimLeft(rest, `"`), ";")
		if charset = strings.Trim(charset, "\"\n "); charset != tt.want || !strings.Contains(got, "format=flowed") {
			t.Errorf("%q as %s became %s, want %s:\n%s", tt.body, tt.declared, charset, tt.want, got)
		}
	}
}

func TestSignedAndEncryptedNeverChange(t *testing.T) {
	signed := "--s\nContent-Type: text/plain; charset=utf-8; x=ü\nContent-Transfer-Encoding: 8bit\n\nä\n--s\nContent-Type: application/pgp-signature\n\nxyz\n--s--\n"
	for name, in := range map[string]string{
		"signed":            "Content-Type: multipart/signed; boundary=s\n\n" + signed,
		"encrypted":         "Content-Type: multipart/encrypted; boundary=s\n\n" + signed,
		"with a comment":    "Content-Type: (by me) Multipart / \"Signed\" (RFC (1847)); boundary=s\n\n" + signed,
		"two types":         "Content-Type: text/plain\nContent-Type: multipart/signed; boundary=s\n\n" + signed,
		"two multiparts":    mixed + "Content-Type: multipart/signed; boundary=b\n\n--b\n\nä\n--b--\n",
		"S/MIME":            "Content-Type: application/pkcs7-mime\n\nä\n",
		"DKIM":              "DKIM-Signature: x\nSubject: ä\n\nä\n",
		"signed in mixed":   mixed + "Content-Transfer-Encoding: 8bit\n\n--b\nContent-Type: multipart/signed; boundary=s\nContent-Transfer-Encoding: 8bit\n\n" + signed + "\n--b\n\nfooter\n--b--\n",
		"forwarded, signed": mixed + "\n--b\nContent-Type: message/rfc822\n\nDKIM-Signature: x\nSubject: ä\n\nä\n--b--\n",
	} {
		got, plan := changed(t, in, all)
		if got != in || !plan.EightBit {
			t.Errorf("%s: changed to\n%s", name, got)
		}
	}
	forwarded := mixed + "\n--b\nContent-Type: message/rfc822\n\nDKIM-Signature: x\nContent-Type: multipart/mixed; boundary=c\n\nä\n--c\n\nä\n--c--\nä\n"
	for _, in := range []string{forwarded, mixed + "\n--b\nContent-Type: message/rfc822\n\nDKIM-Signature: x\n\nä\n"} {
		if got, _ := changed(t, in+"--b\n\nFuß\n--b--\nä\n", all); !strings.HasPrefix(got, in+"--b\n") || !strings.HasSuffix(got, "\n\nFu=C3=9F\n--b--\n??\n") {
			t.Errorf("after a signed message within:\n%s", got)
		}
	}
	footer := mixed + "\n--b\nContent-Type: multipart/signed; boundary=s\n\n" + signed + "\n--b\n\nFuß\n--b--\n"
	if got, _ := changed(t, "Subject: ä\n"+footer, all); !strings.Contains(got, "\n"+signed) || !strings.Contains(got, "Fu=C3=9F") || !strings.HasPrefix(got, "Subject: =?") {
		t.Errorf("beside what is signed:\n%s", got)
	}
}

func TestEncodedPartsGetShortLines(t *testing.T) {
	for name, tt := range map[string]struct{ encoding, body, want string }{
		"base64":              {"base64", strings.Repeat("QUJD", 300) + "\n\n", strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 15) + strings.Repeat("QUJD", 15) + "\n\n"},
		"base64 among others": {"base64", "QUJD\n" + strings.Repeat("QUJD", 300) + "\n", "QUJD\n" + strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 15) + strings.Repeat("QUJD", 15) + "\n"},
		"quoted-printable":    {"quoted-printable", strings.Repeat("ab=C3=A4", 250) + "=\nc\n", ""},
	} {
		got, _ := changed(t, "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "+tt.encoding+"\n\n"+tt.body, longOnly)
		_, body, _ := strings.Cut(got, "\n\n")
		if tt.want == "" {
			tt.want = tt.body
			for line := range strings.SplitSeq(body, "\n") {
				if len(line) > 76 || strings.HasSuffix(strings.TrimSuffix(line, "="), "=") {
					t.Errorf("%s: line %q", name, line)
				}
			}
			body = strings.ReplaceAll(body, "=\n", "")
			tt.want = strings.ReplaceAll(tt.want, "=\n", "")
		}
		if body != tt.want {
			t.Errorf("%s: %q", name, body)
		}
	}
}

// TestNoDelimiterAppears: where a line is cut, what follows is not at the beginning
// of a line, or cannot be taken for a delimiter.
func TestNoDelimiterAppears(t *testing.T) {
	for name, body := range map[string]string{
		"text":             "Content-Type: text/plain; charset=utf-8\n\nä\n" + strings.Repeat("x", 75) + "--b\n",
		"quoted-printable": "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("x", 75) + "--b=\nä " + strings.Repeat("y", 72) + "--b--\n",
		"base64":           "Content-Transfer-Encoding: base64\n\nä--b\n" + strings.Repeat("QUJD", 300) + "--b\n",
		"base64, cut":      "Content-Transfer-Encoding: base64\n\n" + strings.Repeat("QUJD", 19*14) + "--b\n",
	} {
		in := mixed + "\n" + strings.Repeat("y", 998) + "--b\n--b\n" + body + "--b--\n" + strings.Repeat("z", 998) + "--b\nä\n"
		got, _ := changed(t, in, all)
		if n := strings.Count(got, "\n--b\n") + strings.Count(got, "\n--b--\n"); n != 2 {
			t.Errorf("%s: %d delimiters in\n%s", name, n, got)
		}
	}
}

func TestTextSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"ä", "=", " ", "\t", "\n", "x", "-", ".", "From ", "\x00", "\x7f", "\xff", strings.Repeat("y", 70), strings.Repeat("- ", 500), strings.Repeat("z", 32<<10)})
		body := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "body"), "") + "ä and more text\n"
		got, _ := changed(t, "Content-Type: text/plain; charset=utf-8\n\n"+body, all)
		header, encoded, _ := strings.Cut(got, "\n\n")
		var decoder io.Reader = quotedprintable.NewReader(strings.NewReader(encoded))
		if strings.Contains(header, "base64") {
			decoder = base64.NewDecoder(base64.StdEncoding, strings.NewReader(encoded))
		}
		for line := range strings.SplitSeq(encoded, "\n") {
			if len(line) > 76 || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
				t.Errorf("line %q", line)
			}
		}
		out, err := io.ReadAll(decoder)
		if text := strings.ReplaceAll(string(out), "\r\n", "\n"); err != nil || text != body {
			t.Errorf("%q became %q, %v", body, text, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for in, want := range map[string]string{
		"Content-Type: text/plain; charset=utf-16\n\na\x00b\x00 and more text, lest it be guessed\n": "a NUL; it cannot be re-encoded: text in UTF-16 or UTF-32 has to be in base64",
		"\n\xff\xfeS\x00:\x00\n": "a NUL; it cannot be re-encoded: text in UTF-16 or UTF-32 has to be in base64",
		"Content-Type: application/octet-stream\n\n\x00\x01 and more of it\n":               "a NUL; it cannot be re-encoded: data that is not text has to be in base64",
		"Content-Type: multipart/signed; boundary=s\n\n--s\n\na\x00\n":                      "a NUL; it cannot be re-encoded: it is signed or encrypted",
		mixed + strings.Repeat("\n--b\nSubject: "+strings.Repeat("ö ", 33_000)+"\n\n", 150): "it cannot be re-encoded: its header fields would be more than 16777216 octets",
		"Date: a\x00\n\n":                "a NUL in a header field; it cannot be re-encoded: the field is not free text",
		"Message-ID: <" + long + ">\n\n": "1014 octets, at most 998 (RFC 5322 2.1.1); it cannot be re-encoded: a header field has no blank to fold it at",
	} {
		_, m := message(in)
		_, err := sevenbit.Make(t.Context(), m, all)
		if refusal, ok := errors.AsType[*sevenbit.Refusal](err); !ok || refusal.Error() != want || refusal.Offset < 0 != (refusal.Fault == "") {
			t.Errorf("%.60q: %v, want %s", in, err, want)
		}
	}
}

// FuzzMake: what comes out has 7 bits unless the plan says otherwise, lines that a
// server takes, and does not change any more.
func FuzzMake(f *testing.F) {
	for _, s := range []string{
		"From: Jörg <j@ö.example>\n\nä\n", mixed + "\npre\xff\n--b\nContent-Type: text/plain; charset=x\n\nä\x00\n--b--\nepi ö\n",
		"Content-Type: message/rfc822\n\nContent-Type: multipart/digest; boundary=\"a b\"\n\n--a b\n\nSubject: ü\n\nx\n--a b--\n",
		"Content-Type: multipart/signed; boundary=s\n\n--s\n\nä\n--s--\n", "Content-Transfer-Encoding: quoted-printable\n\n=C3ä=\n=\x00=zz\n",
		"Content-Transfer-Encoding: base64\n\nQUJD" + strings.Repeat("QUJDö", 300) + "\n", "To: \"ö\\\", (ä(b)) <ü@x>, x:y;\n\n",
		"X: " + strings.Repeat("ö", 600) + "\n\n" + strings.Repeat("x", 1200) + "\n",
		"Content-Type: message/delivery-status\n\nA: ö\n b\n\nnothing ü\n",
		"Content-Disposition: attachment; filename=\"ä\\\"; b=ö; c*=ü(\n\nö\n",
		"Content-Type: message/rfc822\n0\xd2\n\n\xbc\n", mixed + "\n--b\n ä\nno field\n\nä\n--b\nä\n--b--\n",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, eightBit bool) {
		in = strings.ReplaceAll(in, "\r", "")
		if in != "" && !strings.HasSuffix(in, "\n") {
			in += "\n"
		}
		o := sevenbit.Options{EightBit: eightBit}
		s, m := message(in)
		plan, err := sevenbit.Make(t.Context(), m, o)
		if err != nil {
			if !errors.As(err, new(*sevenbit.Refusal)) {
				t.Fatal(err)
			}
			return
		}
		out := apply(t, s, plan)
		high := false
		for line := range strings.SplitSeq(out, "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\x00\r\n") {
				t.Fatalf("line %q of %q", line, in)
			}
			for i := range len(line) {
				high = high || line[i] >= 0x80
			}
		}
		if high && !plan.EightBit {
			t.Fatalf("8 bits are left of %q: %q", in, out)
		}
		again, m := message(strings.ReplaceAll(out, "\r\n", "\n"))
		if plan, err = sevenbit.Make(t.Context(), m, o); err != nil {
			t.Fatalf("%v, of %q", err, out)
		}
		if got := apply(t, again, plan); got != out {
			t.Fatalf("changed again:\n%q\n%q", out, got)
		}
	})
}

func ExampleMake() {
	s := "Subject: ä\r\n\r\n"
	plan, err := sevenbit.Make(context.Background(), sevenbit.Message{Octets: strings.NewReader(s), Size: int64(len(s)), Body: int64(len(s)), Blank: true,
		Fields: []sevenbit.Field{{Name: "subject", From: 0, To: int64(len(s)) - 2}}}, sevenbit.Options{EightBit: true})
	if err == nil {
		var b bytes.Buffer
		err = plan.Edits[0].Put.Write(&b)
		fmt.Print(b.String())
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output: Subject: =?utf-8?b?w6Q=?=
}
