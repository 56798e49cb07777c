package secret

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ascii"
)

// Writings returns value as it is and as others may write it when they quote
// it: in a URL, in JSON, in HTML, in base64.
func Writings(value string) []string { return append(Quoted(value), Encoded(value)...) }

// Quoted returns value as it is and as it is written in a URL, in JSON and in HTML.
func Quoted(value string) []string {
	if isPlain(value) {
		return []string{value}
	}
	quoted, _ := json.Marshal(value) // of a string, which cannot fail
	all := []string{value, url.QueryEscape(value), strings.Trim(string(quoted), `"`), html.EscapeString(value)}
	slices.Sort(all)
	return slices.Compact(all)
}

// Encoded returns value in base64. That depends on where among other octets the value
// begins, so there are three of these. They hold every part of value in base64, too.
func Encoded(value string) []string {
	all := []string{strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(value)), "=")}
	for _, before := range []string{" ", "  "} { // in the first four octets, which depend on what it is
		all = append(all, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(before + value))[4:], "="))
	}
	return all
}

// isPlain reports that URL, JSON and HTML write all of value as it is. They do so with
// a token of the usual form (RFC 7515 3.1).
func isPlain(value string) bool {
	for _, c := range []byte(value) {
		if !ascii.IsAlnum(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// Words are what must not be shown, made ready to be looked for: a reply may have
// many thousands of lines, and a token thousands of octets.
type Words struct{ folded []word }

// word is one of them, and the octets that are in it: a part of a text with another
// octet, such as the blank that most have, is not searched for.
type word struct {
	text   string
	octets [256]bool
}

// NewWords returns what hides each of values, in this order.
func NewWords(values ...string) Words {
	w := Words{folded: make([]word, len(values))}
	for i, value := range values {
		text, octets := []byte(value), &w.folded[i].octets
		for at, c := range text {
			c = small(c)
			text[at] = c
			octets[c] = true
		}
		w.folded[i].text = string(text)
	}
	return w
}

// Hide returns text with [redacted] in the place of every run of at least
// shortest octets that a word has too, letters of either case: whoever quotes a
// secret may do so in part, over several lines, or in capitals. A word that is
// shorter itself is hidden whole.
func (w Words) Hide(text string, shortest int) string {
	for i := range w.folded { // a whole one first: a part that another word has too would leave pieces of it
		text = hide(text, &w.folded[i], len(w.folded[i].text))
	}
	for i := range w.folded {
		text = hide(text, &w.folded[i], shortest)
	}
	return text
}

// hide is Hide for one word. Every run of 2n octets covers a whole one of the
// blocks of n octets into which text is cut, so only those are searched for.
func hide(text string, w *word, shortest int) string {
	shortest = min(shortest, len(w.text))
	block := shortest / 2
	if block == 0 || len(text) < shortest {
		return text
	}
	folded := fold(text)
	var b strings.Builder
	kept := 0 // what is before it is in b
	for at := 0; at+block <= len(folded); {
		isPart := w.has(folded[at : at+block])
		if !isPart || w.around(folded, kept, at, at+block, shortest) < shortest {
			at += block
			continue
		}
		from, to := runAround(folded, w.text, kept, at, at+block)
		if to-from < shortest {
			at += block
			continue
		}
		b.WriteString(text[kept:from])
		b.WriteString(Redacted)
		kept, at = to, to
	}
	b.WriteString(text[kept:])
	return b.String()
}

// has reports whether all octets of a text are in the word.
func (w *word) has(text string) bool {
	for i := range len(text) {
		if !w.octets[text[i]] {
			return false
		}
	}
	return true
}

// around is how many octets in a row around text[from:to], which are all in the word,
// are too; it counts to enough. Nothing before floor belongs to them.
func (w *word) around(text string, floor, from, to, enough int) int {
	for from > floor && to-from < enough && w.octets[text[from-1]] {
		from--
	}
	for to < len(text) && to-from < enough && w.octets[text[to]] {
		to++
	}
	return to - from
}

// runAround returns the part of text that every run around text[from:to] lies
// in; it is empty when that is none itself. Nothing before floor belongs to it.
func runAround(text, value string, floor, from, to int) (start, end int) {
	if !strings.Contains(value, text[from:to]) {
		return from, from
	}
	start, end = from, to
	for start > floor && strings.Contains(value, text[start-1:to]) {
		start--
	}
	for end < len(text) && strings.Contains(value, text[from:end+1]) {
		end++
	}
	return start, end
}

// fold makes ASCII letters small and leaves every octet in its place.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = small(c)
	}
	return string(b)
}

// small makes an ASCII letter small.
func small(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}
