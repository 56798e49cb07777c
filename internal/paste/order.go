package paste

import (
	"cmp"
	"slices"
	"sort"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

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

// dropEchoes keeps the most specific of the hits that are close together:
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

// rootFirst orders by what causes what, then by place, and drops doubles and
// what only repeats a better finding in general words.
func rootFirst(hits []hit) []hit {
	first := -1
	for _, h := range hits {
		earlier := first < 0 || h.at.start < first
		if h.entry.Fault == "" && earlier {
			first = h.at.start
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(depth(a, first), depth(b, first)), cmp.Compare(a.at.start, b.at.start))
	})
	var out []hit
	for _, h := range hits {
		double := slices.ContainsFunc(out, func(o hit) bool { return o.entry.Code == h.entry.Code })
		repeats := h.score < diagnosis.Ordinary && slices.ContainsFunc(hits, h.repeats)
		if !double && !repeats {
			out = append(out, h)
		}
	}
	return out
}

// repeats reports whether h, of a generic rule, only says in general words what better
// says precisely.
func (h hit) repeats(better hit) bool {
	sameStage := better.entry.Stages[0] == h.entry.Stages[0]
	sameLine := h.worded && better.line == h.line
	return better.score >= diagnosis.Ordinary && (sameStage || sameLine)
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
