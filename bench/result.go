//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// cell is what one program did in one case.
type cell struct {
	program string
	samples []sample
	why     string // no samples: why not
	turns   int    // -1: unknown
}

// row is one case.
type row struct {
	scenario
	cells []cell
}

// cell finds that of a program; nil when it has none.
func (r row) cell(program string) *cell {
	for i := range r.cells {
		if r.cells[i].program == program {
			return &r.cells[i]
		}
	}
	return nil
}

// measureAll runs every case, the programs in turns, so that whatever else the
// machine does meets them all alike. Past enough each case gets one run.
func (l *lab) measureAll(ctx context.Context, list []scenario, programs []program, progress io.Writer) ([]row, error) {
	var rows []row
	for _, s := range list {
		fmt.Fprintf(progress, "%s\n", s.name())
		r := row{scenario: s}
		for _, p := range programs {
			if p.missing == "" {
				r.cells = append(r.cells, cell{program: p.name, turns: -1})
			}
		}
		for n := range s.runs + 1 {
			counting := n == 0
			if (counting && !s.count) || (n > 1 && time.Now().After(l.enough)) {
				continue
			}
			for i := range r.cells {
				if err := l.once(ctx, programs, &r.cells[i], s, counting); err != nil {
					return rows, err
				}
			}
		}
		rows = append(rows, r)
	}
	shareTurns(rows)
	return rows, nil
}

// once adds one run to c. What a program cannot do, or fails in, is its cell's
// affair; the error is the end of ctx.
func (l *lab) once(ctx context.Context, programs []program, c *cell, s scenario, counting bool) error {
	if c.why != "" {
		return nil
	}
	i := slices.IndexFunc(programs, func(p program) bool { return p.name == c.program })
	smp, err := l.measure(ctx, programs[i], s, counting)
	var no unable
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &no):
		c.why = string(no)
	case err != nil:
		c.why = "failed: " + err.Error()
		c.samples = nil
	default:
		c.count(smp.turns)
		if !counting {
			c.samples = append(c.samples, smp)
		}
	}
	return nil
}

// count takes the least of the turns counted: a busy machine can only make them
// more.
func (c *cell) count(turns int) {
	if turns >= 0 && (c.turns < 0 || turns < c.turns) {
		c.turns = turns
	}
}

// shareTurns gives the turns counted with distance to the same case without.
func shareTurns(rows []row) {
	for _, r := range rows {
		for _, other := range rows {
			for i := range r.cells {
				if c := other.cell(r.cells[i].program); c != nil && r.sibling(other.scenario) {
					r.cells[i].count(c.turns)
				}
			}
		}
	}
}

func (c *cell) wall() time.Duration {
	return median(c.samples, func(s sample) time.Duration { return s.wall })
}
func (c *cell) cpu() time.Duration {
	return median(c.samples, func(s sample) time.Duration { return s.cpu })
}
func (c *cell) memory() int64 { return median(c.samples, func(s sample) int64 { return s.memory }) }
func (c *cell) connect() time.Duration {
	return median(c.samples, func(s sample) time.Duration { return s.connect })
}

func (c *cell) fastest() time.Duration {
	return slices.MinFunc(c.samples, func(a, b sample) int { return cmp.Compare(a.wall, b.wall) }).wall
}

// median is that of the values that of takes from samples, the lower one of two;
// zero without samples.
func median[T cmp.Ordered](samples []sample, of func(sample) T) T {
	var values []T
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	if len(values) == 0 {
		var none T
		return none
	}
	return values[(len(values)-1)/2]
}
