//go:build unix

package faultmatrix_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

var only = flag.String("cell", "", "run only the cells whose name contains this")

// fewest is how many cells there must be. A matrix that lost cells proves less
// than it says.
const fewest = 4000

// workers run cells at once. Most time goes into waiting for limits.
const workers = 48

func TestMatrix(t *testing.T) {
	noLeak(t)
	all := cells()
	t.Log(dimensions())
	if len(all) < fewest {
		t.Errorf("%d cells, want at least %d", len(all), fewest)
	}
	var results results
	start := time.Now()
	again := thin(slices.DeleteFunc(slices.Clone(all), func(c cell) bool { return c.pipelining == c.empty334 }))
	inParallel(all, func(c cell) {
		if strings.Contains(c.String(), *only) {
			results.add(runCell(c, 1))
		}
	})
	inParallel(again, func(c cell) {
		if strings.Contains(c.String(), *only) {
			results.add(runCell(c, 3))
		}
	})
	results.report(t)
	t.Logf("%d cells with one attempt, %d of them with up to three as well, in %v", len(all), len(again), time.Since(start).Round(time.Millisecond))
}

// thin takes one of each thinning.
func thin[T any](list []T) []T { return oneIn(thinning, list) }

// oneIn takes one of each n, from a place that differs from run to run.
func oneIn[T any](n int, list []T) []T {
	var some []T
	for i := rand.IntN(n); i < len(list); i += n {
		some = append(some, list[i])
	}
	return some
}

// inParallel calls f for each of list.
func inParallel[T any](list []T, f func(T)) { inParallelBy(workers, list, f) }

func inParallelBy[T any](n int, list []T, f func(T)) {
	queue := make(chan T)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for c := range queue {
				f(c)
			}
		})
	}
	for _, c := range list {
		queue <- c
	}
	close(queue)
	wg.Wait()
}

// result is what a run of a cell gave.
type result struct {
	name     string
	outcome  string
	struck   bool
	attempts int
	took     time.Duration
	wrong    []string
}

// shortest is the limit of each step in a timed cell. When the machine was too
// slow for it, so that the dialogue did not get as far as the fault, the cell is
// run again with longer ones.
const shortest = 150 * time.Millisecond

func runCell(c cell, attempts int) result {
	for d := shortest; ; d *= 4 {
		r := runOnce(c, attempts, d)
		if !c.fault.timed() || d >= 64*shortest || (r.struck && len(r.wrong) == 0) {
			return r
		}
	}
}

func runOnce(c cell, attempts int, limit time.Duration) result {
	res := result{name: fmt.Sprintf("%v/attempts=%d", c, attempts)}
	s, err := serve(&server{cell: c})
	if err != nil {
		res.wrong = append(res.wrong, err.Error())
		return res
	}
	m, text, err := compose("a@contoso.example")
	if err != nil {
		res.wrong = append(res.wrong, err.Error())
		return res
	}
	defer m.Close()
	o := s.options()
	if c.fault.timed() {
		o.Timeouts = limits(limit)
	}
	start := time.Now()
	r := submission.Submit(context.Background(), o, m, submission.Policy{
		Attempts: attempts, FirstWait: time.Millisecond, Deadline: start.Add(time.Minute),
	})
	res.took = time.Since(start)
	if err := s.close(); err != nil {
		res.wrong = append(res.wrong, err.Error())
	}
	res.struck = len(s.conns) > 0 && s.conns[0].struck
	res.attempts = len(r.Attempts)
	res.outcome = string(r.Recipients[0].Outcome)
	res.wrong = append(res.wrong, s.judgeReceipt(r, text)...)
	allowed := c.allowed()
	if attempts > 1 {
		if c.recovers() {
			allowed = []smtp.Outcome{smtp.Accepted}
		} else {
			allowed = append(allowed, smtp.Accepted)
		}
	}
	if !right(r.Recipients, allowed) {
		res.wrong = append(res.wrong, fmt.Sprintf("outcome %s, want one of %v; error: %v", res.outcome, allowed, r.Err()))
	}
	if !c.fault.timed() && res.took > patience/2 {
		res.wrong = append(res.wrong, fmt.Sprintf("took %v, where nothing had to be waited for", res.took))
	}
	if !res.struck {
		res.wrong = append(res.wrong, fmt.Sprintf("the fault was not reached; outcome %s, error: %v", res.outcome, r.Err()))
	}
	return res
}

// results gathers. It is safe for concurrent use.
type results struct {
	mu      sync.Mutex
	runs    int
	tries   int
	slowest result
	counts  map[string]int
	failed  []result
}

func (r *results) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = make(map[string]int)
	}
	r.runs++
	r.tries += one.attempts
	r.counts[one.outcome]++
	if one.took > r.slowest.took {
		r.slowest = one
	}
	if len(one.wrong) > 0 {
		r.failed = append(r.failed, one)
	}
}

// shown is how many failures are printed.
const shown = 40

func (r *results) report(t *testing.T) {
	t.Helper()
	slices.SortFunc(r.failed, func(a, b result) int { return strings.Compare(a.name, b.name) })
	for i, f := range r.failed {
		if i == shown {
			t.Errorf("and %d more", len(r.failed)-shown)
			break
		}
		t.Errorf("%s: %s", f.name, strings.Join(f.wrong, "; "))
	}
	var counts []string
	for _, o := range slices.Sorted(maps.Keys(r.counts)) {
		counts = append(counts, fmt.Sprintf("%d %s", r.counts[o], o))
	}
	t.Logf("%d runs, %d attempts: %s; %d wrong", r.runs, r.tries, strings.Join(counts, ", "), len(r.failed))
	t.Logf("slowest: %s, %v", r.slowest.name, r.slowest.took.Round(time.Millisecond))
}
