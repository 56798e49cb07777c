package paste

import (
	"bytes"
	"sort"
	"strings"
	"sync"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/loglines"
)

// paste is a text made ready for the search.
type paste struct {
	entries []diagnosis.Entry // of the catalogue
	text    string            // cleaned
	lower   string            // text with its ASCII letters in lower case
	tokens  []string          // that the text shows: their claims tell a cause
	views   []view            // the text squeezed, and squeezed without the prefixes of lines
	replies []pastedReply
	numbers []pastedNumber
	marks   []mark
	hosts   []mark
}

// view is a squeezed text whose octets know where they came from.
type view struct {
	letters []byte
	at      []int32 // position in paste.text
}

// region is a piece of paste.text.
type region struct{ start, end int }

// around is the region's text with so many octets before and after it.
func (p *paste) around(at region, before, after int) string {
	return p.text[max(0, at.start-before):min(len(p.text), at.end+after)]
}

// distance is how many octets are between two regions, 0 where they overlap.
func (r region) distance(other region) int { return max(r.start-other.end, other.start-r.end, 0) }

// letterOrDigit reports an octet that Squeeze keeps.
func letterOrDigit(c byte) bool { return diagnosis.SqueezeOctet(c) != 0 }

// entries are those of the catalogue, copied once.
var entries = sync.OnceValue(diagnosis.Entries)

func newPaste(text string) *paste {
	p := &paste{entries: entries()}
	p.text, p.tokens = clean(text)
	whole := newView(p.text, nil)
	p.views = []view{whole}
	if cuts := linePrefixes(p.text); len(cuts) > 0 {
		p.views = append(p.views, newView(p.text, cuts))
	}
	p.replies = findReplies(p.text)
	p.numbers = findNumbers(p.text, whole)
	p.lower = asciiLower(p.text)
	p.marks, p.hosts = findMarks(p.text, p.lower)
	p.marks = append(p.marks, p.wrappedMarks()...)
	return p
}

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
func (p *paste) words(words []string) []region {
	var found []region
	for _, v := range p.views {
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
func (p *paste) line(at int) region {
	first, last := max(0, at-maxLine), min(len(p.text), at+maxLine)
	start := first + strings.LastIndexByte(p.text[first:at], '\n') + 1
	if end := strings.IndexByte(p.text[at:last], '\n'); end >= 0 {
		last = at + end
	}
	return region{start, last}
}

// boundaries are the positions at which a new error begins: replies and
// AADSTS numbers.
func (p *paste) boundaries() []int {
	var b []int
	for _, r := range p.replies {
		b = append(b, r.start)
	}
	for _, n := range p.numbers {
		b = append(b, n.start)
	}
	sort.Ints(b)
	return b
}
