// Package printable makes text of foreign origin safe to be shown: what steers
// a terminal, or hides from the eye, comes out as the escape that a programmer
// would write for it, such as \x1b or \u202e. So nothing of it acts, and people
// still see what was there.
//
// Steering are all controls (C0, DEL, C1), also as octets that are not UTF-8;
// the marks and changes of direction (Unicode Standard Annex 9); line and
// paragraph separators; and all that has no width: joiners, fillers, selectors,
// soft hyphens, tags. All functions are safe for concurrent use.
package printable

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Steers reports whether a terminal obeys r, or shows nothing for it.
func Steers(r rune) bool {
	if r < 0x7f {
		return r < ' '
	}
	if r < 0xad { // the first of the others
		return r < 0xa0
	}
	const brailleBlank, firstTag, lastTag = 0x2800, 0xe0000, 0xe0fff
	isTag := r >= firstTag && r <= lastTag
	return isTag || r == brailleBlank || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point,
		unicode.Variation_Selector)
}

// Line returns text on one line: line ends and tabs become blanks.
func Line(text string) string {
	return escape(text, func(r rune) string {
		if r == '\n' || r == '\t' {
			return " "
		}
		return ""
	})
}

// Text returns text with its line ends, each of them LF, and its tabs.
func Text(text string) string {
	return escape(text, func(r rune) string {
		if r == '\n' || r == '\t' {
			return string(r)
		}
		return ""
	})
}

// escape writes keep(r) for what steers, and where that is empty its escape.
// CR before LF is a part of that line end.
func escape(text string, keep func(rune) string) string {
	if clean(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\r' && i+1 < len(text) && text[i+1] == '\n':
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !Steers(r):
			b.WriteString(text[i : i+n])
		default:
			b.WriteString(or(keep(r), named(r)))
		}
		i += n
	}
	return b.String()
}

// clean reports that there is nothing to escape.
func clean(text string) bool {
	for i := range len(text) {
		isASCII := text[i]-' ' < utf8.RuneSelf-1-' ' // without controls, which most text is
		if !isASCII {
			return utf8.ValidString(text[i:]) && strings.IndexFunc(text[i:], Steers) < 0
		}
	}
	return true
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// named is the escape for r.
func named(r rune) string {
	switch {
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// JSON returns an encoded JSON value in which everything that steers is written
// as JSON has it in ASCII (RFC 8259 section 7). All of it is within strings, but
// for the line ends of an indented value, which stay.
func JSON(encoded string) string {
	if clean(strings.ReplaceAll(encoded, "\n", "")) {
		return encoded
	}
	var b strings.Builder
	for _, r := range encoded {
		switch {
		case r == '\n' || !Steers(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Args returns arguments for a function of fmt that put only one line of
// printable text each into the result, whatever their type and verb. Numbers stay what
// they are, so that they can be a width.
func Args(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = a
		if !harmless(a) {
			out[i] = argument{a}
		}
	}
	return out
}

// harmless reports a value that fmt writes in digits, or in letters of its own.
// The other kinds of numbers may be runes.
func harmless(a any) bool {
	switch a.(type) {
	case nil, bool, int, int64, float64:
		return true
	}
	return false
}

// argument formats its value as fmt would, and makes the result printable.
type argument struct{ value any }

// Format is for fmt. A text is made printable before it is padded, so that
// columns stand below each other.
func (a argument) Format(f fmt.State, verb rune) {
	format := fmt.FormatString(f, verb)
	plain := verb == 'v' && !f.Flag('#') && !f.Flag('+')
	if verb == 's' || plain {
		fmt.Fprintf(f, format, Line(fmt.Sprintf("%"+string(verb), a.value)))
		return
	}
	_, _ = io.WriteString(f, Line(fmt.Sprintf(format, a.value)))
}
