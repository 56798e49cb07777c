package htmltext

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazy"
)

// formatting are the elements that a parser opens again in each block behind the
// one in which they were not closed (HTML 13.2.4.3), which multiplies them: 400 of
// them before 1,000 paragraphs are 400,000. None means anything in a text.
var formatting = &lazy.Value[map[string]bool]{Make: func() map[string]bool {
	return map[string]bool{
		"b": true, "big": true, "code": true, "em": true, "font": true, "i": true, "nobr": true,
		"s": true, "small": true, "strike": true, "strong": true, "tt": true, "u": true,
	}
}}

// plainTags makes formatting elements span elements, which end with their block.
// It looks at octets, not at tokens, so that no context hides one from it: an
// attribute or comment that holds such a tag is changed, too.
func plainTags(source string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(source, '<')
		if i < 0 {
			break
		}
		name, start := tagName(source[i:])
		if !formatting.Get()[name] {
			i++
			b.WriteString(source[:i])
			source = source[i:]
			continue
		}
		b.WriteString(source[:i+start])
		b.WriteString("span")
		source = source[i+start+len(name):]
	}
	if b.Len() == 0 {
		return source
	}
	b.WriteString(source)
	return b.String()
}

// tagName is the name of the tag that s begins with, in lower case, and where it
// begins; "" when it is longer than that of any formatting element.
func tagName(s string) (name string, start int) {
	if start = 1; strings.HasPrefix(s, "</") {
		start = 2
	}
	for i := start; i < len(s) && i <= start+len("strong"); i++ {
		if strings.IndexByte(" \t\r\n\f/>", s[i]) >= 0 {
			return strings.ToLower(s[start:i]), start
		}
	}
	return "", start
}

// maxRoots is how often the body and html elements may begin. Each time the
// parser looks at all attributes that they have had before.
const maxRoots = 50

// isMarkup reports whether what is behind a "<" makes an element or a comment of it.
// An end tag closes one, or is nothing.
func isMarkup(rest string) bool {
	switch {
	case rest == "":
		return false
	case rest[0] == '!' || rest[0] == '?':
		return true
	case rest[0] == '/':
		return len(rest) > 1 && !isLetter(rest[1])
	}
	return isLetter(rest[0])
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// laidOut reports whether source has few enough tags and comments to be laid out.
func laidOut(source string, tags int) bool {
	roots := 0
	for rest := source; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			return true
		}
		rest = rest[i+1:]
		if !isMarkup(rest) {
			continue
		}
		if name := rest[:min(len(rest), len("body"))]; strings.EqualFold(name, "body") || strings.EqualFold(name, "html") {
			roots++
		}
		if tags--; tags < 0 || roots > maxRoots {
			return false
		}
	}
}
