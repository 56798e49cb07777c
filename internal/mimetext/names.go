package mimetext

import (
	"fmt"
	"io"
	"mime"
	"strings"

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

func quotedEscape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
