package diagnosis

import (
	"encoding/base64"
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean undoes what tools do to a server's words: colour codes, JSON and
// program escapes (also twice), HTML, URL encoding, quoted-printable, base64.
// The order of the words stays. Time and space are linear in the text.
func clean(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), " ")
	text = strings.TrimPrefix(text, "\ufeff")
	text = terminalCodes.ReplaceAllString(text, "")
	text = unquotePrintable(text)
	// What is JSON in HTML in JSON needs as many rounds; four have been enough.
	for range 4 {
		before := text
		text = unescapeBackslashes(text)
		text = unescapeHTML(text)
		text = unescapePercent(text)
		if text == before {
			break
		}
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = brokenNumber.ReplaceAllString(text, "$1$2")
	return revealBase64(text)
}

var (
	terminalCodes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	softBreak     = regexp.MustCompile(`=[ \t]*\r?\n`)
	quotedOctet   = regexp.MustCompile(`=[0-9A-F]{2}`)
	percentOctets = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)
	percentEvery  = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	plusInQuery   = regexp.MustCompile(`([A-Za-z0-9.,:;'")])\+([A-Za-z0-9'"(])`)
	htmlTag       = regexp.MustCompile(`(?i)</?(?:a|abbr|b|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|li|meta|o:p|ol|p|pre|s|small|span|strong|style|sub|table|tbody|td|th|thead|title|tr|tt|u|ul|wbr|string|message|error|cause|exception)(?:\s[^<>]{0,400})?/?>`)
	// brokenNumber is an enhanced status code that was wrapped at a dot.
	brokenNumber = regexp.MustCompile(`(\b[245]\.(?:\d{1,3}\.)?)[ \t]*\n[ \t>]*(\d{1,3}\b)`)
)

// unquotePrintable undoes quoted-printable (RFC 2045 6.7) where a sign of it
// is seen; else "code=535" would lose its digits.
func unquotePrintable(text string) string {
	if strings.Contains(text, "=3D") || strings.Contains(text, "=20\n") || strings.Contains(text, "=20\r\n") ||
		strings.Contains(strings.ToLower(text), "quoted-printable") {
		text = softBreak.ReplaceAllString(text, "")
		return strings.ToValidUTF8(quotedOctet.ReplaceAllStringFunc(text, func(q string) string {
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
	text = htmlTag.ReplaceAllStringFunc(text, func(tag string) string {
		if strings.HasPrefix(strings.ToLower(tag), "<wbr") {
			return ""
		}
		return "\n"
	})
	return html.UnescapeString(text)
}

// unescapePercent undoes URL encoding where at least two octets are encoded,
// so that "100%" stays.
func unescapePercent(text string) string {
	if len(percentEvery.FindAllString(text, 2)) < 2 {
		return text
	}
	text = percentOctets.ReplaceAllStringFunc(text, func(run string) string {
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
	text = plusInQuery.ReplaceAllString(text, "$1 $2")
	return plusInQuery.ReplaceAllString(text, "$1 $2")
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

// writeEscape writes what the escape stands for and returns the octets taken
// behind the backslash.
func writeEscape(b *strings.Builder, rest string) int {
	switch rest[0] {
	case 'n', 'r':
		b.WriteByte('\n')
	case 't':
		b.WriteByte(' ')
	case '"', '\'', '/', '\\':
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

const maxDecoded = 32 // base64 runs that are opened

var (
	base64Run   = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}={0,2}`)
	wrappedRun  = regexp.MustCompile(`([A-Za-z0-9+/]{56,})\n[ \t]*([A-Za-z0-9+/])`)
	notSASLText = regexp.MustCompile(`^[0-9a-fA-F-]+$`)
)

// revealBase64 puts the text that a base64 run hides behind the run: challenges
// of a server, bodies of non-delivery reports.
func revealBase64(text string) string {
	if !base64Run.MatchString(text) {
		return text
	}
	text = wrappedRun.ReplaceAllString(text, "$1$2")
	left := maxDecoded
	return base64Run.ReplaceAllStringFunc(text, func(run string) string {
		if left == 0 || notSASLText.MatchString(run) {
			return run
		}
		hidden, ok := readable(run)
		if !ok {
			return run
		}
		left--
		return run + "\n" + hidden + "\n"
	})
}

func readable(run string) (string, bool) {
	run = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(run, "="))
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
