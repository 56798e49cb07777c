package headerfield_test

import (
	"mime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sevenbit/headerfield"
)

func TestFieldsAreRewrittenByWhatIsInThem(t *testing.T) {
	latin := headerfield.NewCharset("iso-8859-15")
	for raw, want := range map[string]string{
		"Subject: St\xc3\xb6rung\r\n": "Subject: =?utf-8?q?St=C3=B6rung?=\r\n", "X-Price: 5 \xa4\r\n": "X-Price: 5 =?utf-8?b?4oKs?=\r\n",
		"From: \"M\xfcller, J\" <j@x.example>\r\n":                     "From: =?utf-8?q?M=C3=BCller=2C_J?= <j@x.example>\r\n",
		"To: a@b\xc3\xbccher.example\r\n":                              "To: a@xn--bcher-kva.example\r\n",
		"Content-Type: image/png;\r\n\tname=\"\xa4.png\"; x=y\r\n":     "Content-Type: image/png;\r\n name*=utf-8''%E2%82%AC.png;\r\n x=y\r\n",
		"Content-Disposition: inline; filename*=utf-8''\xc3\xa4%2\r\n": "Content-Disposition: inline;\r\n filename*=utf-8''%C3%A4%252\r\n",
		"Message-ID: <a\x00b@x.example>\r\n":                           "Message-ID: <a\x00b@x.example>\r\n",
	} {
		if got, utf8 := headerfield.Rewrite(raw, latin); got != want || utf8 {
			t.Errorf("%q became\n%q, want\n%q", raw, got, want)
		}
	}
	if got, utf8 := headerfield.Rewrite("To: j\xc3\xb6@x.example\r\n", latin); got != "To: jö@x.example\r\n" || !utf8 {
		t.Errorf("%q, %v", got, utf8)
	}
	if got := headerfield.WithCharset("content-type: text/html; charset=us-ascii; format=flowed\r\n", "utf-8", latin); got != "content-type: text/html;\r\n charset=utf-8;\r\n format=flowed\r\n" {
		t.Errorf("%q", got)
	}
	main, params := headerfield.ParseParameters(`multipart/mixed (a;b); Boundary*1=d; boundary*0*=us-ascii''%62c`)
	if boundary, found := headerfield.Find(params, "boundary"); main != "multipart/mixed" || boundary != "bcd" || !found {
		t.Errorf("%q, %q", main, boundary)
	}
}

// FuzzRewrite: what comes out is one field in 7 bits, and says the same when it is text.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{"Subject: Störung  a\tö", "To: \"j\xf6\" <a@bücher.example> (ü(b)c), \"ö\"@x", "Content-Type: a/b; c*1=ö; c*0*=%41", "Date: ö", "X:=?utf-8?q?a?= ö  =?x"} {
		f.Add(seed, "shift_jis")
	}
	f.Fuzz(func(t *testing.T, line, charset string) {
		name, _, found := strings.Cut(line, ":")
		isName := found && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
		if !isName || strings.ContainsAny(line, "\r\n\x00") {
			return
		}
		got, utf8 := headerfield.Rewrite(line+"\r\n", headerfield.NewCharset(charset))
		if folded, ok := headerfield.Fold(got, headerfield.IsStructured(strings.ToLower(name))); ok {
			got = folded
		}
		lines := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
		for i, line := range lines {
			begins := line != "" && line[0] != ' ' && line[0] != '\t'
			if begins != (i == 0) || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("%q became %q", line, got)
			}
		}
		isASCII := !strings.ContainsFunc(got, func(r rune) bool { return r > '~' })
		if !isASCII && !utf8 && !strings.Contains(line, "\x7f") {
			t.Fatalf("%q became %q", line, got)
		}
		if strings.EqualFold(name, "subject") && strings.ToValidUTF8(line, "") == line && !strings.Contains(line, "=?") {
			said, err := new(mime.WordDecoder).DecodeHeader(headerfield.Value(got))
			if want := headerfield.Value(line); err != nil || strings.Join(strings.Fields(said), " ") != strings.Join(strings.Fields(want), " ") {
				t.Fatalf("%q became %q, which says %q, %v", line, got, said, err)
			}
		}
	})
}
