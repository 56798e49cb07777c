package ascii_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ascii"
)

func TestClasses(t *testing.T) {
	const letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0123456789"
	for c := rune(0); c < 0x250; c++ {
		letter, digit := strings.ContainsRune(letters, c), strings.ContainsRune(digits, c)
		if ascii.IsLetter(c) != letter || ascii.IsDigit(c) != digit || ascii.IsAlnum(c) != (letter || digit) {
			t.Errorf("%q: letter %v, digit %v", c, ascii.IsLetter(c), ascii.IsDigit(c))
		}
	}
}
