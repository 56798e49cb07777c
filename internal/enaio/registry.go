package enaio

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf16"
)

// readRegistry reads an export of regedit: version 5 (UTF-16, or UTF-8 after an
// editor) and REGEDIT4. Values that are neither text nor number, and what the file
// would delete, are left out; so are default values (@), which have no name.
func readRegistry(text string) ([]pair, error) {
	var pairs pairs
	var path string
	wide := true // hex strings are UTF-16
	in := &lineReader{rest: text}
	for line, more := in.next(); more; line, more = in.next() {
		line = strings.TrimSpace(line)
		number := in.number
		switch {
		case line == "" || line[0] == ';' || line[0] == '@' || strings.HasPrefix(line, "Windows Registry Editor"):
			continue
		case line == "REGEDIT4":
			wide = false
			continue
		case line[0] == '[':
			path = strings.Trim(line, "[]")
			continue
		}
		name, data, ok := registryName(line)
		if !ok {
			return nil, &SyntaxError{Line: number, Reason: `is neither [key] nor "name"=value`}
		}
		data = wholeValue(data, in)
		value, known, ok := registryValue(data, wide)
		if !ok {
			return nil, &SyntaxError{Line: number, Reason: "has a value that cannot be read"}
		}
		if known {
			if err := pairs.add(number, pair{path: path, key: name, text: value}); err != nil {
				return nil, err
			}
		}
	}
	return pairs, nil
}

// wholeValue adds the lines that a value goes on in: hexadecimal ones behind a
// backslash, texts as they are until their closing quote.
func wholeValue(data string, in *lineReader) string {
	var b strings.Builder
	if text, ok := strings.CutPrefix(data, `"`); ok {
		b.WriteString(data)
		for line, more := text, true; !hasQuote(line); {
			if line, more = in.next(); !more {
				break
			}
			b.WriteString("\n" + strings.TrimSuffix(line, "\r"))
		}
		return b.String()
	}
	for strings.HasSuffix(data, `\`) {
		line, more := in.next()
		if !more {
			break
		}
		b.WriteString(strings.TrimSuffix(data, `\`))
		data = strings.TrimSpace(line)
	}
	b.WriteString(data)
	return b.String()
}

// hasQuote reports a quote that is not escaped.
func hasQuote(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return true
		}
	}
	return false
}

// registryName takes "name"= from the front of a line.
func registryName(line string) (name, rest string, ok bool) {
	name, rest, ok = registryString(line)
	rest = strings.TrimSpace(rest)
	if !ok || !strings.HasPrefix(rest, "=") {
		return "", "", false
	}
	return name, strings.TrimSpace(rest[1:]), true
}

// registryString reads a string in quotes, in which \\ and \" are escaped.
func registryString(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// registryValue reads what is after the =. known is false for kinds that
// hold no setting: binary data, lists, deletions.
func registryValue(data string, wide bool) (value string, known, ok bool) {
	kind, digits, _ := strings.Cut(data, ":")
	switch strings.ToLower(kind) {
	case "dword":
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 32)
		return strconv.FormatUint(n, 10), true, err == nil
	case "hex(1)", "hex(2)":
		octets, ok := registryHex(digits)
		return hexString(octets, wide), true, ok
	case "hex(4)", "hex(b)":
		octets, ok := registryHex(digits)
		return littleEndian(octets), true, ok && len(octets) <= 8
	}
	if strings.HasPrefix(data, `"`) {
		value, _, ok := registryString(data)
		return value, true, ok
	}
	return "", false, data == "-" || strings.HasPrefix(strings.ToLower(kind), "hex")
}

func registryHex(digits string) ([]byte, bool) {
	octets, err := hex.DecodeString(strings.NewReplacer(",", "", " ", "", "\t", "").Replace(digits))
	return octets, err == nil
}

// hexString reads the octets of a string up to its NUL.
func hexString(octets []byte, wide bool) string {
	var runes []rune
	if wide {
		units := make([]uint16, len(octets)/2)
		for i := range units {
			units[i] = uint16(octets[2*i]) | uint16(octets[2*i+1])<<8
		}
		runes = utf16.Decode(units)
	} else {
		for _, b := range octets {
			runes = append(runes, rune(b))
		}
	}
	text, _, _ := strings.Cut(string(runes), "\x00")
	return text
}

func littleEndian(octets []byte) string {
	var n uint64
	for i, b := range octets {
		n |= uint64(b) << (8 * (i % 8))
	}
	return strconv.FormatUint(n, 10)
}
