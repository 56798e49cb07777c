package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errEncoding says that a file is no text that we can read.
var errEncoding = errors.New("is neither UTF-8 nor UTF-16 with a byte order mark")

// decodeText returns text in UTF-8 without byte order mark. UTF-16 is known by
// its mark.
func decodeText(data []byte) (string, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return decodeUTF16(data[2:], 0)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return decodeUTF16(data[2:], 1)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(text) {
		return "", errEncoding
	}
	return text, nil
}

// decodeUTF16 reads UTF-16; bigEndian is 0 or 1, the place of the lower octet.
func decodeUTF16(data []byte, bigEndian int) (string, error) {
	if len(data)%2 != 0 {
		return "", errEncoding
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i+bigEndian]) | uint16(data[2*i+1-bigEndian])<<8
	}
	return string(utf16.Decode(units)), nil
}

// readLimited reads a file of at most limit octets.
func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAllLimited(f, limit)
}

func readAllLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, nil
}
