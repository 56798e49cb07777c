package budget

import (
	"slices"
	"time"
)

// window counts what was in a span of time up to now, in grains. It holds no more than
// span/grain + 2 of them.
type window struct {
	span, grain time.Duration
	grains      []grain // the oldest first
}

type grain struct {
	end time.Duration // since the start; the window counts it until span after that
	n   int
}

// count adds n at a time. One that is before the last grain counts in that.
func (w *window) count(at time.Duration, n int) {
	end := at.Truncate(w.grain) + w.grain
	if last := len(w.grains) - 1; last >= 0 && w.grains[last].end >= end {
		w.grains[last].n += n
		return
	}
	w.forget(at)
	w.grains = append(w.grains, grain{end, n})
}

// forget removes what is over.
func (w *window) forget(now time.Duration) {
	w.grains = slices.DeleteFunc(w.grains, func(g grain) bool { return g.end+w.span <= now })
}

// sum is what is in the window now.
func (w *window) sum(now time.Duration) (n int) {
	w.forget(now)
	for _, g := range w.grains {
		n += g.n
	}
	return n
}

// frees is when at least n of what is in the window are no longer; what is not counted
// yet is taken to be in it for the whole span.
func (w *window) frees(now time.Duration, n int) time.Duration {
	for _, g := range w.grains {
		if n -= g.n; n <= 0 {
			return g.end + w.span
		}
	}
	return now + w.span
}
