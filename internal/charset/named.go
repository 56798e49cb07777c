package charset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/smtpsend/smtpsend/internal/lazy"
)

// Charset is a charset that someone has named. The zero value is none.
type Charset struct {
	name     string
	encoding encoding.Encoding
}

// UnknownError is the name of a charset that Parse does not know.
type UnknownError struct{ Name string }

// Error names it, and some that are known.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q is not a charset that is known, such as utf-8, windows-1252, cp850, cp437, iso-8859-2, shift_jis or utf-16le", e.Name)
}

// Parse finds a charset by a name of IANA or of the WHATWG Encoding Standard, or
// by the number of a code page of Windows, as in "cp850" or "850". What browsers
// read another way than IANA says, such as ISO-8859-1, is read as they do. The
// error is an *UnknownError.
func Parse(name string) (Charset, error) {
	plain := strings.ToLower(strings.TrimSpace(name))
	number := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(plain, "windows-"), "cp"), "ibm")
	if known := aliases.Get()[number]; known != "" {
		plain = known
	}
	e := find(webNames[:], plain)
	if e == nil || e == encoding.Replacement {
		e = Registered(plain)
	}
	if e == nil || e == encoding.Replacement {
		return Charset{}, &UnknownError{name}
	}
	return Charset{plain, e}, nil
}

// aliases are names that neither list has: numbers of code pages, as chcp prints
// them, and names of programming languages.
var aliases = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"1252": "windows-1252", "1250": "windows-1250", "1251": "windows-1251", "1253": "windows-1253", "1254": "windows-1254",
		"1255": "windows-1255", "1256": "windows-1256", "1257": "windows-1257", "1258": "windows-1258", "874": "windows-874",
		"65001": "utf-8", "utf-8-sig": "utf-8", "utf_8": "utf-8", "latin-1": "iso-8859-1", "latin-9": "iso-8859-15", "latin9": "iso-8859-15",
		"1200": "utf-16le", "1201": "utf-16be", "utf16": "utf-16le", "utf16le": "utf-16le", "utf16be": "utf-16be",
		"932": "shift_jis", "936": "gbk", "949": "euc-kr", "950": "big5", "54936": "gb18030", "20866": "koi8-r", "21866": "koi8-u",
		"858": "ibm00858", "28591": "iso-8859-1", "28592": "iso-8859-2", "28605": "iso-8859-15",
	}
}}

// IsZero reports that no charset was named.
func (c Charset) IsZero() bool { return c.encoding == nil }

// String is the name, as it was found.
func (c Charset) String() string { return c.name }

// OctetError is a place in a text that is not in the charset that was named.
type OctetError struct {
	Charset string
	Line    int // from 1, 0 when it is not known
}

// Error is a predicate of the file.
func (e *OctetError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("has octets that are not %s", e.Charset)
	}
	return fmt.Sprintf("has octets in line %d that are not %s", e.Line, e.Charset)
}

// Decode returns a text in UTF-8. A byte order mark is of more weight than the
// name. The error is an *OctetError.
func (c Charset) Decode(text string) (string, error) {
	out, known := marked(text)
	switch {
	case known:
		return strings.TrimSuffix(out, endOfFile), nil
	case hasMark(text):
		return "", &OctetError{"of the charset that its byte order mark says", 0}
	}
	all, err := io.ReadAll(c.Reader(strings.NewReader(text)))
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(all), endOfFile), nil
}

// Reader returns what r has, in UTF-8. What begins with a byte order mark is
// passed on as it is, and so is everything when c is zero. Reading ends with an
// *OctetError, or the error of r.
func (c Charset) Reader(r io.Reader) io.Reader {
	if c.IsZero() {
		return r
	}
	return &reader{charset: c, in: bufio.NewReaderSize(r, 64<<10)}
}

type reader struct {
	charset Charset
	in      *bufio.Reader
	out     io.Reader // once the beginning was looked at
	plain   bool      // out is what came, because of its mark
	line    int       // ends of lines so far
	tail    []byte    // the beginning of a character, until its rest has come
}

func (r *reader) Read(p []byte) (int, error) {
	if r.out == nil {
		start, err := r.in.Peek(len(markUTF8))
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		r.begin(string(start))
	}
	n, err := r.out.Read(p)
	if r.plain {
		return n, err
	}
	end := r.wrong(p[:n])
	if end < 0 && errors.Is(err, io.EOF) && len(r.tail) > 0 {
		end = n
	}
	if end >= 0 {
		return end, &OctetError{r.charset.name, r.line + 1}
	}
	return n, err
}

// begin chooses how to read on.
func (r *reader) begin(start string) {
	r.plain = hasMark(start)
	if r.out = r.in; !r.plain && r.charset.encoding != unicode.UTF8 {
		r.out = transform.NewReader(r.in, r.charset.encoding.NewDecoder())
	}
}

// wrong is the place of the first octets that are not text of the charset, and -1
// without. Decoders write U+FFFD for them.
func (r *reader) wrong(p []byte) int {
	whole := append(r.tail, p...)
	for i := 0; i < len(whole); {
		char, size := utf8.DecodeRune(whole[i:])
		switch {
		case char == utf8.RuneError && size == 1 && !utf8.FullRune(whole[i:]):
			r.tail = bytes.Clone(whole[i:])
			return -1
		case char == utf8.RuneError:
			return max(0, i-(len(whole)-len(p)))
		case char == '\n':
			r.line++
		}
		i += size
	}
	r.tail = nil
	return -1
}
