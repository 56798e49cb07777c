package mimetext

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// maxPlainLine is the longest line that is left unencoded: RFC 5322 2.1.1 asks
// for at most 78.
const maxPlainLine = 78

// FitsSevenBit reports whether text with CRLF line ends survives every mail system
// unencoded: printable ASCII, short lines, and no blank at the end of a line,
// which some systems drop (RFC 2045 6.7 rule 3).
func FitsSevenBit(text string) bool {
	for len(text) > 0 {
		line, rest, _ := strings.Cut(text, "\r\n")
		if len(line) > maxPlainLine || strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
			return false
		}
		for i := 0; i < len(line); i++ {
			if (line[i] < ' ' && line[i] != '\t') || line[i] > '~' {
				return false
			}
		}
		text = rest
	}
	return true
}

// NormaliseLines makes every line end CRLF. A bare CR counts as one, as in a
// file from a classic Mac; it must never reach the wire (RFC 5321 2.3.8).
func NormaliseLines(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// ToUTF8 reads octets that are no UTF-8 as Windows-1252, and all as UTF-16 when
// they begin with its byte order mark, as what PowerShell 5.1 redirects to a
// file does. Output of old programs comes that way, and to lose a report
// because of one umlaut helps nobody. The mark itself is no text.
func ToUTF8(s string) string {
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
		if out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().String(s); err == nil {
			return out
		}
	}
	s = strings.TrimPrefix(s, "\ufeff")
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(s[i])
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// IsASCII reports whether s has no octet above 127.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
