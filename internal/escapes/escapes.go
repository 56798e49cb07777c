// Package escapes undoes what tools do to a text on its way from a server to a person:
// escapes and encodings of terminals, programs, web pages and mail. Time and space are
// linear in the text.
package escapes

import (
	"encoding/base64"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Undo undoes the escapes of a text: colour codes, JSON and program escapes (also twice),
// HTML, URL encoding, quoted-printable, CRLF. The order of the words stays. What is not
// UTF-8 becomes blanks, and NULs go.
func Undo(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), " ")
	text = strings.TrimPrefix(text, "\ufeff")
	text = unquotePrintable(text)
	// What is JSON in HTML in JSON needs as many rounds; four have been enough.
	for range 4 {
		before := text
		text = unescapeBackslashes(text)
		text = dropTerminalCodes(text)
		text = unescapeHTML(text)
		text = unescapePercent(text)
		if text == before {
			break
		}
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

var (
	terminalCode  = lazyregexp.New("\x1b\\[[0-9;?]*[A-Za-z]")
	colour        = lazyregexp.New(`\[\d{1,2}(?:;\d{1,3})*m`)
	softBreak     = lazyregexp.New(`=[ \t]*\r?\n`)
	quotedOctet   = lazyregexp.New(`=[0-9A-F]{2}`)
	percentOctets = lazyregexp.New(`(?:%[0-9A-Fa-f]{2})+`)
	percentEvery  = lazyregexp.New(`%[0-9A-Fa-f]{2}`)
	plusInQuery   = lazyregexp.New(`([A-Za-z0-9.,:;'")])\+([A-Za-z0-9'"(])`)
)

// dropTerminalCodes takes away colours and the like, also where the browser or
// the log that they were pasted from has taken the escape character or writes
// "^[" for it.
func dropTerminalCodes(text string) string {
	text = terminalCode.Get().ReplaceAllString(text, "")
	return colour.Get().ReplaceAllString(strings.ReplaceAll(text, "^[[", "["), "")
}

// unquotePrintable undoes quoted-printable (RFC 2045 6.7) where a sign of it
// is seen; else "code=535" would lose its digits.
func unquotePrintable(text string) string {
	if strings.Contains(text, "=3D") || strings.Contains(text, "=20\n") || strings.Contains(text, "=20\r\n") ||
		strings.Contains(strings.ToLower(text), "quoted-printable") {
		text = softBreak.Get().ReplaceAllString(text, "")
		return strings.ToValidUTF8(quotedOctet.Get().ReplaceAllStringFunc(text, func(q string) string {
			n, err := strconv.ParseUint(q[1:], 16, 8)
			if err != nil {
				return q
			}
			return string([]byte{byte(n)})
		}), " ")
	}
	return text
}

func unescapeHTML(text string) string {
	if !strings.ContainsAny(text, "&<") {
		return text
	}
	return html.UnescapeString(stripTags(text))
}

// tagNames are the elements that tools wrap messages in. Others, such as an
// address in angle brackets, are not tags.
var tagNames = lazyregexp.New(`(?i)^</?(?:a|abbr|b|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|meta|o:p|ol|p|pre|s|small|span|strong|style|sub|table|tbody|td|th|thead|title|tr|tt|u|ul|wbr|string|message|error|cause|exception)[\s/>]`)

const maxTag = 400 // octets of one tag

// stripTags puts a line end in place of each tag, but nothing for <wbr>, which
// is within words.
func stripTags(text string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '<')
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i])
		text = text[i:]
		near := text[:min(len(text), maxTag)]
		end := strings.IndexByte(near, '>')
		if end < 0 || !tagNames.Get().MatchString(near[:min(len(near), 24)]) {
			b.WriteByte('<')
			text = text[1:]
			continue
		}
		if !strings.HasPrefix(strings.ToLower(near), "<wbr") {
			b.WriteByte('\n')
		}
		text = text[end+1:]
	}
}

// unescapePercent undoes URL encoding where at least two octets are encoded,
// so that "100%" stays.
func unescapePercent(text string) string {
	if len(percentEvery.Get().FindAllString(text, 2)) < 2 {
		return text
	}
	text = percentOctets.Get().ReplaceAllStringFunc(text, func(run string) string {
		var b []byte
		for i := 0; i+2 < len(run); i += 3 {
			n, err := strconv.ParseUint(run[i+1:i+3], 16, 8)
			if err != nil {
				return run
			}
			b = append(b, byte(n))
		}
		return strings.ToValidUTF8(string(b), " ")
	})
	// Twice, because the matches share the character between two plus signs.
	text = plusInQuery.Get().ReplaceAllString(text, "$1 $2")
	return plusInQuery.Get().ReplaceAllString(text, "$1 $2")
}

// unescapeBackslashes undoes the escapes of JSON, C, Python and PHP strings.
func unescapeBackslashes(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i += writeEscape(&b, text[i+1:])
	}
	return b.String()
}

// writeEscape writes what the escape stands for and returns how many octets
// after the backslash it took.
func writeEscape(b *strings.Builder, rest string) int {
	switch rest[0] {
	case 'n', 'r':
		b.WriteByte('\n')
	case 't':
		b.WriteByte(' ')
	case '"', '\'', '/', '\\', '.', '-', '[', ']': // the last four are Markdown's
		b.WriteByte(rest[0])
	case 'u', 'x':
		digits := 4
		if rest[0] == 'x' {
			digits = 2
		}
		if len(rest) > digits {
			if n, err := strconv.ParseUint(rest[1:1+digits], 16, 32); err == nil && utf8.ValidRune(rune(n)) {
				b.WriteRune(rune(n))
				return 1 + digits
			}
		}
		b.WriteString(`\` + rest[:1])
	default:
		b.WriteByte('\\')
		return 0
	}
	return 1
}

const (
	maxDecoded  = 32 // base64 runs that are opened
	minBase64   = 24 // octets of a run that is looked at
	wrappedLine = 56 // octets from which a run at a line's end goes on in the next line
)

// OpenBase64 puts the text that a base64 run hides after the run: challenges
// of a server, bodies of non-delivery reports.
func OpenBase64(text string) string {
	var b strings.Builder
	done, left := 0, maxDecoded
	for i := 0; i < len(text) && left > 0; i++ {
		if !base64Octet(text[i]) {
			continue
		}
		end := base64End(text, i)
		if end-i >= minBase64 {
			if hidden, ok := readable(text[i:end]); ok {
				b.WriteString(text[done:end] + "\n" + hidden + "\n")
				done = end
				left--
			}
		}
		i = end
	}
	return b.String() + text[done:]
}

func base64Octet(c byte) bool {
	switch {
	case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("+/_-", c) >= 0
}

// base64End is the end of the run that begins at i, over the line ends that
// MIME and mail programs put into long runs.
func base64End(text string, i int) int {
	line := i
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case base64Octet(c):
		case c == '=' && i+1 < len(text) && text[i+1] == '=':
			return i + 2
		case c == '=':
			return i + 1
		case c == '\n' && i-line >= wrappedLine && i+1 < len(text) && base64Octet(text[i+1]):
			line = i + 1
		default:
			return i
		}
	}
	return i
}

func readable(run string) (string, bool) {
	run = strings.NewReplacer("-", "+", "_", "/", "\n", "").Replace(strings.TrimRight(run, "="))
	data, err := base64.RawStdEncoding.DecodeString(run)
	if err != nil || !utf8.Valid(data) {
		return "", false
	}
	for _, r := range string(data) {
		if r != '\n' && r != '\r' && r != '\t' && r != 1 && !unicode.IsPrint(r) {
			return "", false
		}
	}
	return string(data), true
}
