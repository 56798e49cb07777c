package escapes_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/escapes"
)

func TestEscapesAreUndone(t *testing.T) {
	for escaped, want := range map[string]string{
		"plain words, 100%":                                 "plain words, 100%",
		"\ufeffa\x00b\xff":                                  "ab ",
		"\x1b[31mred\x1b[0m ^[[1mbold[0m":                   "red bold",
		`"535 5.7.3\r\nAuthentication \u0027x\u0027"`:       "\"535 5.7.3\n\nAuthentication 'x'\"",
		`{\"m\":\"5.7.3 \\u003cx\\u003e\"}`:                 `{"m":"5.7.3 <x>"}`,
		"<p>a &lt;b@c.example&gt;<br>d</p> se<wbr>parated":  "\na <b@c.example>\nd\n separated",
		"?error=535+5.7.3%20Authentication%3A":              "?error=535 5.7.3 Authentication:",
		"a=3Db, a line=\r\n that goes on=20\r\nend":         "a=b, a line that goes on \nend",
		"code=535, and no sign of quotation=":               "code=535, and no sign of quotation=",
		"an address <a@b.example> in brackets\r\nof a line": "an address <a@b.example> in brackets\nof a line",
	} {
		if got := escapes.Undo(escaped); got != want {
			t.Errorf("%q became %q, want %q", escaped, got, want)
		}
	}
}

func TestBase64IsOpened(t *testing.T) {
	const said = "535 5.7.3 Authentication unsuccessful"
	const run = "NTM1IDUuNy4zIEF1dGhlbnRpY2F0aW9uIHVuc3VjY2Vzc2Z1bA=="
	if got := escapes.OpenBase64("said " + run + " then"); got != "said "+run+"\n"+said+"\n then" {
		t.Errorf("became %q", got)
	}
	lines := run[:28] + strings.Repeat("A", 60) + "\nAAAAAAAAAAAAAAAAAAAAAAAA and words of a sentence"
	if got := escapes.OpenBase64(lines); got != lines {
		t.Errorf("octets that are not text became %q", got)
	}
}
