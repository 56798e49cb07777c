// Package paste reads text that was pasted from any tool, undoes what tools do to
// text, and names every failure of Exchange Online or Entra in it by the rules of
// internal/diagnosis. It tells whose server speaks by the words around a reply,
// because other servers use many of the same codes.
//
// The way of a text: clean.go takes escapes and encodings away, replies.go and
// origin.go find codes, numbers and names in it, explain.go tries the rules at
// those places, quote.go says by which words a failure was recognised. The package
// opens no connection and no file and keeps no state.
package paste

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
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

// ruleHits tries every rule that does not ask for the network's words or a number.
func (p *paste) ruleHits() []hit {
	var hits []hit
	for _, e := range p.entries {
		for _, r := range e.Rules {
			if r.Network || r.Stage != "" || r.AADSTS != 0 || r.Claim != "" || r.HTTPStatus != 0 || r.OAuthError != "" {
				continue
			}
			for _, at := range p.places(r) {
				if e.OnlineOnly && p.onPremises(at) {
					continue
				}
				if p.microsofts(at, r.Weak) && (!r.Generic || len(r.Words) == 0 || p.nearMail(at)) {
					hits = append(hits, hit{
						entry: e, at: at, line: p.line(at.start), score: r.Weight(),
						worded: r.Code == 0 && r.Enhanced == "", words: []string{p.quote(at, e)},
					})
				}
			}
		}
	}
	return hits
}

// places are where everything that the rule names stands together.
func (p *paste) places(r diagnosis.Rule) []region {
	if r.Code == 0 && r.Enhanced == "" {
		return p.words(r.Words)
	}
	var out []region
	var spots []region
	if len(r.Words) > 0 {
		spots = p.words(r.Words)
	}
	for _, q := range p.replies {
		if !q.fits(r) {
			continue
		}
		if len(r.Words) == 0 {
			if q.code != 0 && !p.saysElse(q) || p.alone(q) || q.led && (p.aboutMail(q) || q.threeDigits()) || q.credible && q.threeDigits() && p.microsofts(region{q.start, q.end}, true) {
				out = append(out, region{q.start, q.end})
			}
			continue
		}
		if i := slices.IndexFunc(spots, func(s region) bool { return s.start >= q.start && s.start-q.end < 300 }); i >= 0 {
			out = append(out, region{q.start, spots[i].end})
		}
	}
	return out
}

// fits compares the codes. A tool may have taken the reply code away, which is
// made up for by an enhanced code, never by nothing.
func (q pastedReply) fits(r diagnosis.Rule) bool {
	if r.Enhanced == "" {
		return q.code == r.Code && (len(r.Words) > 0 || q.enhanced == "")
	}
	return r.HasEnhanced(q.enhanced) && (r.Code == 0 || q.code == r.Code || q.code == 0 && q.credible)
}

// alone reports whether the text is nothing but this code, as somebody types it.
func (p *paste) alone(q pastedReply) bool {
	return strings.TrimSpace(p.text) == p.text[q.start:q.end]
}

// saysElse reports whether a reply code without enhanced code comes with a
// reply's words. Exchange puts an enhanced code before all its words, so they
// are another server's; what a program says about a code is not meant.
func (p *paste) saysElse(q pastedReply) bool {
	return q.enhanced == "" && replyWords().MatchString(p.text[q.end:min(len(p.text), q.end+40)]) && !p.lineNamesMicrosoft(q.start)
}

func (p *paste) lineNamesMicrosoft(at int) bool {
	line := p.line(at)
	return slices.ContainsFunc(p.hosts, func(h mark) bool { return h.microsoft && h.start >= line.start && h.end <= line.end })
}

// nearMail reports whether mail, and not just any sign-in, is spoken of nearby.
func (p *paste) nearMail(at region) bool {
	return servesMail().MatchString(p.text[max(0, at.start-600):min(len(p.text), at.end+600)])
}

var servesMail = lazyregexp.New(`(?i)smtp|mail|exchange|outlook|office ?365|[om]365|storedrv`)

var replyWords = lazyregexp.New(`^[ -:]{1,2}["']?(?i:authentication |auth |incorrect|invalid|error: |login|sorry|bad |username|user |password|account|access)`)

// aboutMail reports whether mail is spoken of near the code.
func (p *paste) aboutMail(q pastedReply) bool {
	return mailWords().MatchString(p.text[max(0, q.start-200):min(len(p.text), q.end+200)])
}

var mailWords = lazyregexp.New(`(?i)smtp|mail|auth|recipient|sender|delivery|exchange|outlook|submi|ndr\b|dsn\b|office ?365`)

// numberHits names each AADSTS number, with the words behind it: Entra has used
// some numbers for several things.
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

// bestOfEach keeps, between one reply or number and the next, the hit of the
// most specific rule.
func (p *paste) bestOfEach(hits []hit) []hit {
	cuts := p.boundaries()
	best := map[int]hit{}
	for _, h := range hits {
		part := sort.SearchInts(cuts, h.at.start+1)
		if b, ok := best[part]; !ok || h.score > b.score {
			best[part] = h
		}
	}
	out := make([]hit, 0, len(best))
	for _, h := range best {
		out = append(out, h)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].at.start < out[j].at.start })
	return out
}

// networkHits are the failures that nobody replied to. Words behind a reply on
// its own line, and right before it, belong to that reply ("unexpectedly
// disconnected: 421 4.4.1 Connection timed out").
func (p *paste) networkHits(replies []hit) []hit {
	var hits []hit
	for _, e := range p.entries {
		for _, r := range e.Rules {
			if !r.Network {
				continue
			}
			for _, at := range p.words(r.Words) {
				h := hit{entry: e, at: at, score: r.Weight(), words: []string{p.quote(at, e)}}
				if e.Vague {
					h.score = 1
				}
				// That "no connection" came about is moot where somebody replied.
				moot := r.Generic && len(replies) > 0 || p.partOfReply(at, replies)
				if !moot && !p.isSetting(at) && !(r.Solid && p.severalWords(at)) && p.connects(&h) {
					hits = append(hits, h)
				}
			}
		}
	}
	return dropEchoes(hits)
}

// severalWords reports whether what looks like a name is several words ("file
// not found" holds "ENOTFOUND"), and not one that a line end has cut.
func (p *paste) severalWords(at region) bool {
	return strings.Contains(p.text[at.start:at.end], " ") && !strings.Contains(p.text[at.start:at.end], "\n")
}

// isSetting reports whether the words are the name of a setting ("timeout=300").
func (p *paste) isSetting(at region) bool {
	return settingValue().MatchString(p.text[at.end:min(len(p.text), at.end+16)])
}

var settingValue = lazyregexp.New(`^(?:["'\]] ?(?:=>?|:)| ?=>?) ?["']?\d`)

func (p *paste) partOfReply(at region, replies []hit) bool {
	line := p.line(at.start)
	if slices.ContainsFunc(p.replies, func(q pastedReply) bool {
		return q.code >= 400 && q.enhanced != "" && q.start >= line.start && q.start < line.end && q.start-at.end < 60
	}) {
		return true
	}
	return slices.ContainsFunc(replies, func(r hit) bool {
		return r.at.start >= line.start && r.at.start <= at.start || r.at.start <= at.start && at.start < r.at.end
	})
}

// connects reports whether the failure is one of a connection to Microsoft's,
// and tells the machine itself from it.
func (p *paste) connects(h *hit) bool {
	if h.entry.Local != "" {
		if local, mailPort := p.onLoopback(h.at); local {
			h.entry, _ = diagnosis.Lookup(h.entry.Local)
			return mailPort && p.microsofts(h.at, true)
		}
	}
	if h.entry.Inspected != "" && p.inspected(h.at) {
		h.entry, _ = diagnosis.Lookup(h.entry.Inspected)
	}
	proxys := h.entry.Fault == smtp.FaultProxyRefused || h.entry.Fault == smtp.FaultProxySignIn
	if p.dialsPrivate(h.at) && !proxys { // a proxy may well have a private address
		return false
	}
	return p.namesMicrosoftHost(h.at)
}

// dropEchoes keeps the most specific of the hits that stand close together:
// one failure is told in several words ("connect ETIMEDOUT", "timed out").
func dropEchoes(hits []hit) []hit {
	sort.SliceStable(hits, func(i, j int) bool { return hits[i].score > hits[j].score })
	var out []hit
	for _, h := range hits {
		if !slices.ContainsFunc(out, func(o hit) bool { return max(h.at.start-o.at.end, o.at.start-h.at.end) < 600 }) {
			out = append(out, h)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].at.start < out[j].at.start })
	return out
}

// unknownHits takes replies that Exchange surely gave and the catalogue lacks.
func (p *paste) unknownHits() []hit {
	for _, q := range p.replies {
		if q.code >= 400 && q.enhanced != "" && p.spokenByMicrosoft(q.start) {
			e := diagnosis.Unknown(diagnosis.Symptom{Code: q.code})
			at := region{q.start, q.end}
			return []hit{{entry: e, at: at, words: []string{p.quote(at, e)}}}
		}
	}
	return nil
}

// rootFirst orders by what causes what, then by place, and drops doubles and
// what only repeats a better finding in general words.
func rootFirst(hits []hit) []hit {
	first := -1
	for _, h := range hits {
		if h.entry.Fault == "" && (first < 0 || h.at.start < first) {
			first = h.at.start
		}
	}
	sort.SliceStable(hits, func(i, j int) bool {
		a, b := depth(hits[i], first), depth(hits[j], first)
		return a < b || a == b && hits[i].at.start < hits[j].at.start
	})
	var out []hit
	for _, h := range hits {
		double := slices.ContainsFunc(out, func(o hit) bool { return o.entry.Code == h.entry.Code })
		better := func(o hit) bool {
			return o.score >= diagnosis.Ordinary && (o.entry.Stages[0] == h.entry.Stages[0] || h.worded && o.line == h.line)
		}
		if !double && (h.score >= diagnosis.Ordinary || !slices.ContainsFunc(hits, better)) {
			out = append(out, h)
		}
	}
	return out
}

// depth is the place of a failure in the chain of causes. A broken connection
// after a reply is its consequence, before one its cause.
func depth(h hit, firstReply int) int {
	afterReply := firstReply >= 0 && h.at.start > firstReply
	switch {
	case h.entry.Fault != "" && afterReply:
		return 9
	case h.entry.Fault != "":
		return 0
	case h.entry.After != "":
		return stageDepth(h.entry.After) + 1
	}
	return stageDepth(h.entry.Stages[0])
}

// stageDepth leaves a number between two stages for what follows the first.
func stageDepth(s smtp.Stage) int {
	switch s {
	case smtp.StageConfig, smtp.StageToken:
		return 1
	case smtp.StageAuth:
		return 3
	}
	return 5
}

// findings turns hits into findings, with the part of the text that each is about.
func (p *paste) findings(hits []hit, f diagnosis.Facts) []diagnosis.Finding {
	cuts := p.boundaries()
	claims := p.claims()
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
		finding := diagnosis.Describe(e, s, p.factsOf(f, s.Text))
		// What was pasted is not given back: it may hold what nobody else may see.
		finding.Matched, finding.Text = h.words, ""
		out = append(out, finding)
	}
	return out
}

// part is the text from the hit, or the reply code in front of it, up to the
// next error, at most 8 KiB.
func (p *paste) part(h hit, cuts []int) string {
	start, end := h.at.start, min(len(p.text), h.at.start+8<<10)
	if i := sort.SearchInts(cuts, start+1) - 1; i >= 0 && start-cuts[i] < 300 {
		start = cuts[i]
	}
	if i := sort.SearchInts(cuts, h.at.end); i < len(cuts) && cuts[i] < end {
		end = cuts[i]
	}
	return strings.TrimSpace(strings.ToValidUTF8(p.text[start:max(end, h.at.end)], ""))
}
