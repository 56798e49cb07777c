package headerfield

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// addressTokens encodes the display names and comments of a list of addresses
// (RFC 2047 5 rules 2 and 3) and converts domains to A-labels. It reads what
// programs write, not only what RFC 5322 3.4 allows, and leaves what is ASCII as
// it is. utf8 reports that a local part is not ASCII: nothing but UTF-8 can say
// that one (RFC 6532).
func addressTokens(value string, raw Charset) (tokens []token, utf8 bool) {
	items, named := addressItems(value)
	var words []word
	for i, item := range items {
		w := word{token: item}
		text := item.text
		local := i+1 < len(items) && items[i+1].blank == "" && items[i+1].text[0] == '@'
		isAddress := text[0] == '<' || !named[i]
		switch {
		case text[0] == '(':
			for _, t := range commentTokens(item, raw) {
				words = append(words, word{token: t})
			}
			continue
		case mimetext.IsASCII(text):
		case text[0] == '"' && local:
			w.text, utf8 = raw.text(text), true
		case text[0] == '"':
			w.text, w.encode = raw.text(unescape(strings.TrimSuffix(text[1:], `"`))), true
		case strings.Contains(text, "@") && isAddress:
			if w.text = asciiAddress(text, raw); !mimetext.IsASCII(w.text) {
				utf8 = true
			}
		default:
			w.text, w.encode = raw.text(text), true
		}
		words = append(words, w)
	}
	return encodeRuns(spaced(words)), utf8
}

// addressItems takes a list of addresses apart. named tells of each item whether
// an address in brackets follows before the next comma: then a word with an @ is
// part of a name.
func addressItems(value string) (items []token, named []bool) {
	for {
		text := strings.TrimLeft(value, " \t")
		blank := value[:len(value)-len(text)]
		if text == "" {
			break
		}
		n := itemEnd(text)
		items = append(items, token{blank, text[:n]})
		value = text[n:]
	}
	named = make([]bool, len(items))
	brackets := false
	for i, item := range slices.Backward(items) {
		named[i] = brackets
		switch item.text[0] {
		case ',', ';':
			brackets = false
		case '<':
			brackets = true
		}
	}
	return items, named
}

// commentTokens encodes a comment, in which encoded words are between its
// brackets and blanks (RFC 2047 5 rule 2), and takes it apart at its blanks.
func commentTokens(item token, raw Charset) (tokens []token) {
	if mimetext.IsASCII(item.text) {
		tokens = split(item.text)
	} else {
		text := raw.text(unescape(strings.TrimSuffix(item.text[1:], ")")))
		tokens = split("(" + strings.Join(mimetext.EncodedWords(text, mimetext.WordRoom), " ") + ")")
	}
	tokens[0].blank = item.blank
	return tokens
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
		nests := begin != 0
		isLast := i > 0 // where it does not nest, the first octet begins it
		if nests {
			isLast = depth == 1
		}
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == end && isLast:
			return i + 1
		case c == end && nests:
			depth--
		case c == begin && nests:
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

// asciiAddress converts the domains of an address, which may be in brackets.
func asciiAddress(s string, raw Charset) string {
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
		isSign := strings.Contains(",:;", w.text)
		if w.blank == "" && !isSign && (w.encode || before.encode) {
			w.blank = " "
		}
	}
	return words
}
