package paste

import (
	"sort"
	"sync"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// paste is a text made ready for the search.
type paste struct {
	entries  []diagnosis.Entry // of the catalogue
	src      *source
	speakers *speakers
	tokens   []string // that the text shows: their claims tell a cause
	replies  []pastedReply
	numbers  []pastedNumber
}

// entries are those of the catalogue, copied once.
var entries = sync.OnceValue(diagnosis.Entries)

func newPaste(text string) *paste {
	cleaned, tokens := clean(text)
	src := newSource(cleaned)
	return &paste{
		entries: entries(), src: src, speakers: newSpeakers(src), tokens: tokens,
		replies: findReplies(src.text), numbers: findNumbers(src.text, src.views[0]),
	}
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
