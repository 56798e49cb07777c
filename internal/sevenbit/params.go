package sevenbit

import (
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// param is a parameter of a MIME field (RFC 2045 5.1).
type param struct {
	name  string // as it is written
	value string // without quotes
	raw   string // name and value as they stand there
}

// parseParams takes a field such as Content-Type apart, also one that RFC 2045
// does not allow: what is not understood stays in raw.
func parseParams(value string) (main string, params []param) {
	pieces := splitParams(value)
	for _, piece := range pieces[1:] {
		raw := strings.Trim(piece, " \t")
		if raw == "" {
			continue
		}
		name, text, _ := strings.Cut(raw, "=")
		text = strings.TrimLeft(text, " \t")
		if strings.HasPrefix(text, `"`) {
			text = text[:closing(text, '"', 0)]
			text = unescape(strings.TrimSuffix(text[1:], `"`))
		} else {
			text, _, _ = strings.Cut(text, "(")
			text = strings.TrimRight(text, " \t")
		}
		params = append(params, param{strings.TrimRight(name, " \t"), text, raw})
	}
	main, _, _ = strings.Cut(pieces[0], "(")
	return strings.Trim(main, " \t"), params
}

// splitParams cuts at semicolons outside of quoted strings. There is one piece
// at least.
func splitParams(value string) (pieces []string) {
	start := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i += closing(value[i:], '"', 0) - 1
		case ';':
			pieces = append(pieces, value[start:i])
			start = i + 1
		}
	}
	return append(pieces, value[start:])
}

// find returns the value of the first parameter of that name, and whether there
// is one.
func find(params []param, name string) (string, bool) {
	for _, p := range params {
		if strings.EqualFold(p.name, name) {
			return p.value, true
		}
	}
	return "", false
}

// paramField writes the field again, each parameter on a line of its own; those
// that are not ASCII, or too long for a line, percent-encoded (RFC 2231).
func paramField(name, main string, params []param, raw rawCharset) string {
	var b strings.Builder
	b.WriteString(name + ": " + raw.ascii(main))
	for _, p := range params {
		switch {
		case mimetext.IsASCII(p.raw) && len(p.raw) < limits.Line-2 && !strings.Contains(p.raw, "\x00"):
			b.WriteString(";\r\n " + p.raw)
		case strings.HasSuffix(p.name, "*"): // encoded already, but for some octets
			b.WriteString(";\r\n " + raw.ascii(p.raw))
		default:
			b.WriteString(mimetext.Parameter(raw.ascii(p.name), strings.ToValidUTF8(raw.text(p.value), "?")))
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// ascii puts a question mark in the place of each character that is not ASCII,
// where nothing can encode one.
func (c rawCharset) ascii(s string) string {
	if mimetext.IsASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, c.text(s))
}

// withCharset writes a Content-Type with another charset.
func withCharset(f field, charset string, raw rawCharset) string {
	main, params := parseParams(f.value())
	if main == "" || !strings.Contains(main, "/") {
		main = "text/plain"
	}
	kept := []param{{"charset", charset, "charset=" + charset}}
	for _, p := range params {
		if !strings.EqualFold(p.name, "charset") {
			kept = append(kept, p)
		}
	}
	if text := f.spelled() + ": " + main + "; charset=" + charset + "\r\n"; len(kept) == 1 {
		return text
	}
	return paramField(f.spelled(), main, kept, raw)
}
