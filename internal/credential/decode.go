package credential

import (
	"html"
	"net/url"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// unwrapped is what text stands for when it is URL-encoded, escaped as in HTML
// or JSON, or quoted-printable, each only where signs of it are seen. Text that
// has none of it is not among the results.
func unwrapped(text string) []string {
	var out []string
	for range 3 {
		before := text
		if strings.Count(text, "%") > 1 {
			if plain, err := url.QueryUnescape(badPercent().ReplaceAllString(text, "%25$1")); err == nil && plain != text {
				text = plain
			}
		}
		if strings.Contains(text, "\x1b[") {
			text = colours().ReplaceAllString(text, "")
		}
		if strings.Contains(text, "<") {
			text = blocks().ReplaceAllString(text, "\n")
		}
		if strings.Contains(text, "&") {
			text = html.UnescapeString(text)
		}
		if strings.Contains(text, `\`) {
			text = escapes.Replace(text)
		}
		if text != before {
			out = append(out, text)
		}
		if plain := unquotePrintable(text); plain != text {
			out, text = append(out, plain), plain
		}
		if text == before {
			break
		}
	}
	return out
}

var (
	badPercent = lazyregexp.New(`%([^0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f]|.?$)`)
	colours    = lazyregexp.New("\x1b\\[[0-9;]*[A-Za-z]")
	blocks     = lazyregexp.New(`(?i)</?(?:br|p|div|pre|li|tr|td|th|span|code|body)(?:[ /][^<>]{0,100})?>`)
	escapes    = strings.NewReplacer(`\u001b`, "\x1b", `\r`, "\r", `\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`, `\/`, `/`, `\u0026`, "&", `\u003c`, "<", `\u003e`, ">", `\u0027`, "'", `\u002b`, "+")
)

// unquotePrintable undoes quoted-printable (RFC 2045 6.7) where a sign of it is
// seen.
func unquotePrintable(text string) string {
	if !strings.Contains(text, "=3D") && !strings.Contains(text, "=0A") && !strings.Contains(text, "=20\n") && !strings.Contains(text, "quoted-printable") {
		return text // "=" at the end of a line is base64's, too
	}
	return quoted().ReplaceAllStringFunc(joined(text), func(q string) string {
		n, err := strconv.ParseUint(q[1:], 16, 8)
		if err != nil {
			return q
		}
		return string([]byte{byte(n)})
	})
}

var quoted = lazyregexp.New(`=[0-9A-F]{2}`)

// joined is text without soft line breaks, and without what a log or a quotation
// has put before the line behind one.
func joined(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	soft := false // the line before ended with one
	for line := range strings.Lines(text) {
		if soft {
			line = line[lead(line):]
		}
		part, found := strings.CutSuffix(strings.TrimRight(line, " \t\r\n"), "=")
		if soft = found && strings.HasSuffix(line, "\n"); soft {
			line = part
		}
		b.WriteString(line)
	}
	return b.String()
}
