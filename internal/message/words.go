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
	maxLine  = 998         // octets without CRLF (RFC 5322 2.1.1)
	maxWord  = 900         // longest word left as it is: it must fit a line with its field name
	wordRoom = 75 - 10 - 2 // payload of an encoded word: "=?utf-8?b?" and "?="
)

// encodeText makes s fit for an unstructured field (RFC 5322 2.2.1) that is
// folded at single blanks: as it is where possible, else in encoded words (RFC
// 2047). Runs of blanks are encoded too, because folding within them would make
// a line of blanks only, which some programs take for the end of the header.
func encodeText(s string) string {
	s = toUTF8(s)
	if isPlainText(s) {
		return s
	}
	return strings.Join(encodedWords(s), " ")
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
// the shorter of both encodings: B for most scripts, Q for Latin ones.
func encodedWords(s string) []string {
	q := qSize(s) <= base64.StdEncoding.EncodedLen(len(s))
	var words []string
	for s != "" {
		n, size := 0, 0
		for n < len(s) {
			_, w := utf8.DecodeRuneInString(s[n:])
			if size = base64.StdEncoding.EncodedLen(n + w); q {
				size = qSize(s[:n+w])
			}
			if size > wordRoom {
				break
			}
			n += w
		}
		if q {
			words = append(words, "=?utf-8?q?"+qEncode(s[:n])+"?=")
		} else {
			words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		}
		s = s[n:]
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

// foldField renders one field, folded at blanks.
func foldField(name, value string) string {
	var b strings.Builder
	b.WriteString(name + ":")
	used := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		if used+1+len(word) > foldAt && used > 1 {
			b.WriteString("\r\n")
			used = 0
		}
		b.WriteString(" " + word)
		used += 1 + len(word)
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
