package headerfield

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// foldAt is the length that lines get which have to be written again (RFC 5322
// 2.1.1 asks for 78, RFC 2047 2 for 76).
const foldAt = 76

// token is a piece of a field's value with the blanks before it. Tokens that are
// put together are the value.
type token struct {
	blank, text string
}

// word is a token that may have to be encoded: then text is what it says.
type word struct {
	token
	encode bool
}

// wordTokens encodes what is not ASCII, or too long for a line, of a text (RFC
// 2047 5 rule 1).
func wordTokens(value string, raw Charset) []token {
	var words []word
	for _, t := range split(value) {
		w := word{token: t, encode: mustEncode(t.text)}
		if w.encode {
			w.text = raw.text(w.text)
		}
		words = append(words, w)
	}
	return encodeRuns(words)
}

// split takes a text apart at its blanks.
func split(s string) (tokens []token) {
	for s != "" {
		text := strings.TrimLeft(s, " \t")
		blank := s[:len(s)-len(text)]
		n := strings.IndexAny(text, " \t")
		if n < 0 {
			n = len(text)
		}
		tokens = append(tokens, token{blank, text[:n]})
		s = text[n:]
	}
	return tokens
}

// mustEncode reports a word that cannot be in a header field as it is.
func mustEncode(s string) bool {
	return !mimetext.IsASCII(s) || strings.Contains(s, "\x00") || len(s) > mimetext.MaxWord
}

// encodeRuns puts encoded words in the place of each run of words that need it.
// A blank between two encoded words is not part of the text (RFC 2047 6.2), so
// one that is part of it is encoded too.
func encodeRuns(words []word) []token {
	var out []token
	for i := 0; i < len(words); {
		if !words[i].encode {
			out = append(out, words[i].token)
			i++
			continue
		}
		first := words[i]
		var text strings.Builder
		if len(out) > 0 && isEncodedWord(out[len(out)-1].text) {
			text.WriteString(first.blank)
		}
		text.WriteString(first.text)
		for i++; i < len(words) && words[i].encode; i++ {
			text.WriteString(words[i].blank + words[i].text)
		}
		if i < len(words) && isEncodedWord(words[i].text) {
			text.WriteString(words[i].blank)
		}
		for n, w := range mimetext.EncodedWords(text.String(), mimetext.WordRoom) {
			blank := " "
			keepsBlank := len(out) == 0 || first.blank != ""
			if n == 0 && keepsBlank {
				blank = first.blank
			}
			out = append(out, token{blank: blank, text: w})
		}
	}
	return out
}

// isEncodedWord reports whether readers may decode the word.
func isEncodedWord(s string) bool {
	return len(s) > 6 && strings.HasPrefix(s, "=?") && strings.HasSuffix(s, "?=")
}

// fold writes a field and folds it before a blank where a line would get longer
// than foldAt. No line is of blanks alone: some programs take that for the end of
// the header section.
func fold(name string, tokens []token) string {
	var b strings.Builder
	b.WriteString(name + ":")
	used := len(name) + 1
	for i, t := range tokens {
		blank := t.blank
		if i == 0 {
			blank = " "
		}
		if t.text == "" {
			continue
		}
		if blank != "" && used+len(blank)+len(t.text) > foldAt && i > 0 {
			b.WriteString("\r\n")
			used = 0
		}
		b.WriteString(blank + t.text)
		used += len(blank) + len(t.text)
	}
	b.WriteString("\r\n")
	return b.String()
}

// Fold folds lines of a raw field that are too long, and changes nothing else: at
// blanks, and in a structured field after the signs that separate addresses,
// parameters and ids. ok is false where there are none.
func Fold(raw string, structured bool) (text string, ok bool) {
	var b strings.Builder
	for i, line := range strings.SplitAfter(raw, "\n") {
		text := strings.TrimRight(line, "\r\n")
		value := 0
		if i == 0 {
			value = strings.IndexByte(text, ':') + 1
		}
		list, ok := cut(text, foldPoints(text, value, structured))
		if !ok {
			return "", false
		}
		b.WriteString(strings.Join(list, "\r\n"))
		b.WriteString(line[len(text):])
	}
	return b.String(), true
}

// foldPoint is where a line end may come.
type foldPoint struct {
	at    int
	blank string // the blank that has to follow it, where there is none
}

// foldPoints finds them from value on, so that no line becomes one of blanks.
func foldPoints(line string, value int, structured bool) (points []foldPoint) {
	text, quoted := false, false
	for i := value; i+1 < len(line); i++ {
		c, next := line[i], line[i+1]
		switch {
		case c == ' ' || c == '\t':
			if text && next != ' ' && next != '\t' {
				points = append(points, foldPoint{at: i})
			}
			continue
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case structured && !quoted && strings.IndexByte(",;>", c) >= 0 && strings.IndexByte(" \t,;>", next) < 0:
			points = append(points, foldPoint{at: i + 1, blank: " "})
		}
		text = true
	}
	return points
}

// cut makes lines of at most 998 octets.
func cut(line string, points []foldPoint) (list []string, ok bool) {
	start, blank := 0, ""
	var last foldPoint
	for _, p := range append(points, foldPoint{at: len(line)}) {
		if len(blank)+p.at-start > limits.Line && last.at > start {
			list = append(list, blank+line[start:last.at])
			start, blank = last.at, last.blank
		}
		if len(blank)+p.at-start > limits.Line {
			return nil, false
		}
		last = p
	}
	return append(list, blank+line[start:]), true
}
