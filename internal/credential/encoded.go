package credential

import (
	"encoding/hex"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// minEncoded is how many octets base64 must have to be opened, and minHex
// hexadecimal digits.
const (
	minEncoded = 16
	minHex     = 24
)

// base64 opens what is base64 of text, over the lines of mail programs, and
// looks for SASL responses and for what else holds a credential.
func (s *scan) base64() {
	for i := 0; i < len(s.text); {
		if !ofBase64(s.text[i]) {
			i++
			continue
		}
		if end := s.run(i, ofBase64); end-i < minEncoded {
			i = end
			continue
		}
		pieces := s.wrapped(i, ofBase64)
		i = pieces[len(pieces)-1].end
		if s.opens(pieces) || len(pieces) == 1 {
			continue
		}
		for n := range pieces { // lines that are base64 each for itself
			s.opens(pieces[n : n+1])
		}
	}
}

// opens reports whether the pieces are base64 of something that holds a
// credential.
func (s *scan) opens(pieces []region) bool {
	run := s.value(pieces)
	if len(run) < minEncoded || s.covered(pieces[0]) {
		return false
	}
	// What stands before it may look like a part of it, such as the n of \n.
	skip := 0
	for ; skip < 4; skip++ {
		if head, ok := decoded(run[skip:min(len(run), skip+64)]); ok && mayBeText(head) {
			break
		}
	}
	inner, ok := decoded(run[min(skip, len(run)):])
	if skip == 4 || !ok {
		return false
	}
	start, end := pieces[0].start, pieces[len(pieces)-1].end
	if printable(inner) && s.inResponse(inner) {
		s.mark(start, end, run, true)
		return true
	}
	inner, ok = asText(inner)
	return ok && s.open(pieces, inner)
}

// covered reports whether the piece is in what was found already.
func (s *scan) covered(p region) bool {
	for i := len(s.found) - 1; i >= 0 && i >= len(s.found)-8; i-- {
		if s.found[i].start <= p.start && p.end <= s.found[i].end {
			return true
		}
	}
	return false
}

// mayBeText reports whether data, of which the end may be missing, begins as
// text does, in UTF-8 or UTF-16.
func mayBeText(data string) bool {
	if isUTF16(data) {
		return true
	}
	return printable(data[:max(0, len(data)-utf8.UTFMax)])
}

// asText is data as text, which may be UTF-16: PowerShell encodes so.
func asText(data string) (string, bool) {
	if isUTF16(data) {
		units := make([]uint16, 0, len(data)/2)
		for i := 0; i+1 < len(data); i += 2 {
			units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
		}
		return string(utf16.Decode(units)), true
	}
	return data, printable(data)
}

// isUTF16 reports whether nearly every second octet is NUL.
func isUTF16(data string) bool {
	zeros := 0
	for i := 1; i < len(data); i += 2 {
		if data[i] == 0 && data[i-1] != 0 {
			zeros++
		}
	}
	return len(data) >= 8 && zeros*10 >= len(data)/2*9
}

// printable reports text, which may have line ends, tabs, and the two octets
// that divide the parts of SASL responses.
func printable(text string) bool {
	cut := 0
	for !utf8.ValidString(text) && cut < utf8.UTFMax && text != "" { // where it was cut off
		text, cut = text[:len(text)-1], cut+1
	}
	if !utf8.ValidString(text) {
		return false
	}
	odd := 0 // an escape sequence is not chance
	for _, r := range text {
		if r > 1 && r != '\n' && r != '\r' && r != '\t' && !unicode.IsPrint(r) {
			odd++
		}
	}
	return odd*16 <= len(text) && (odd == 0 || len(text) >= minEncoded)
}

// hexadecimal opens runs of hexadecimal digits.
func (s *scan) hexadecimal() {
	for i := 0; i < len(s.text); {
		if !ofHex(s.text[i]) {
			i++
			continue
		}
		end := s.run(i, ofHex)
		if end-i < minHex || i > 0 && alnum(s.text[i-1]) && s.text[i-1] != 'x' || end < len(s.text) && alnum(s.text[end]) {
			i = end
			continue
		}
		pieces := s.wrapped(i, ofHex)
		i = pieces[len(pieces)-1].end
		run := s.value(pieces)
		if data, err := hex.DecodeString(run[:len(run)&^1]); err == nil {
			if text, ok := asText(string(data)); ok {
				if s.inResponse(text) {
					s.mark(pieces[0].start, i, run, true)
				} else {
					s.open(pieces, text)
				}
			}
		}
	}
}

func ofHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
