// Package charset makes UTF-8 of the octets of a text file, in the forms that
// people, Windows and old programs write.
//
// A byte order mark decides: of UTF-8, as Excel and Notepad write it, or of
// UTF-16, as PowerShell 5.1 redirects to a file. It is not part of the text, and
// neither is the Ctrl-Z that DOS programs put at the end of a file. Without a
// mark there are three ways to read a file:
//
//   - [Strict] is for what has to be exact, such as settings: UTF-8 alone.
//   - [Guess] is for what has to arrive all the same, such as the text of a
//     message. It says what it took, for a warning.
//   - [Charset] reads what someone has named.
package charset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// ErrEncoding says that a file is not text that Strict reads. It is a predicate of
// the file.
var ErrEncoding = errors.New("is neither UTF-8 nor UTF-16 with a byte order mark")

// The byte order marks.
const (
	markUTF8    = "\xef\xbb\xbf"
	markUTF16LE = "\xff\xfe"
	markUTF16BE = "\xfe\xff"
	markUTF32LE = "\xff\xfe\x00\x00"
	markUTF32BE = "\x00\x00\xfe\xff"
)

// endOfFile ends a text for DOS.
const endOfFile = "\x1a"

// Strict returns text in UTF-8 without byte order mark. What is neither UTF-8 nor
// UTF-16 with its mark gives an error that wraps ErrEncoding and names the command
// that converts the file.
func Strict(data []byte) (string, error) {
	text, known := marked(string(data))
	if known {
		return strings.TrimSuffix(text, endOfFile), nil
	}
	if bigEndian, ok := LooksUTF16(text); ok {
		name := "UTF-16LE"
		if bigEndian {
			name = "UTF-16BE"
		}
		return "", fmt.Errorf(`%w: "iconv -f %s -t UTF-8 FILE" converts it`, ErrEncoding, name)
	}
	if !utf8.ValidString(text) {
		return "", fmt.Errorf(`%w: "iconv -f CP1252 -t UTF-8 FILE", or in PowerShell "Get-Content FILE | Out-File -Encoding utf8 NEW", converts it`, ErrEncoding)
	}
	return strings.TrimSuffix(text, endOfFile), nil
}

// marked reads a text by its byte order mark, which known says that it has. What
// has the mark and cannot be read by it is returned as it came.
func marked(text string) (out string, known bool) {
	switch {
	case strings.HasPrefix(text, markUTF32LE), strings.HasPrefix(text, markUTF32BE):
		return text, false
	case strings.HasPrefix(text, markUTF16LE), strings.HasPrefix(text, markUTF16BE):
		if len(text)%2 != 0 {
			return text, false
		}
		return decodeUTF16(text[2:], text[0] == markUTF16BE[0]), true
	}
	rest, found := strings.CutPrefix(text, markUTF8)
	if found && !utf8.ValidString(rest) {
		return rest, false
	}
	return rest, found
}

// hasMark reports a text that begins with a byte order mark.
func hasMark(text string) bool {
	return strings.HasPrefix(text, markUTF8) || strings.HasPrefix(text, markUTF16LE) || strings.HasPrefix(text, markUTF16BE)
}

// decodeUTF16 reads pairs of octets. Half of a character becomes U+FFFD.
func decodeUTF16(text string, bigEndian bool) string {
	low := 0
	if bigEndian {
		low = 1
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = uint16(text[2*i+low]) | uint16(text[2*i+1-low])<<8
	}
	return string(utf16.Decode(units))
}

// LooksUTF16 reports a text whose characters are mostly ASCII and have a NUL each,
// as cmd /u writes it without a byte order mark, and which way round.
func LooksUTF16(text string) (bigEndian, ok bool) {
	start := text[:min(len(text), 1<<10)&^1]
	if len(text)%2 != 0 || len(start) < 4 || strings.IndexByte(start, 0) < 0 {
		return false, false
	}
	var nuls [2]int
	for i := range len(start) {
		if start[i] == 0 {
			nuls[i%2]++
		}
	}
	most := len(start) / 2
	switch {
	case nuls[0] == 0 && nuls[1] > most*3/4:
		return false, true
	case nuls[1] == 0 && nuls[0] > most*3/4:
		return true, true
	}
	return false, false
}

// Taken is what Guess took for the charset of a text. The zero value says that
// there was nothing to guess.
type Taken struct {
	Name string // "Windows-1252" or "UTF-16"
	Line int    // from 1, where the text is not UTF-8; 0 when it is not in lines yet
}

// String is a predicate of the text, "" when there was nothing to guess.
func (t Taken) String() string {
	switch {
	case t.Name == "":
		return ""
	case t.Line == 0:
		return "has no byte order mark and is not UTF-8: it was read as " + t.Name
	}
	return fmt.Sprintf("is not UTF-8 in line %d: it was read as %s", t.Line, t.Name)
}

// Guess returns text in UTF-8, and what it took it for: UTF-16 without a byte
// order mark, or octets that are not UTF-8, each of which is read as
// Windows-1252. Output of old programs comes that way, and to lose a report
// because of one umlaut helps no one. A text may be UTF-8 for the rest.
func Guess(text string) (string, Taken) {
	text, known := marked(text)
	if known {
		return strings.TrimSuffix(text, endOfFile), Taken{}
	}
	if len(text)%2 != 0 && (strings.HasPrefix(text, markUTF16LE) || strings.HasPrefix(text, markUTF16BE)) { // cut off
		return decodeUTF16(text[2:len(text)-1], text[0] == markUTF16BE[0]) + "\ufffd", Taken{Name: "UTF-16 that ends in the middle of a character"}
	}
	if bigEndian, ok := LooksUTF16(text); ok {
		return strings.TrimSuffix(decodeUTF16(text, bigEndian), endOfFile), Taken{Name: "UTF-16"}
	}
	text = strings.TrimSuffix(text, endOfFile)
	if utf8.ValidString(text) {
		return text, Taken{}
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	taken := Taken{Name: "Windows-1252"}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			if taken.Line == 0 {
				taken.Line = 1 + strings.Count(text[:i], "\n")
			}
			r = charmap.Windows1252.DecodeByte(text[i])
		}
		b.WriteRune(r)
		i += n
	}
	return b.String(), taken
}

// ErrUTF16 says that what has to be octets is UTF-16. It is a predicate of the
// file, with the command that converts it.
var ErrUTF16 = errors.New(`is UTF-16, as PowerShell 5.1 redirects to a file: "Get-Content FILE | Out-File -Encoding ascii NEW", or "iconv -f UTF-16 -t UTF-8 FILE", converts it`)

// Unmarked passes on what r has, without the byte order mark of UTF-8. The error
// is ErrUTF16, or that of r.
func Unmarked(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 32<<10)
	start, err := in.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text := string(start)
	_, utf16 := LooksUTF16(text[:len(text)&^1])
	switch {
	case utf16, strings.HasPrefix(text, markUTF16LE), strings.HasPrefix(text, markUTF16BE):
		return nil, ErrUTF16
	case strings.HasPrefix(text, markUTF8):
		_, err = in.Discard(len(markUTF8))
		return in, err
	}
	return in, nil
}
