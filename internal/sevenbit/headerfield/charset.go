package headerfield

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Charset is what raw octets of header fields are in when they are not UTF-8. The zero
// value is Windows-1252.
type Charset struct{ enc encoding.Encoding }

// NewCharset takes the charset of a text as that of the header before it. A charset in
// which ASCII is something else, such as EBCDIC, is not used: a line end may come out
// of it. Nor is one that is not known.
func NewCharset(name string) Charset {
	name = strings.ToLower(strings.TrimSpace(name))
	enc := charset.OfMail(name)
	if enc == nil || charset.IsASCII(name) || charset.IsUTF8(name) {
		return Charset{}
	}
	if out, err := enc.NewDecoder().String(ascii); err != nil || out != ascii {
		return Charset{}
	}
	return Charset{enc}
}

// ascii is all octets up to 127.
var ascii = func() string {
	var b strings.Builder
	for c := range byte(utf8.RuneSelf) {
		b.WriteByte(c)
	}
	return b.String()
}()

// Or is c, or another one where c is none.
func (c Charset) Or(other Charset) Charset {
	if c.enc == nil {
		return other
	}
	return c
}

// text makes UTF-8 of raw octets.
func (c Charset) text(s string) string {
	if out, ok := c.decode(s); ok {
		return out
	}
	return mimetext.ToUTF8(s)
}

// whole makes UTF-8 of the value of a field that is in a charset of several octets a
// character: some of them would be taken for signs, as the backslash in Shift_JIS.
// A value of which a word is in UTF-8 is left for later, as all are in other charsets.
func (c Charset) whole(s string) string {
	if _, single := c.enc.(*charmap.Charmap); single {
		return s
	}
	for word := range strings.FieldsSeq(s) {
		if !mimetext.IsASCII(word) && utf8.ValidString(word) {
			return s
		}
	}
	if out, ok := c.decode(s); ok {
		return out
	}
	return s
}

func (c Charset) decode(s string) (string, bool) {
	if c.enc == nil || utf8.ValidString(s) {
		return "", false
	}
	out, err := c.enc.NewDecoder().String(s)
	return out, err == nil && !strings.Contains(out, "\uFFFD")
}
