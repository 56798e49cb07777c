package sevenbit

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	page "github.com/smtpsend/smtpsend/internal/thirdparty/html/charset"
)

// Names of charsets as they are written (RFC 2045 5.1).
const (
	charsetUTF8    = "utf-8"
	charsetWindows = "windows-1252"
	charsetLatin1  = "iso-8859-1"
)

// asciiNames are US-ASCII (IANA's registry of character sets). cron writes the
// first in the C locale, whatever the job's output is in.
var asciiNames = []string{"ansi_x3.4-1968", "us-ascii", "ascii", "ansi_x3.4-1986", "iso_646.irv:1991", "iso646-us", "iso-ir-6", "us", "ibm367", "cp367", "csascii", "646", ""}

// sevenBitNames never hold an octet above 127.
var sevenBitNames = []string{"iso-2022-jp", "iso-2022-jp-1", "iso-2022-jp-2", "iso-2022-jp-3", "iso-2022-kr", "iso-2022-cn", "hz-gb-2312", "utf-7"}

// charsetOf is the charset of a text with octets above 127: the one that it says,
// unless the octets cannot be in it. HTML that says none may do so in itself.
func charsetOf(declared, media string, o *octets, text stretch) string {
	name := strings.ToLower(strings.TrimSpace(declared))
	if !disproved(name, o, text) {
		return declared
	}
	if name == "" && media == "text/html" && o.notUTF8 {
		if name = inHTML(text); !disproved(name, o, text) {
			return name
		}
	}
	switch {
	case !o.notUTF8:
		return charsetUTF8
	case defines(charmap.Windows1252, o, false):
		return charsetWindows
	}
	return charsetLatin1
}

// inHTML is the charset that the beginning of a page names. An error of reading comes
// again when the text is written.
func inHTML(text stretch) string {
	text.n = min(text.n, 1<<10) // as far as HTML allows
	head, err := text.all()
	if err != nil {
		return ""
	}
	_, name, _ := page.DetermineEncoding([]byte(head), "")
	return name
}

// disproved reports whether a text cannot be in the charset of that name.
func disproved(name string, o *octets, text stretch) bool {
	if slices.Contains(asciiNames, name) || slices.Contains(sevenBitNames, name) || isWide(name) { // wide text does not come here
		return true
	}
	enc := lookup(name)
	single, isSingle := enc.(*charmap.Charmap)
	switch {
	case enc == nil: // a name that nobody knows, such as unknown-8bit (RFC 1428)
		return !o.notUTF8
	case isUTF8(name):
		return o.notUTF8
	case isSingle && !defines(single, o, false):
		return true
	case isSingle:
		return !o.notUTF8 && !defines(single, o, true) // control characters, which are text in UTF-8
	}
	return !o.notUTF8 && !decodes(enc, text)
}

func isUTF8(name string) bool {
	return name == charsetUTF8 || name == "utf8" || name == "unicode-1-1-utf-8"
}

// isWide reports a charset of several octets a character, whose line ends are
// not those of a message.
func isWide(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") || strings.HasPrefix(name, "utf16") ||
		strings.HasPrefix(name, "ucs-") || strings.HasPrefix(name, "iso-10646")
}

// lookup finds a charset by IANA's names, and by those of the web.
func lookup(name string) encoding.Encoding {
	if enc := charset.Registered(name); enc != nil {
		return enc
	}
	if enc, err := charset.Get(name); err == nil {
		return enc
	}
	return nil
}

// defines reports whether each octet of a text is a character of the charset; if
// printable, one that is not a control character.
func defines(c *charmap.Charmap, o *octets, printable bool) bool {
	for octet := 0x80; octet < 0x100; octet++ {
		r := c.DecodeByte(byte(octet))
		if o.seen[octet] && (r == '\uFFFD' || printable && r >= 0x80 && r < 0xA0) {
			return false
		}
	}
	return true
}

// decodes reports whether the text can be read in the charset. An error of
// reading comes again when the text is written.
func decodes(enc encoding.Encoding, text stretch) bool {
	r := enc.NewDecoder().Reader(text.reader())
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if bytes.Contains(buf[:n], []byte("\uFFFD")) {
			return false
		}
		if err != nil {
			return err == io.EOF
		}
	}
}

// rawCharset is what raw octets of header fields are in when they are not UTF-8.
type rawCharset struct{ enc encoding.Encoding }

// newRawCharset takes the charset of a text as that of the header before it; the
// zero value stands for Windows-1252. A charset in which ASCII is something else,
// such as EBCDIC, is none: a line end may come out of it.
func newRawCharset(name string) rawCharset {
	name = strings.ToLower(strings.TrimSpace(name))
	enc := lookup(name)
	if enc == nil || slices.Contains(asciiNames, name) || isUTF8(name) {
		return rawCharset{}
	}
	if out, err := enc.NewDecoder().String(ascii.Get()); err != nil || out != ascii.Get() {
		return rawCharset{}
	}
	return rawCharset{enc}
}

// ascii is all octets up to 127.
var ascii = &lazy.Value[string]{Make: func() string {
	var b strings.Builder
	for c := range byte(utf8.RuneSelf) {
		b.WriteByte(c)
	}
	return b.String()
}}

// or is c, or another one where c is none.
func (c rawCharset) or(other rawCharset) rawCharset {
	if c.enc == nil {
		return other
	}
	return c
}

// text makes UTF-8 of raw octets.
func (c rawCharset) text(s string) string {
	if out, ok := c.decode(s); ok {
		return out
	}
	return mimetext.ToUTF8(s)
}

// whole makes UTF-8 of the value of a field that is in a charset of several octets a
// character: some of them would be taken for signs, as the backslash in Shift_JIS.
// A value of which a word is in UTF-8 is left for later, as all are in other charsets.
func (c rawCharset) whole(s string) string {
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

func (c rawCharset) decode(s string) (string, bool) {
	if c.enc == nil || utf8.ValidString(s) {
		return "", false
	}
	out, err := c.enc.NewDecoder().String(s)
	return out, err == nil && !strings.Contains(out, "\uFFFD")
}
