// Package paste reads text that was pasted from any tool, undoes what tools do to
// text, and names every failure of Exchange Online or Entra in it by the rules of
// internal/diagnosis. It tells whose server speaks by the words around a reply,
// because other servers use many of the same codes.
//
// The way of a text: clean.go takes encodings away, by internal/escapes; replies.go and
// origin.go find codes, numbers and names in it; rules.go and network.go try the rules
// at those places; order.go puts the root first; quote.go says by which words a failure was recognised. The package
// opens no connection and no file and keeps no state.
package paste

import (
	"fmt"
	"sort"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// MaxText is how much of a pasted text is read, in octets: of a longer one the
// first and the last half of it.
const MaxText = limits.Paste

// Explain names every failure of Exchange Online or Entra in a text that was
// pasted from any tool, the root first: a refused token before the refused
// sign-in before the refused mail. What is not Exchange's or Entra's gives
// nothing, as other servers use many of the same codes. A code of the catalogue
// by itself is explained too, and where smtpsend has named failures in the text,
// those are the findings. Explain is pure: it depends on nothing but its
// arguments, and its time grows with the length of the text alone.
func Explain(text string, f diagnosis.Facts) []diagnosis.Finding {
	if len(text) > MaxText {
		text = text[:MaxText/2] + "\n" + text[len(text)-MaxText/2:]
	}
	if e, ok := diagnosis.Lookup(strings.ToLower(strings.TrimSpace(text))); ok {
		return []diagnosis.Finding{diagnosis.Describe(e, diagnosis.Symptom{}, f)}
	}
	p := newPaste(text)
	if own := p.ownHits(); len(own) > 0 {
		return p.findings(own, f)
	}
	hits := append(p.ruleHits(), p.numberHits()...)
	hits = p.bestOfEach(append(hits, p.truncatedHits(hits)...))
	hits = append(hits, p.networkHits(hits)...)
	if len(hits) == 0 {
		hits = append(p.statusHits(), p.unknownHits()...)
	}
	return p.findings(rootFirst(hits), f)
}

// hit is a recognised failure at a place of the text.
type hit struct {
	entry  diagnosis.Entry
	at     region
	score  int
	number int // AADSTS number, 0 for others
	line   region
	worded bool // by words alone
	words  []string
}

// numberHits names each AADSTS number, by the words after it too: Entra has used some
// numbers for several things.
func (p *paste) numberHits() []hit {
	cuts := p.boundaries()
	var hits []hit
	for _, n := range p.numbers {
		h := hit{at: region{n.start, n.end}, number: n.number, words: []string{fmt.Sprintf("AADSTS%d", n.number)}}
		var score int
		h.entry, score = diagnosis.Match(diagnosis.Symptom{Stage: smtp.StageToken, AADSTS: []int{n.number}, Text: p.part(h, cuts)})
		if score == 0 || h.entry.Stages[0] != smtp.StageToken {
			h.entry, score = diagnosis.Unknown(diagnosis.Symptom{AADSTS: []int{n.number}}), diagnosis.Ordinary
		}
		if h.score = score; score >= diagnosis.Ordinary {
			h.score = 10 * diagnosis.Ordinary
		}
		hits = append(hits, h)
	}
	return hits
}

// unknownHits takes replies that Exchange surely gave and the catalogue lacks.
func (p *paste) unknownHits() []hit {
	for _, q := range p.replies {
		if q.code >= 400 && q.enhanced != "" && p.speakers.spokenByMicrosoft(q.start) {
			e := diagnosis.Unknown(diagnosis.Symptom{Code: q.code})
			at := region{q.start, q.end}
			return []hit{{entry: e, at: at, words: []string{p.src.quote(at, e)}}}
		}
	}
	return nil
}

// findings turns hits into findings, with the part of the text that each is about.
func (p *paste) findings(hits []hit, f diagnosis.Facts) []diagnosis.Finding {
	cuts := p.boundaries()
	claims := claimsOf(p.tokens)
	var out []diagnosis.Finding
	for _, h := range hits {
		s := diagnosis.Symptom{Stage: h.entry.Stages[0], Text: p.part(h, cuts)}
		if h.number != 0 {
			s.AADSTS = []int{h.number}
		}
		e := h.entry
		if e.GivesNoReason() {
			s.Claims, e = claims, e.WithClaims(claims)
		}
		finding := diagnosis.Describe(e, s, factsOf(f, s.Text))
		// What was pasted is not given back: it may hold what no one else may see.
		finding.Matched, finding.Text = h.words, ""
		out = append(out, finding)
	}
	return out
}

// part is the text from the hit, or the reply code in front of it, up to the
// next error, at most 8 KiB.
func (p *paste) part(h hit, cuts []int) string {
	start, end := h.at.start, min(len(p.src.text), h.at.start+8<<10)
	if i := sort.SearchInts(cuts, start+1) - 1; i >= 0 && start-cuts[i] < 300 {
		start = cuts[i]
	}
	if i := sort.SearchInts(cuts, h.at.end); i < len(cuts) && cuts[i] < end {
		end = cuts[i]
	}
	return strings.TrimSpace(strings.ToValidUTF8(p.src.text[start:max(end, h.at.end)], ""))
}
