package sevenbit

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// AddressField writes a field of addresses, such as From, in 7 bits. utf8 reports
// that it could not, since a local part is not ASCII (RFC 6532). The value is
// unfolded; octets that are not UTF-8 are taken for Windows-1252.
func AddressField(name, value string) (text string, utf8 bool) {
	tokens, utf8 := addressTokens(value, rawCharset{})
	return fold(name, tokens), utf8
}

// addressTokens encodes the display names and comments of a list of addresses
// (RFC 2047 5 rules 2 and 3) and converts domains to A-labels. It reads what
// programs write, not only what RFC 5322 3.4 allows, and leaves what is ASCII as
// it is. utf8 reports that a local part is not ASCII: nothing but UTF-8 can say
// that one (RFC 6532).
func addressTokens(value string, raw rawCharset) (tokens []token, utf8 bool) {
	var words []word
	for value != "" {
		n := len(value) - len(strings.TrimLeft(value, " \t"))
		blank := value[:n]
		value = value[n:]
		n = itemEnd(value)
		item := value[:n]
		value = value[n:]
		w := word{token: token{blank, item}}
		switch {
		case mimetext.IsASCII(item):
		case item[0] == '(':
			w.text = "(" + join(encodeRuns([]word{{token{"", raw.text(unescape(strings.TrimSuffix(item[1:], ")")))}, true}})) + ")"
		case item[0] == '"' && strings.HasPrefix(value, "@"):
			utf8 = true
		case item[0] == '"':
			w.text, w.encode = raw.text(unescape(strings.TrimSuffix(item[1:], `"`))), true
		case strings.Contains(item, "@") && (item[0] == '<' || !hasName(value)):
			if w.text = asciiAddress(item, raw); !mimetext.IsASCII(w.text) {
				utf8 = true
			}
		default:
			w.text, w.encode = raw.text(item), true
		}
		words = append(words, w)
	}
	return encodeRuns(spaced(words)), utf8
}

// itemEnd is the end of the quoted string, comment, address in brackets, sign or
// word that s begins with.
func itemEnd(s string) int {
	switch s[0] {
	case '"':
		return closing(s, '"', 0)
	case '(':
		return closing(s, ')', '(')
	case '<':
		if i := strings.IndexByte(s, '>'); i >= 0 {
			return i + 1
		}
		return len(s)
	case ',', ':', ';':
		return 1
	}
	if i := strings.IndexAny(s, " \t\"(<,:;"); i >= 0 {
		return i
	}
	return len(s)
}

// closing is the place after the end of a string that may hold escaped octets and
// others of its kind.
func closing(s string, end, begin byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == end && (begin != 0 && depth == 1 || begin == 0 && i > 0):
			return i + 1
		case c == end && begin != 0:
			depth--
		case begin != 0 && c == begin:
			depth++
		}
	}
	return len(s)
}

// unescape undoes quoted pairs (RFC 5322 3.2.1).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// hasName reports whether an address in brackets follows before the next comma:
// then a word with an @ is part of a name.
func hasName(rest string) bool {
	if i := strings.IndexAny(rest, ",;"); i >= 0 {
		rest = rest[:i]
	}
	return strings.Contains(rest, "<")
}

// asciiAddress converts the domains of an address, which may be in brackets.
func asciiAddress(s string, raw rawCharset) string {
	text := s
	if !utf8.ValidString(text) {
		text = raw.text(text)
	}
	at := strings.LastIndexByte(text, '@')
	domain := strings.TrimRight(text[at+1:], "> \t")
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		return text[:at+1] + ascii + text[at+1+len(domain):]
	}
	return text
}

// spaced puts blanks around what becomes an encoded word (RFC 2047 5).
func spaced(words []word) []word {
	for i := 1; i < len(words); i++ {
		before, w := words[i-1], &words[i]
		if w.blank != "" || !before.encode && !w.encode || strings.Contains(",:;", w.text) {
			continue
		}
		if w.encode || before.encode {
			w.blank = " "
		}
	}
	return words
}

// join puts tokens together.
func join(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.blank + t.text)
	}
	return b.String()
}
