// Package ascii has the classes of ASCII characters that grammars are made of. Of
// other characters none is in any of them.
package ascii

// IsLetter reports a letter, of either case.
func IsLetter[C byte | rune](c C) bool {
	lower := c >= 'a' && c <= 'z'
	upper := c >= 'A' && c <= 'Z'
	return lower || upper
}

// IsDigit reports a decimal digit.
func IsDigit[C byte | rune](c C) bool { return c >= '0' && c <= '9' }

// IsAlnum reports a letter or a digit.
func IsAlnum[C byte | rune](c C) bool { return IsLetter(c) || IsDigit(c) }
