package credential

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/loglines"
)

// maxDepth is how often something is opened that was within what was opened.
const maxDepth = 4

// scan is one look at one text.
type scan struct {
	f     *Found
	text  string
	low   string // with ASCII letters in small
	depth int
	found []region // surely credentials
	maybe []region // likely ones
	any   bool     // something was found, perhaps a likely one
}

// look looks at text, remembers what it finds, and returns what is surely a
// credential in it.
func (f *Found) look(text string, depth int) []region {
	if depth == 0 && text == f.last {
		return slices.Clone(f.inLast)
	}
	s := f.scan(text, depth)
	if depth == 0 {
		f.last, f.inLast = text, slices.Clone(s.found)
	}
	return s.found
}

// scan runs all that knows a form of credentials over text.
func (f *Found) scan(text string, depth int) *scan {
	s := &scan{f: f, text: text, low: lower(text), depth: depth}
	s.webTokens()
	s.shapes()
	s.responses()
	s.schemes()
	s.keys()
	s.calls()
	s.addresses()
	s.dialogues()
	s.columns()
	s.base64()
	s.hexadecimal()
	s.dumps()
	s.likely()
	return s
}

// mark notes that value stands at start to end of the text.
func (s *scan) mark(start, end int, value string, sure bool) {
	s.any = true
	s.f.add(value, sure)
	switch {
	case end == start:
	case sure:
		s.found = append(s.found, region{start, end})
	default:
		s.maybe = append(s.maybe, region{start, end})
	}
}

// open looks at what was encoded in the pieces of the text. When it holds a
// credential, so does its encoded form.
func (s *scan) open(pieces []region, inner string) bool {
	if s.depth >= maxDepth {
		return false
	}
	some := s.f.scan(inner, s.depth+1).any
	for _, plain := range unwrapped(inner) {
		some = s.f.scan(plain, s.depth+1).any || some
	}
	if !some {
		return false
	}
	s.any = true
	for _, p := range pieces {
		s.f.contain(s.text[p.start:p.end])
	}
	s.found = append(s.found, region{pieces[0].start, pieces[len(pieces)-1].end})
	return true
}

// every calls do with each place at which word stands in the small text, until
// the place that do returns; do returns where to go on.
func (s *scan) every(word string, do func(at int) int) {
	for from := 0; from < len(s.low); {
		i := strings.Index(s.low[from:], word)
		if i < 0 {
			return
		}
		from = max(do(from+i), from+i+len(word))
	}
}

// part is the text from at on, no more than n octets of it.
func part(text string, at, n int) string {
	at = min(at, len(text))
	return text[at:min(len(text), at+n)]
}

// run is the end of the octets from at on that are all is.
func (s *scan) run(at int, is func(byte) bool) int {
	for at < len(s.text) && is(s.text[at]) {
		at++
	}
	return at
}

const (
	minWrapped = 16      // octets of a line that may go on in the next one
	maxLine    = 4 << 10 // how far a line is followed
)

// wrapped is the run of octets that are all is from at on, also over the line
// ends that mail programs, terminals, logs and source code put into long runs. It
// returns its pieces.
func (s *scan) wrapped(at int, is func(byte) bool) (pieces []region) {
	for {
		end := s.run(at, is)
		pieces = append(pieces, region{at, end})
		next, ok := s.goesOn(at, end, is)
		if short := end-at < minWrapped && part(s.text, end, 1) != "="; !ok || short && (len(pieces) == 1 || !mixed(s.text[next:s.run(next, is)], minWrapped)) {
			return pieces
		}
		at = next
	}
}

// value is what pieces are together.
func (s *scan) value(pieces []region) string {
	if len(pieces) == 1 {
		return s.text[pieces[0].start:pieces[0].end]
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(s.text[p.start:p.end])
	}
	return b.String()
}

// lineEnd is one of quoted-printable, of a mail program, of a program's string
// (with the operator that joins it to the next), of JSON, of a URL or of HTML.
var lineEnd = lazyregexp.New(`^=?[ \t]*(?:["'][ \t]*[+.&,]?[ \t]*)?[\\\x60^]?(?:\r?\n(?:\r?\n)?|(?:\\+r)?\\+n|(?:%0[Dd])?%0[Aa]|(?:=0D)?=0A|(?:&#(?:13|x0?[dD]);)?&#(?:10|x0?[aA]);|<w?br ?/?>)`)

// goesOn returns where a run from start to end goes on in the next line, behind
// what stands before each line.
func (s *scan) goesOn(start, end int, is func(byte) bool) (int, bool) {
	gap := len(lineEnd().FindString(part(s.text, end, 64)))
	if gap == 0 || strings.Count(s.text[end:end+gap], "\n") > 1 && end-start < 2*minWrapped { // JSON's \r\n has become two
		return 0, false
	}
	at := end + gap
	line := part(s.text, at, maxLine)
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	before := s.text[max(0, start-200):end]
	before = before[strings.LastIndexByte(before, '\n')+1:]
	for _, n := range []int{0, lead(line), loglines.Shared(before, line)} {
		from := at + n
		for from < len(s.text) && strings.IndexByte(" \t\"'+.&", s.text[from]) >= 0 {
			from++
		}
		if to := s.run(from, is); s.isRest(from, to) {
			return from, true
		}
	}
	return 0, false
}

// lead is the length of what stands before the words of a line, perhaps the
// prefixes of several logs.
func lead(line string) int {
	at := 0
	for range 4 {
		n := loglines.Known(line[at:])
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// isRest reports whether the run from start to end is likely to be the rest of
// one in the line before: it fills its line, is quoted, or looks like nothing
// else. A reply code is none, and a word is none.
func (s *scan) isRest(start, end int) bool {
	run := s.text[start:end]
	if run == "" || len(run) == 3 && digits(run) == 3 || word(run) {
		return false
	}
	rest := part(s.text, end, 64)
	return rest == "" || strings.IndexByte("\"'<&,;)]}\\\n\r=", rest[0]) >= 0 || strings.TrimLeft(rest, " \t")[:min(1, len(strings.TrimLeft(rest, " \t")))] == "\n" || mixed(run, 12)
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// ofJWT reports an octet of base64url or a dot.
func ofJWT(c byte) bool { return alnum(c) || c == '-' || c == '_' || c == '.' }

// ofToken reports an octet of a token as HTTP has it (RFC 6750 2.1), but "=".
func ofToken(c byte) bool { return ofJWT(c) || c == '~' || c == '+' || c == '/' }

// ofBase64 reports an octet of either alphabet of base64, but "=".
func ofBase64(c byte) bool { return alnum(c) || c == '+' || c == '/' || c == '-' || c == '_' }

func digits(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			n++
		}
	}
	return n
}

// mixed reports a text of at least n octets with a small letter, a capital one
// and a digit.
func mixed(text string, n int) bool {
	var small, capital, digit bool
	for i := range len(text) {
		c := text[i]
		small = small || c >= 'a' && c <= 'z'
		capital = capital || c >= 'A' && c <= 'Z'
		digit = digit || c >= '0' && c <= '9'
	}
	return len(text) >= n && small && capital && digit
}

// word reports a text of small letters, or of a capital and small ones.
func word(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (i > 0 || c < 'A' || c > 'Z') {
			return false
		}
	}
	return text != ""
}

func lower(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
		return text
	}
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
