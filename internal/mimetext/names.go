package mimetext

import (
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/ascii"

	"github.com/smtpsend/smtpsend/internal/charset"
)

// DisplayName is a display name as atoms, as a quoted string, or in encoded
// words. Most names fit one encoded word, which matters: Python before 3.13
// reads the blank between two as part of the name.
func DisplayName(name string) string {
	if !IsPlain(name) {
		return strings.Join(EncodedWords(ToUTF8(name), WordRoom), " ")
	}
	for i := 0; i < len(name); i++ {
		if name[i] != ' ' && (!ascii.IsAlnum(name[i]) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", name[i]) < 0) {
			return `"` + quotedEscape(name) + `"`
		}
	}
	return name
}

// CleanName leaves single blanks and nothing unprintable: a folded line of
// blanks only would end the header section for some programs.
func CleanName(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, ToUTF8(s))), " ")
}

// DecodeWords decodes the encoded words in s; a charset that is not known leaves
// all as it is.
func DecodeWords(s string) string {
	dec := mime.WordDecoder{CharsetReader: charsetReader}
	if out, err := dec.DecodeHeader(s); err == nil {
		return out
	}
	return s
}

// charsetReader reads the charsets of the web's encoding standard, for names in
// mail of others.
func charsetReader(name string, r io.Reader) (io.Reader, error) {
	enc, err := charset.Get(name)
	if err != nil {
		return nil, fmt.Errorf("reading charset %q: %w", name, err)
	}
	return enc.NewDecoder().Reader(r), nil
}

// LegacyName is the name as a quoted string, of encoded words if need be.
func LegacyName(name string) string {
	if IsPlain(name) {
		return `"` + quotedEscape(name) + `"`
	}
	return `"` + strings.Join(EncodedWords(name, WordRoom-len(` name="`)), "\r\n ") + `"`
}

func quotedEscape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

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
