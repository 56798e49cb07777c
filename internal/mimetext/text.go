package mimetext

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
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
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.ReplaceAll(s, "\r", "\n")
	}
	ends := strings.Count(s, "\n")
	if ends == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + ends)
	for range ends {
		line, rest, _ := strings.Cut(s, "\n")
		b.WriteString(line)
		b.WriteString("\r\n")
		s = rest
	}
	b.WriteString(s)
	return b.String()
}

// ToUTF8 is charset.Guess for what has no file to warn of.
func ToUTF8(s string) string {
	text, _ := charset.Guess(s)
	return text
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
