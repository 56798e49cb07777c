package paste

import (
	"bytes"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

const (
	minRemnant = 16 // letters of a phrase that are left to go by
	maxCuts    = 16 // ends that are looked at
)

// ellipses are what tools write where they have cut a text in its middle.
var ellipses = []string{"...", "…", "(truncated", "[truncated", "[cut"}

// truncatedHits are the phrases that the end of the text, or an ellipsis, cuts
// off. Two thirds of a phrase are asked for, and that no other entry has a
// phrase that begins in the same way: "is disabled for the" names neither the
// tenant nor the mailbox.
func (p *paste) truncatedHits(found []hit) []hit {
	var hits []hit
	for _, cut := range p.src.truncations() {
		if h, ok := p.truncatedAt(cut); ok && !covered(h, found) {
			hits = append(hits, h)
		}
	}
	return hits
}

// truncations are the numbers of letters before each cut.
func (s *source) truncations() []int {
	letters := s.views[0]
	cuts := []int{len(letters.letters)}
	for _, e := range ellipses {
		for from := 0; len(cuts) <= maxCuts; {
			i := strings.Index(s.text[from:], e)
			if i < 0 {
				break
			}
			cuts = append(cuts, letters.before(from+i))
			from += i + len(e)
		}
	}
	return cuts
}

// before counts the letters before a position of the text.
func (v view) before(at int) int {
	low, high := 0, len(v.at)
	for low < high {
		if middle := (low + high) / 2; int(v.at[middle]) < at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

func (p *paste) truncatedAt(cut int) (hit, bool) {
	letters := p.src.views[0].letters[:cut]
	var best hit
	for _, e := range p.entries {
		for _, r := range e.Rules {
			if len(r.Words) != 1 || r.Network || r.Generic || r.Stage != "" || r.AADSTS != 0 {
				continue
			}
			n := remnant(letters, r.Words[0])
			if n == 0 {
				continue
			}
			at := region{int(p.src.views[0].at[cut-n]), int(p.src.views[0].at[cut-1]) + 1}
			if !p.speakers.microsofts(at, r.Weak) {
				continue
			}
			if best.score > 0 && best.entry.Code != e.Code {
				return hit{}, false
			}
			best = hit{entry: e, at: at, line: p.src.line(at.start), score: diagnosis.Ordinary + n, worded: true, words: []string{p.src.quote(at, e)}}
		}
	}
	return best, best.score > 0
}

// remnant is how many letters of the phrase are at the end, 0 when they are
// too few or the phrase is whole.
func remnant(letters []byte, phrase string) int {
	for n := len(phrase) - 1; n >= minRemnant && n*3 >= len(phrase)*2; n-- {
		if bytes.HasSuffix(letters, []byte(phrase[:n])) {
			return n
		}
	}
	return 0
}

// covered reports whether the same entry was found in full already, or the
// place belongs to a more telling find.
func covered(h hit, found []hit) bool {
	for _, f := range found {
		same := f.entry.Code == h.entry.Code
		sameStage := f.entry.Stages[0] == h.entry.Stages[0]
		saysMore := f.score > h.score && f.at.end >= h.at.start && sameStage
		if same || saysMore {
			return true
		}
	}
	return false
}
