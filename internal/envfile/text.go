package envfile

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrEncoding says that data is no text that we can read.
var ErrEncoding = errors.New("is neither UTF-8 nor UTF-16 with a byte order mark")

// Decode returns text in UTF-8 without byte order mark. UTF-16 is known by
// its mark; what is neither gives ErrEncoding.
func Decode(data []byte) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return decodeUTF16(data[2:], 0)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return decodeUTF16(data[2:], 1)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(text) {
		return "", ErrEncoding
	}
	return text, nil
}

// decodeUTF16 reads UTF-16; bigEndian is 0 or 1, the place of the lower octet.
func decodeUTF16(data []byte, bigEndian int) (string, error) {
	if len(data)%2 != 0 {
		return "", ErrEncoding
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i+bigEndian]) | uint16(data[2*i+1-bigEndian])<<8
	}
	return string(utf16.Decode(units)), nil
}
