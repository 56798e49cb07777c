package enaio

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// readProperties reads Java's format (java.util.Properties.load): comments from
// # or !, keys that end at =, : or a blank, lines that go on after a backslash,
// and the escapes \t \n \r \f \uXXXX; any other character after a backslash
// stands for itself.
func readProperties(text string) ([]pair, error) {
	var pairs pairs
	in := &lineReader{rest: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)}
	for line, more := in.next(); more; line, more = in.next() {
		first := in.number
		line = strings.TrimLeft(line, " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		var whole strings.Builder
		for goesOn(line) {
			another, more := in.next()
			if !more {
				break
			}
			whole.WriteString(line[:len(line)-1])
			line = strings.TrimLeft(another, " \t\f")
		}
		whole.WriteString(line)
		key, value := splitProperty(whole.String())
		key, okKey := unescape(key)
		value, okValue := unescape(value)
		if !okKey || !okValue {
			return nil, &SyntaxError{Line: first, Reason: `has a \u without four hexadecimal digits after it`}
		}
		if err := pairs.add(first, pair{key: key, text: value}); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// goesOn reports an odd number of backslashes at the end.
func goesOn(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty finds the end of the key: the first =, : or blank that is not
// escaped. Blanks and one = or : after it belong to neither part.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:end], value
}

// unescape resolves backslashes. \u gives UTF-16, so a character beyond the
// first plane is two of them.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			units, length, ok := unicodeEscapes(s[i-1:])
			if !ok {
				return "", false
			}
			b.WriteString(string(utf16.Decode(units)))
			i += length - 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), true
}

// unicodeEscapes reads the run of \uXXXX at the start of s.
func unicodeEscapes(s string) (units []uint16, length int, ok bool) {
	for strings.HasPrefix(s[length:], `\u`) {
		if len(s) < length+6 {
			return nil, 0, false
		}
		n, err := strconv.ParseUint(s[length+2:length+6], 16, 16)
		if err != nil {
			return nil, 0, false
		}
		units = append(units, uint16(n))
		length += 6
	}
	return units, length, true
}
