package paste

import (
	"slices"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// ruleHits tries every rule of a reply.
func (p *paste) ruleHits() []hit {
	var hits []hit
	for _, e := range p.entries {
		for _, r := range e.Rules {
			if !r.OfReply() {
				continue
			}
			for _, at := range p.places(r) {
				if p.means(e, r, at) {
					hits = append(hits, hit{
						entry: e, at: at, line: p.src.line(at.start), score: r.Weight(),
						worded: r.Code == 0 && r.Enhanced == "", words: []string{p.src.quote(at, e)},
					})
				}
			}
		}
	}
	return hits
}

// means reports whether what a rule found at this place is the entry's failure, and
// not another server's, or another sign-in than one for mail.
func (p *paste) means(e diagnosis.Entry, r diagnosis.Rule, at region) bool {
	if e.OnlineOnly && p.speakers.onPremises(at) {
		return false
	}
	generalWords := r.Generic && len(r.Words) > 0
	if generalWords && !p.src.nearMail(at) {
		return false
	}
	return p.speakers.microsofts(at, r.Weak)
}

// places are where everything that the rule names is found together.
func (p *paste) places(r diagnosis.Rule) []region {
	if r.Code == 0 && r.Enhanced == "" {
		return p.src.words(r.Words)
	}
	var out []region
	var spots []region
	if len(r.Words) > 0 {
		spots = p.src.words(r.Words)
	}
	for _, q := range p.replies {
		if !q.fits(r) {
			continue
		}
		if len(r.Words) == 0 {
			if p.isReply(q) {
				out = append(out, q.region())
			}
			continue
		}
		follows := func(s region) bool { return s.start >= q.start && s.start-q.end < 300 }
		if i := slices.IndexFunc(spots, follows); i >= 0 {
			out = append(out, region{q.start, spots[i].end})
		}
	}
	return out
}

// isReply reports whether codes that no words of a rule confirm are a reply's, and not
// a number of another kind.
func (p *paste) isReply(q pastedReply) bool {
	withReplyCode := q.code != 0 && !p.saysElse(q)
	spokenOf := q.led && (q.threeDigits() || p.src.aboutMail(q))
	if withReplyCode || spokenOf || p.src.alone(q) {
		return true
	}
	return q.credible && q.threeDigits() && p.speakers.microsofts(q.region(), true)
}

// fits compares the codes. A tool may have taken the reply code away, which is
// made up for by an enhanced code, never by nothing.
func (q pastedReply) fits(r diagnosis.Rule) bool {
	if r.Enhanced == "" {
		nothingMore := q.enhanced == "" || len(r.Words) > 0
		return q.code == r.Code && nothingMore
	}
	codeFits := r.Code == 0 || q.code == r.Code
	codeLost := q.code == 0 && q.credible
	return r.HasEnhanced(q.enhanced) && (codeFits || codeLost)
}

// saysElse reports whether a reply code without enhanced code comes with a
// reply's words. Exchange puts an enhanced code before all its words, so they
// are another server's; what a program says about a code is not meant.
func (p *paste) saysElse(q pastedReply) bool {
	next := p.src.around(region{q.end, q.end}, 0, 40)
	return q.enhanced == "" && replyWords.Get().MatchString(next) && !p.speakers.lineNamesMicrosoft(q.start)
}

var replyWords = lazyregexp.New(`^[ ,:-]{1,2}["']?(?i:authentication |auth |incorrect|invalid|error: |login|sorry|bad |username|user |password|account|access)`)
