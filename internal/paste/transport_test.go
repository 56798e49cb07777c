package paste_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"mime/quotedprintable"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
)

// ways are what happens to a server's words before somebody pastes them.
var ways = map[string]func(string) string{
	"upper case":      strings.ToUpper,
	"lower case":      strings.ToLower,
	"JSON":            quoteJSON,
	"JSON in JSON":    func(s string) string { return quoteJSON(`{"m":` + quoteJSON(s) + `}`) },
	"HTML":            func(s string) string { return "<p>" + html.EscapeString(s) + "</p>" },
	"URL":             func(s string) string { return "https://app.contoso.example/?error=" + url.QueryEscape(s) },
	"base64":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"colours":         func(s string) string { return "\x1b[31m" + strings.ReplaceAll(s, " ", " \x1b[1m\x1b[0m") + "\x1b[0m" },
	"colours, no ESC": func(s string) string { return "[31m" + s + "[0m" },
	"72 columns":      func(s string) string { return wrap(s, 72, "") },
	"78 columns":      func(s string) string { return wrap(s, 78, "    ") },
	"80 columns":      func(s string) string { return wrap(s, 80, "> ") },
	"37 columns":      func(s string) string { return wrap(s, 37, "") },
	"log lines": func(s string) string {
		return wrap("2026-02-14 05:35:57.139 ERROR [mail-5] "+s, 99, "2026-02-14 05:35:57.140 ERROR [mail-5] ")
	},
	"windows-1252": func(s string) string { return "Fehler \x84beim Senden\x93: " + s + " \x96 M\xfcller" },
	"quoted-printable": func(s string) string {
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		fmt.Fprint(w, s+" =\n")
		_ = w.Close()
		return b.String()
	},
	"Python":   func(s string) string { return "smtplib.SMTPException: (b" + fmt.Sprintf("%q", s) + ")" },
	"German":   func(s string) string { return "Die Nachricht konnte nicht gesendet werden. Antwort des Servers: " + s },
	"Chinese":  func(s string) string { return "发送失败，服务器返回：" + s + "。请检查设置" },
	"Japanese": func(s string) string { return "送信に失敗しました（" + s + "）" },
	"a stack below": func(s string) string {
		return s + "\n    at SMTPConnection._formatError (/app/lib/index.js:535:19)\n    at emit (node:events:518:28)"
	},
	"a stack above": func(s string) string {
		return "Exception in thread \"main\" java.lang.RuntimeException: mail\n\tat a.B.c(B.java:554)\nCaused by: x.Y: " + s
	},
	"a dash": func(s string) string { return dashed.ReplaceAllString(s, "$1-$2") },
}

var dashed = regexp.MustCompile(`^([45]\d\d) ([45]\.)`)

func quoteJSON(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// wrap cuts at a column, also in the middle of words, and puts the prefix
// before every line but the first.
func wrap(s string, columns int, prefix string) string {
	var lines []string
	for len(s) > columns {
		lines = append(lines, s[:columns])
		s = s[columns:]
	}
	return strings.Join(append(lines, s), "\n"+prefix)
}

// TestSamplesSurviveTheirWay takes every sample that a server can send through
// what tools do to text. The root must stay the same.
func TestSamplesSurviveTheirWay(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for _, e := range diagnosis.Entries() {
				if e.Sample == "" || e.Fault != "" || !e.ServerCan {
					continue
				}
				for _, sample := range append([]string{e.Sample}, e.Variants...) {
					text := way(sample)
					if got := paste.Explain(text, diagnosis.Facts{}); len(got) == 0 || got[0].Code != e.Code {
						t.Errorf("%s is explained as %q:\n%s", e.Code, codesOf(got), text)
					}
				}
			}
		})
	}
}
