package paste

import (
	"bytes"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/loglines"
)

// source is the text itself.
type source struct {
	text  string // cleaned
	lower string // text with its ASCII letters in lower case
	views []view // the text squeezed, and squeezed without the prefixes of lines
}

func newSource(text string) *source {
	s := &source{text: text, lower: asciiLower(text), views: []view{newView(text, nil)}}
	if cuts := linePrefixes(text); len(cuts) > 0 {
		s.views = append(s.views, newView(text, cuts))
	}
	return s
}

// view is a squeezed text whose octets know where they came from.
type view struct {
	letters []byte
	at      []int32 // position in source.text
}

// region is a piece of source.text.
type region struct{ start, end int }

// around is the region's text with so many octets before and after it.
func (s *source) around(at region, before, after int) string {
	return s.text[max(0, at.start-before):min(len(s.text), at.end+after)]
}

// distance is how many octets are between two regions, 0 where they overlap.
func (r region) distance(other region) int { return max(r.start-other.end, other.start-r.end, 0) }

// letterOrDigit reports an octet that Squeeze keeps.
func letterOrDigit(c byte) bool { return diagnosis.SqueezeOctet(c) != 0 }

// newView squeezes the text, leaving out the cuts, which are in order.
func newView(text string, cuts []region) view {
	v := view{letters: make([]byte, 0, len(text)), at: make([]int32, 0, len(text))}
	for i := 0; i < len(text); i++ {
		for len(cuts) > 0 && i >= cuts[0].end {
			cuts = cuts[1:]
		}
		if len(cuts) > 0 && i >= cuts[0].start {
			i = cuts[0].end - 1
			continue
		}
		if c := diagnosis.SqueezeOctet(text[i]); c != 0 {
			v.letters = append(v.letters, c)
			v.at = append(v.at, int32(i))
		}
	}
	return v
}

// linePrefixes are what is before the words of each line but the first.
func linePrefixes(text string) []region {
	var cuts []region
	lines := strings.SplitAfter(text, "\n")
	for i, start := 0, 0; i < len(lines); i++ {
		n := loglines.Known(lines[i])
		if i > 0 {
			n = max(n, loglines.Shared(lines[i-1], lines[i]))
		}
		if i > 0 && i+1 < len(lines) {
			n = max(n, loglines.Shared(lines[i+1], lines[i]))
		}
		// The first line of all keeps its prefix: it is where the words begin.
		if n > 0 && start > 0 {
			cuts = append(cuts, region{start, start + n})
		}
		start += len(lines[i])
	}
	return cuts
}

const (
	maxOccurrences = 16   // of one phrase in one text
	wordWindow     = 2500 // squeezed octets in which all words of a rule lie
)

// words finds the places where all words lie near the first.
func (s *source) words(words []string) []region {
	var found []region
	for _, v := range s.views {
		for from := 0; len(found) < maxOccurrences; {
			i := bytes.Index(v.letters[from:], []byte(words[0]))
			if i < 0 {
				break
			}
			i += from
			from = i + len(words[0])
			if v.near(i, words[1:]) {
				found = append(found, region{int(v.at[i]), int(v.at[from-1]) + 1})
			}
		}
	}
	return found
}

func (v view) near(i int, words []string) bool {
	around := v.letters[max(0, i-wordWindow):min(len(v.letters), i+wordWindow)]
	for _, w := range words {
		if !bytes.Contains(around, []byte(w)) {
			return false
		}
	}
	return true
}

// maxLine is how far a line is followed to either side, in octets.
const maxLine = 4 << 10

// line is the line around a position, without its end.
func (s *source) line(at int) region {
	first, last := max(0, at-maxLine), min(len(s.text), at+maxLine)
	start := first + strings.LastIndexByte(s.text[first:at], '\n') + 1
	if end := strings.IndexByte(s.text[at:last], '\n'); end >= 0 {
		last = at + end
	}
	return region{start, last}
}

// alone reports whether the text is nothing but this code, as people type it.
func (s *source) alone(q pastedReply) bool {
	return strings.TrimSpace(s.text) == s.text[q.start:q.end]
}

// nearMail reports whether mail, and not just any sign-in, is spoken of nearby.
func (s *source) nearMail(at region) bool {
	near := s.lower[max(0, at.start-600):min(len(s.lower), at.end+600)]
	return slices.ContainsFunc(mailServices, func(w string) bool { return strings.Contains(near, w) })
}

var mailServices = []string{
	"smtp", "mail", "exchange", "outlook", "office365", "office 365", "o365", "m365", "storedrv",
}

// aboutMail reports whether mail is spoken of near the code.
func (s *source) aboutMail(q pastedReply) bool {
	return mailWords.Get().MatchString(s.around(q.region(), 200, 200))
}

var mailWords = lazyregexp.New(`(?i)smtp|mail|auth|recipient|sender|delivery|exchange|outlook|submi|ndr\b|dsn\b|office ?365`)

// severalWords reports whether what looks like a name is several words ("file
// not found" holds "ENOTFOUND"), and not one that a line end has cut.
func (s *source) severalWords(at region) bool {
	return strings.Contains(s.text[at.start:at.end], " ") && !strings.Contains(s.text[at.start:at.end], "\n")
}

// isSetting reports whether the words are the name of a setting ("timeout=300").
func (s *source) isSetting(at region) bool {
	return settingValue.Get().MatchString(s.around(region{at.end, at.end}, 0, 16))
}

var settingValue = lazyregexp.New(`^(?:["'\]] ?(?:=>?|:)| ?=>?) ?["']?\d`)

// wrappedMarks are Exchange's host names with a line end inside.
func (s *source) wrappedMarks() []mark {
	var out []mark
	for _, name := range []string{"prodoutlookcom", "prodprotectionoutlookcom", "prodexchangelabscom", "office365com"} {
		for _, at := range s.words([]string{name}) {
			if strings.Contains(s.text[at.start:at.end], "\n") {
				out = append(out, mark{start: at.start, end: at.end, microsoft: true})
			}
		}
	}
	return out
}

func asciiLower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
