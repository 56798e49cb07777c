package sevenbit

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"github.com/smtpsend/smtpsend/internal/charset"
	page "github.com/smtpsend/smtpsend/internal/thirdparty/html/charset"
)

// Names of charsets as they are written (RFC 2045 5.1).
const (
	charsetUTF8    = "utf-8"
	charsetWindows = "windows-1252"
	charsetLatin1  = "iso-8859-1"
)

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
	hasNoHighOctet := charset.IsASCII(name) || slices.Contains(sevenBitNames, name)
	if hasNoHighOctet || isWide(name) { // wide text does not come here
		return true
	}
	enc := charset.OfMail(name)
	single, isSingle := enc.(*charmap.Charmap)
	switch {
	case enc == nil: // a name that is not known, such as unknown-8bit (RFC 1428)
		return !o.notUTF8
	case charset.IsUTF8(name):
		return o.notUTF8
	case isSingle && !defines(single, o, false):
		return true
	case isSingle:
		return !o.notUTF8 && !defines(single, o, true) // control characters, which are text in UTF-8
	}
	return !o.notUTF8 && !decodes(enc, text)
}

// isWide reports a charset of several octets a character, whose line ends are
// not those of a message.
func isWide(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") || strings.HasPrefix(name, "utf16") ||
		strings.HasPrefix(name, "ucs-") || strings.HasPrefix(name, "iso-10646")
}

// defines reports whether each octet of a text is a character of the charset; if
// printable, one that is not a control character.
func defines(c *charmap.Charmap, o *octets, printable bool) bool {
	for octet := 0x80; octet < 0x100; octet++ {
		r := c.DecodeByte(byte(octet))
		isControl := r >= 0x80 && r < 0xA0
		undefined := r == '\uFFFD' || (printable && isControl)
		if o.seen[octet] && undefined {
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
