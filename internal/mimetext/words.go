package message

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

const (
	foldAt   = 76          // RFC 2047 2; RFC 5322 2.1.1 would allow 78
	maxWord  = 900         // longest word left as it is: with its field name it stays under 998 octets (RFC 5322 2.1.1)
	wordRoom = 75 - 10 - 2 // payload of an encoded word: "=?utf-8?b?" and "?="
)

// textField renders an unstructured field (RFC 5322 2.2.1): as it is where
// possible, else in encoded words (RFC 2047). Runs of blanks are encoded too,
// because folding within them would make a line of blanks only, which some
// programs take for the end of the header. The first encoded word is made to
// fit behind the name: Python's parser takes a fold there for a blank that
// belongs to the text.
func textField(name, value string) string {
	value = toUTF8(value)
	if !isPlainText(value) {
		value = strings.Join(encodedWords(value, max(20, foldAt-len(name)-2-len("=?utf-8?b??="))), " ")
	}
	return foldField(name, value, false)
}

func isPlainText(s string) bool {
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
		if run > maxWord {
			return false
		}
	}
	return true
}

// encodedWords splits s at character boundaries (RFC 2047 5) and encodes it in
// the shorter of both encodings: B for most scripts, Q for Latin ones. The
// payload of the first word has at most room octets.
func encodedWords(s string, room int) []string {
	room = min(room, wordRoom)
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
		s, room = s[n:], wordRoom
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
func isQSafe(c byte) bool { return isAlnum(c) || strings.IndexByte("!*+-/", c) >= 0 }

// foldField renders one field, folded at blanks; behind the colon only when
// foldFirst says so.
func foldField(name, value string, foldFirst bool) string {
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

// charsetReader reads the charsets of the web's encoding standard, for names in
// mail of others.
func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return nil, fmt.Errorf("reading charset %q: %w", charset, err)
	}
	return enc.NewDecoder().Reader(r), nil
}
