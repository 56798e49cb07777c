//go:build unix

package main

import (
	"fmt"
	"time"
)

// target is a promise of the project and what this run has to say about it.
type target struct {
	what     string
	measured string
	met      bool
	open     bool // nothing was measured that could tell
}

func (t target) verdict() string {
	switch {
	case t.open:
		return "not measured"
	case t.met:
		return "met"
	}
	return "missed"
}

// targets holds the figures against what was promised.
func (r *result) targets() []target {
	return append([]target{
		r.againstBest("1 message, warm token, 40 ms: wall at most 0.75 of the best peer's", warmFar, 0.75),
		r.againstBest("1 message, cold token (answered after 90 ms), 40 ms: wall at most 0.50 of the best peer's", coldFar, 0.50),
		r.coldLikeWarm(),
		r.turnsAtMost("1 message in at most 7 turns", warmFar, 7),
		r.turnsAtMost("20 messages on one session in at most 26 turns", twentyFar, 26),
		r.memoryOfHundred(),
		r.againstNodemailer("100 MB attached: wall not above nodemailer's", (*cell).wall),
		r.againstNodemailer("100 MB attached: CPU not above nodemailer's", (*cell).cpu),
		r.connectWithin("process start to connection under 15 ms", 15*time.Millisecond),
	}, r.counts.targets()...)
}

// ours returns our cell of a case, nil when there is none or it failed.
func (r *result) ours(s scenario) *cell { return r.measured(s, ourName) }

func (r *result) measured(s scenario, program string) *cell {
	row := r.find(s)
	if row == nil {
		return nil
	}
	c := row.cell(program)
	if c == nil || len(c.samples) == 0 {
		return nil
	}
	return c
}

// againstBest compares with the peer that has the least median.
func (r *result) againstBest(what string, s scenario, most float64) target {
	ours := r.ours(s)
	var best *cell
	for _, p := range r.programs {
		c := r.measured(s, p.name)
		if p.name != ourName && c != nil && (best == nil || c.wall() < best.wall()) {
			best = c
		}
	}
	if ours == nil || best == nil {
		return target{what: what, open: true}
	}
	ratio := float64(ours.wall()) / float64(best.wall())
	return target{
		what: what, met: ratio <= most,
		measured: fmt.Sprintf("%.3f (%s ms; %s %s ms)", ratio, milliseconds(ours.wall()), best.program, milliseconds(best.wall())),
	}
}

func (r *result) coldLikeWarm() target {
	const what, most = "1 message, cold token (answered after 90 ms), 40 ms: wall within 3 % of our own with a warm one", 1.03
	warm, cold := r.ours(warmFar), r.ours(coldFar)
	if warm == nil || cold == nil {
		return target{what: what, open: true}
	}
	ratio := float64(cold.wall()) / float64(warm.wall())
	return target{what: what, met: ratio <= most, measured: fmt.Sprintf("%.3f (%s ms; %s ms)", ratio, milliseconds(cold.wall()), milliseconds(warm.wall()))}
}

func (r *result) turnsAtMost(what string, s scenario, most int) target {
	c := r.ours(s)
	if c == nil || c.turns < 0 {
		return target{what: what, open: true}
	}
	return target{what: what, met: c.turns <= most, measured: fmt.Sprintf("%d", c.turns)}
}

func (r *result) memoryOfHundred() target {
	const what, most = "100 MB attached: under 24 MB of memory", 24_000_000
	c := r.ours(hundredMB)
	if c == nil {
		return target{what: what, open: true}
	}
	return target{what: what, met: c.memory() < most, measured: megabytes(c.memory()) + " MB"}
}

func (r *result) againstNodemailer(what string, of func(*cell) time.Duration) target {
	ours, theirs := r.ours(hundredMB), r.measured(hundredMB, "nodemailer")
	if ours == nil || theirs == nil {
		return target{what: what, open: true}
	}
	return target{what: what, met: of(ours) <= of(theirs), measured: fmt.Sprintf("%s ms; %s ms", milliseconds(of(ours)), milliseconds(of(theirs)))}
}

func (r *result) connectWithin(what string, most time.Duration) target {
	c := r.ours(warmNear)
	if c == nil {
		return target{what: what, open: true}
	}
	return target{what: what, met: c.connect() < most, measured: milliseconds(c.connect()) + " ms"}
}
