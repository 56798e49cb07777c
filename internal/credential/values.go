package credential

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

const maxValue = 1 << 10 // octets of a value in one line, unless it is all letters and digits

// take takes the value at v, and returns where to go on.
func (s *scan) take(v place) int {
	if start, end, ok := s.quoted(v.at); ok && !v.element {
		return s.takeQuoted(v, start, end)
	}
	if pieces := s.wrapped(v.at, ofToken); len(pieces) > 1 && s.plausible(s.value(pieces)) && (!v.strict || tokenLike(s.value(pieces))) {
		s.mark(v.at, pieces[len(pieces)-1].end, s.value(pieces), true)
		return pieces[len(pieces)-1].end
	}
	end := s.run(v.at, inValue)
	if v.element {
		end = v.at + len(content().FindString(part(s.text, v.at, maxValue)))
	}
	value := strings.TrimRight(s.text[v.at:end], ".")
	switch {
	case !v.assign:
		s.takeBlank(v)
	case v.colon && s.inSentence(end):
		s.takeWord(v)
	case v.strict && !tokenLike(value):
	default:
		if s.plausible(value) {
			s.mark(v.at, end, value, true)
		}
		s.further(v, end)
	}
	return end
}

// content is that of an XML element.
var content = lazyregexp.New(`^(?:[^<&]|&[^l]|&l[^t])*`)

// field is what stands from at to the next blank, or to the end of a text in
// quotes around it.
func (s *scan) field(at int) (value string, end int) {
	end = s.run(at, func(c byte) bool { return c > ' ' })
	if m := quoteEnds().FindStringIndex(s.text[at:end]); m != nil {
		end = at + m[0]
	}
	return strings.TrimRight(s.text[at:end], ".,;:)]}"), end
}

var quoteEnds = lazyregexp.New(`\\?["'](?:[,:;)}\]]|$)`)

// inValue reports what surely belongs to a value without quotes.
func inValue(c byte) bool { return c > ' ' && strings.IndexByte("\"'<>`,;&|(){}[]\\", c) < 0 }

// takeQuoted takes a value in quotes.
func (s *scan) takeQuoted(v place, start, end int) int {
	value := s.text[start:end]
	if pieces := s.wrapped(start, ofToken); len(pieces) > 1 && pieces[0].end <= end || pieces[0].end > end {
		value, end = s.value(pieces), pieces[len(pieces)-1].end
	}
	if s.plausible(value) && (!v.strict || tokenLike(value)) {
		s.mark(start, end, value, true)
	}
	return end
}

// takeBlank takes a value that only blanks divide from its name: an option of a
// command, a line of msmtp's or netrc's, of a list of the environment.
func (s *scan) takeBlank(v place) {
	value, end := s.field(v.at)
	if !s.plausible(value) || v.strict && !tokenLike(value) {
		return
	}
	before := s.before(v.name)
	option := strings.HasSuffix(before, "-")
	column := s.startsLine(before) && (s.endsLine(end) || strings.HasSuffix(s.text[:v.at], "  ") || strings.HasSuffix(s.text[:v.at], "\t"))
	if !option && !column {
		if !v.word {
			s.takeWord(v)
		}
		return
	}
	s.mark(v.at, end, value, true)
	s.further(v, end)
}

// takeWord takes what follows the name of a credential in a sentence, when it is
// no word.
func (s *scan) takeWord(v place) {
	value, end := s.field(v.at)
	if len(value) >= 6 && !word(value) && strings.ToUpper(value) != value && value[0] != '[' && value[0] != '(' && s.plausible(value) {
		s.mark(v.at, end, value, false)
	}
}

// further remembers as likely what goes on behind the sure part of a value: up to
// the next blank, and to the end of a line that its name begins.
func (s *scan) further(v place, end int) {
	whole := s.startsLine(s.before(v.name)) && s.text[v.at-1] != ' '
	if end == len(s.text) || !whole && s.text[end] <= ' ' {
		return
	}
	line := s.text[v.at:]
	if i := strings.IndexByte(line[:min(len(line), maxValue)], '\n'); i >= 0 {
		line = line[:i]
	}
	line = strings.TrimRight(line[:min(len(line), maxValue)], "\r \t")
	if next := nextField().FindStringIndex(line); next != nil {
		line = line[:next[0]]
	}
	if blank := strings.IndexAny(line, " \t"); blank >= 0 && !whole {
		line = line[:blank]
	}
	if line = strings.TrimRight(line, `"',;)}]`); len(line) > end-v.at && s.plausible(line) {
		s.mark(v.at, v.at+len(line), line, false)
	}
}

// nextField is where another field of a form, a list or a connection string
// begins.
var nextField = lazyregexp.New(`[&;,][ \t]*["']?[A-Za-z][\w .-]{0,40}["']?[ \t]*(?:=|: )`)

// before is what stands before a name in its line, behind what a log or a
// quotation puts before each line.
func (s *scan) before(name int) string {
	near := s.text[max(0, name-200):name]
	near = near[strings.LastIndexByte(near, '\n')+1:]
	return near[lead(near):]
}

// startsLine reports whether before, which stands before a name, is nothing but
// what shells, files and quotations put there.
func (s *scan) startsLine(before string) bool { return leads().MatchString(before) }

var leads = lazyregexp.New(`^[\s>|*#;"'\[\-+]*(?i:export |set |declare -x |setx |local |readonly |\$?env:|environment=|- )?["']?$`)

func (s *scan) endsLine(at int) bool {
	rest := strings.TrimLeft(part(s.text, at, 40), " \t\r")
	return rest == "" || rest[0] == '\n'
}

// inSentence reports whether words go on behind the value that ends at end.
func (s *scan) inSentence(end int) bool { return sentence().MatchString(part(s.text, end, 60)) }

var sentence = lazyregexp.New(`^[.,;]?[ \t]+[A-Za-z]{2,}[ \t,.:;]`)

// quoted returns the inside of a text in quotes that begins at at. Within JSON
// in JSON backslashes stand before the quotes, and as many before the closing
// one.
func (s *scan) quoted(at int) (start, end int, ok bool) {
	level := 0
	for at+level < len(s.text) && s.text[at+level] == '\\' {
		level++
	}
	start = at + level
	near := part(s.text, start, maxValue)
	for _, quote := range []string{`"`, "'", "`", "&quot;", "&#34;", "&#39;", "%22", "%27", "\u201c", "\u2018"} {
		if !strings.HasPrefix(near, quote) {
			continue
		}
		start += len(quote)
		switch quote {
		case "\u201c":
			quote = "\u201d"
		case "\u2018":
			quote = "\u2019"
		}
		end, ok = s.closed(start, quote, level)
		return start, end, ok && end > start
	}
	return 0, 0, false
}

// closed finds the closing quote of a text that begins at start. A quote that is
// not closed in its line ends with it.
func (s *scan) closed(start int, quote string, level int) (int, bool) {
	near := part(s.text, start, maxValue)
	if i := strings.IndexByte(near, '\n'); i >= 0 {
		near = near[:i]
	}
	for from := 0; ; {
		i := strings.Index(near[from:], quote)
		if i < 0 {
			break
		}
		i += from
		back := 0
		for back < i && near[i-1-back] == '\\' {
			back++
		}
		doubled := level == 0 && quote == "'" && strings.HasPrefix(near[i+1:], "'")
		if !doubled && (level == 0 && back%2 == 0 || level > 0 && back <= level) {
			return start + i - min(back, level), true
		}
		from = i + len(quote)
		if doubled {
			from++
		}
	}
	return start + len(strings.TrimRight(near, " \t\r")), true
}

// plausible refuses what stands in the place of a value: names of variables and
// of functions, masks, codes and words of errors.
func (s *scan) plausible(value string) bool {
	return len(value) >= 3 && !noValue().MatchString(value)
}

var noValue = lazyregexp.New(`(?i)^(?:\$[a-z_{(].*|%[a-z_]+%|<[^>]*>|\{\{.*|\*+|x+|\.+|-+|\[?(?:redacted|hidden|masked|removed|secret|omitted|filtered)\]?|/\* secret \*/|` +
	`process\.env.*|os\.environ.*|env\(.*|getenv.*|` +
	`\d{4}-\d\d-\d\d.*|\d{1,2}/\d{1,2}/\d{4}.*|null|nil|none|undefined|true|false|yes|no|not|is|was|are|were|has|have|for|the|and|or|of|in|on|at|to|by|from|with|required|invalid|incorrect|wrong|expired|missing|empty|unknown|failed|failure|error|provided|` +
	`string|object|number|bool|boolean|password|token|bearer|basic|aadsts\d.*|[245]\d\d|[245]\.\d{1,3}\.\d{1,3}|\d{1,3}|https?|https?://[^@]*)$`)

// tokenLike is what a value must be where a name may mean something else.
func tokenLike(value string) bool {
	plain, odd := true, false
	for i := range len(value) {
		plain = plain && alnum(value[i])
		odd = odd || !ofToken(value[i]) && value[i] != '='
	}
	return len(value) >= 16 && !odd && digits(value) > 1 && (mixed(value, 16) || plain && len(value) >= 20) && !hostLike().MatchString(value)
}

var hostLike = lazyregexp.New(`(?i)^(?:https?://.*|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:[:/].*)?|[0-9a-f]{8}-[0-9a-f-]{27}|[a-z]+(?:_[a-z0-9]+)+|[a-z]+\d{1,6}(?:,.*)?)$`)
