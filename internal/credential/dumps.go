package credential

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// dumpLine is a line of a dump, as curl --trace, xxd, hexdump, openssl and tcpdump
// write it: offset, octets, and the octets once more as text.
type dumpLine struct {
	line region
	from int // of its octets in the whole dump
}

const (
	minOctets = 4 // of a line, unless it follows a full one
	maxOctets = 32
)

// dumps reads dumps, and takes out the lines in which a credential is.
func (s *scan) dumps() {
	var lines []dumpLine
	var octets []byte
	flush := func() {
		if len(octets) >= minEncoded {
			s.dump(lines, octets)
		}
		lines, octets = nil, nil
	}
	for at := 0; at < len(s.text); {
		end := len(s.text)
		if i := strings.IndexByte(s.text[at:], '\n'); i >= 0 {
			end = at + i
		}
		line := s.text[at:min(end, at+300)]
		data := dumped(line)
		if groups(line) > 4 {
			if m := dumpStart().FindStringSubmatchIndex(line); m != nil {
				if rest := dumped(line[m[2]:]); len(rest) > len(data) {
					data = rest
				}
			}
		}
		if len(data) < minOctets && (len(octets) == 0 || len(octets)%16 != 0) {
			data = nil
		}
		if data == nil && len(octets) > 0 && strings.ContainsAny(line, "=>*") { // curl divides what it sent at once
			data = []byte{}
		}
		if data == nil {
			flush()
		} else if len(data) > 0 {
			lines = append(lines, dumpLine{region{at, end}, len(octets)})
			octets = append(octets, data...)
		}
		at = end + 1
	}
	flush()
}

// dumpStart is where a dump begins behind what a log puts before each line.
var dumpStart = lazyregexp.New(`(?:^|[ \t|>:\]])((?:[0-9A-Fa-f]{4,8}(?:h|:| -)?[ \t+]+)?(?:[0-9A-Fa-f]{2}){1,2}(?:[ :+-]{1,2}(?:[0-9A-Fa-f]{2}){1,2}){5})`)

// dump looks into the octets of a dump.
func (s *scan) dump(lines []dumpLine, octets []byte) {
	if s.depth >= maxDepth {
		return
	}
	text := make([]byte, len(octets))
	for i, c := range octets {
		if text[i] = c; c < ' ' && c > 1 && c != '\r' && c != '\x1b' {
			text[i] = '\n'
		}
	}
	inner := s.f.scan(string(text), s.depth+1)
	spots := slices.Concat(inner.found, inner.maybe)
	for _, plain := range unwrapped(string(text)) {
		if s.f.scan(plain, s.depth+1).any { // somewhere in it
			spots = []region{{0, len(octets)}}
		}
	}
	if len(spots) == 0 {
		return
	}
	s.any = true
	for _, spot := range spots { // decoding what else is in the text may break the dump
		data := octets[max(0, spot.start):min(len(octets), spot.end)]
		pairs := hex.EncodeToString(data)
		s.f.contain(fmt.Sprintf("% x", data))
		s.f.contain(inFours(pairs, 4))
		s.f.contain(inFours(pairs, 2))
	}
	for i, l := range lines {
		to := len(octets)
		if i+1 < len(lines) {
			to = lines[i+1].from
		}
		if slices.ContainsFunc(spots, func(spot region) bool { return spot.start < to && spot.end > l.from }) {
			s.found = append(s.found, l.line)
		}
	}
}

// inFours are digits in groups of four, the first of them with n digits.
func inFours(digits string, n int) string {
	var b strings.Builder
	for ; len(digits) > n; n = 4 {
		b.WriteString(digits[:n] + " ")
		digits = digits[n:]
	}
	return b.String() + digits
}

// dumped is what the octets of a line of a dump are, nil when it is none: an
// offset, perhaps, then groups of two, four or eight digits.
func dumped(line string) []byte {
	rest := strings.TrimPrefix(strings.TrimLeft(line, " \t|"), "0x")
	n := hexDigits(rest)
	if n < 2 || n > 8 || n == len(rest) {
		return nil
	}
	bare := n == 2 && strings.IndexByte(" :-+", rest[2]) >= 0 && manyGroups().MatchString(rest)
	if !bare {
		after := strings.TrimLeft(rest[n:], ":h- \t+")
		if len(after) == len(rest)-n || n < 4 && rest[n] != ':' && !strings.HasPrefix(rest[n:], " - ") {
			return nil
		}
		rest = after
	}
	var out []byte
	for len(out) < maxOctets {
		n := hexDigits(rest)
		if n != 2 && n != 4 && n != 8 || n < len(rest) && strings.IndexByte(" :-\t|+", rest[n]) < 0 {
			break
		}
		group, _ := hex.DecodeString(rest[:n])
		out = append(out, group...)
		left := strings.TrimLeft(rest[n:], " :-\t+")
		blanks := len(rest) - n - len(left)
		if rest = left; blanks > 2 || len(out)%16 == 0 && (blanks > 1 || !manyGroups().MatchString(rest)) {
			break
		}
	}
	return out
}

// manyGroups are octets, and not by chance letters that are digits too.
var manyGroups = lazyregexp.New(`^(?:[0-9A-Fa-f]{2}){1,2}(?:[ :+-](?:[0-9A-Fa-f]{2}){1,2}){5}`)

// groups is how many words of line are octets in hexadecimal.
func groups(line string) int {
	count := 0
	for at := 0; at < len(line); at++ {
		n := hexDigits(line[at:])
		if (n == 2 || n == 4) && (at+n == len(line) || strings.IndexByte(" +", line[at+n]) >= 0) {
			count++
		}
		if i := strings.IndexAny(line[at:], " +"); i >= 0 {
			at += i
		} else {
			break
		}
	}
	return count
}

// hexDigits is how many hexadecimal digits text begins with.
func hexDigits(text string) int {
	n := 0
	for n < len(text) && ofHex(text[n]) {
		n++
	}
	return n
}
