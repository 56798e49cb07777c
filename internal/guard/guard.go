// Package guard says of JSON and YAML how many values they hold and how deep,
// before a parser takes memory for them: a value of one octet becomes a hundred
// or more.
package guard

import "strings"

// JSON returns how many values text holds at most, the names in objects
// included, and how deep objects and arrays are nested. The text need not be
// JSON.
func JSON(text string) (values, depth int) {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i+1)
		case '{', '[':
			values++
			open++
			depth = max(depth, open)
		case '}', ']':
			open--
		case ',', ':':
			values++
		}
	}
	return values + 1, depth
}

// endOfString is the place of the quote that ends a string.
func endOfString(text string, i int) int {
	for ; i < len(text); i++ {
		n := strings.IndexAny(text[i:], `"\`)
		if n < 0 {
			return len(text)
		}
		if i += n; text[i] == '"' {
			return i
		}
		i++
	}
	return i
}

// YAML returns how many values text could hold, counted by the signs that can
// begin one: ends of lines, commas, brackets, and colons, dashes and question
// marks with a blank after them. A parser makes at most twice as many of it.
// Signs in quoted texts and in texts of several lines count, too, because what is
// such a text only the parser knows. A directive, such as %TAG, counts as many: the
// parser compares each with all before it, and each tag with all of them.
func YAML(text string) (signs int) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '%':
			if beginsLine(text[:i]) {
				signs += directive
			}
		case '\n', '\r', ',', '[', '{':
			signs++
		case '-', '?', ':':
			afterKey := c == ':' && i > 0 && strings.IndexByte("\"']}", text[i-1]) >= 0
			if afterKey || ends(text[i+1:]) {
				signs++
			}
		}
	}
	return signs + 1
}

// directive is how many signs a directive counts as.
const directive = 1000

// beginsLine reports whether what follows before begins a line for YAML, which has
// ends of lines beyond ASCII, too.
func beginsLine(before string) bool {
	if before == "" {
		return true
	}
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029", "\ufeff"} {
		if strings.HasSuffix(before, end) {
			return true
		}
	}
	return false
}

// ends reports whether rest is after the end of a word. YAML has blanks beyond
// ASCII, too.
func ends(rest string) bool {
	return rest == "" || rest[0] >= 0x80 || strings.IndexByte(" \t\r\n,[]{}\"'", rest[0]) >= 0
}
