// Package mimetext turns text into what mail can carry, and back: header fields
// folded and in encoded words (RFC 5322, RFC 2047), file names (RFC 2231),
// charsets, line ends, media types. Its functions are pure; values that hold
// line ends must be refused before they come here.
package mimetext

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/ascii"
)

// Limits of words, in octets.
const (
	foldAt   = 76          // RFC 2047 2; RFC 5322 2.1.1 would allow 78
	MaxWord  = 900         // longest word left as it is: with its field name it stays under 998 octets (RFC 5322 2.1.1)
	WordRoom = 75 - 10 - 2 // payload of an encoded word: "=?utf-8?b?" and "?="
)

// Field renders an unstructured field (RFC 5322 2.2.1): as it is where
// possible, else in encoded words (RFC 2047). Runs of blanks are encoded too,
// because folding within them would make a line of blanks only, which some
// programs take for the end of the header. The first encoded word is made to
// fit after the name: Python's parser takes a fold there for a blank that
// belongs to the text.
func Field(name, value string) string {
	value = ToUTF8(value)
	if !IsPlain(value) {
		value = strings.Join(EncodedWords(value, max(20, foldAt-len(name)-2-len("=?utf-8?b??="))), " ")
	}
	return Fold(name, value, false)
}

// IsPlain reports whether s can be in a header field as it is: printable
// ASCII, single blanks, no word that could not be folded, and nothing that looks
// like an encoded word.
func IsPlain(s string) bool {
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") || strings.Contains(s, "=?") {
		return false
	}
	run := 0
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
		if run++; s[i] == ' ' {
			run = 0
		}
		if run > MaxWord {
			return false
		}
	}
	return true
}

// EncodedWords splits s at character boundaries (RFC 2047 5) and encodes it in
// the shorter of both encodings: B for most scripts, Q for Latin ones. The
// payload of the first word has at most room octets.
func EncodedWords(s string, room int) []string {
	room = min(room, WordRoom)
	q := qSize(s) <= base64.StdEncoding.EncodedLen(len(s))
	var words []string
	for s != "" {
		n, size := 0, 0
		for n < len(s) {
			_, w := utf8.DecodeRuneInString(s[n:])
			if size = base64.StdEncoding.EncodedLen(n + w); q {
				size = qSize(s[:n+w])
			}
			if size > room {
				break
			}
			n += w
		}
		if q {
			words = append(words, "=?utf-8?q?"+qEncode(s[:n])+"?=")
		} else {
			words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		}
		s, room = s[n:], WordRoom
	}
	return words
}

func qSize(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if n++; !isQSafe(s[i]) && s[i] != ' ' {
			n += 2
		}
	}
	return n
}

func qEncode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('_')
		case isQSafe(c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// isQSafe is the set that is safe everywhere, display names included (RFC 2047
// 5 rule 3).
func isQSafe(c byte) bool { return ascii.IsAlnum(c) || strings.IndexByte("!*+-/", c) >= 0 }

// Fold renders one field, folded at blanks; after the colon only when
// foldFirst says so.
func Fold(name, value string, foldFirst bool) string {
	var b strings.Builder
	b.WriteString(name + ":")
	used := len(name) + 1
	mayFold := foldFirst
	for word := range strings.SplitSeq(value, " ") {
		if mayFold && used+1+len(word) > foldAt {
			b.WriteString("\r\n")
			used = 0
		}
		b.WriteString(" " + word)
		used += 1 + len(word)
		mayFold = true
	}
	b.WriteString("\r\n")
	return b.String()
}
