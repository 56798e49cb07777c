package mimetext

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/ascii"
)

// LegacyName is the name as a quoted string, of encoded words if need be.
func LegacyName(name string) string {
	if IsPlain(name) {
		return `"` + quotedEscape(name) + `"`
	}
	return `"` + strings.Join(EncodedWords(name, WordRoom-len(` name="`)), "\r\n ") + `"`
}

// chunkRoom keeps a parameter's line under 78 octets.
const chunkRoom = 55

// FileNameParameter is Parameter of a file's name.
func FileNameParameter(name string) string { return Parameter("filename", name) }

// Parameter is a parameter after RFC 2231, with the semicolon and the fold before
// it: its value is quoted when it is plain ASCII, else percent-encoded, in numbered
// pieces when it is long. The value is UTF-8.
func Parameter(name, value string) string {
	if IsPlain(value) && len(value) <= chunkRoom {
		return ";\r\n " + name + "=\"" + quotedEscape(value) + `"`
	}
	var pieces []string
	var piece []byte
	for rest := value; rest != ""; {
		_, w := utf8.DecodeRuneInString(rest)
		before := len(piece)
		if piece = appendPercent(piece, rest[:w]); len(piece) > chunkRoom {
			pieces = append(pieces, string(piece[:before]))
			piece = append(piece[:0], piece[before:]...)
		}
		rest = rest[w:]
	}
	pieces = append(pieces, string(piece))
	if len(pieces) == 1 {
		return ";\r\n " + name + "*=utf-8''" + pieces[0]
	}
	var b strings.Builder
	for i, s := range pieces {
		charset := ""
		if i == 0 {
			charset = "utf-8''"
		}
		fmt.Fprintf(&b, ";\r\n %s*%d*=%s%s", name, i, charset, s)
	}
	return b.String()
}

// appendPercent appends s to b, percent-encoded (RFC 2231 4).
func appendPercent(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if ascii.IsAlnum(s[i]) || strings.IndexByte("-._~", s[i]) >= 0 {
			b = append(b, s[i])
			continue
		}
		b = append(b, '%', hex[s[i]>>4], hex[s[i]&15])
	}
	return b
}
