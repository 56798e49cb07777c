//go:build unix

package faultmatrix_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestNoRunOutlivesItsDeadline has servers that go silent, with the limits of
// RFC 5321 for each step: only the deadline, and after the final dot its own
// limit, end the run.
func TestNoRunOutlivesItsDeadline(t *testing.T) {
	noLeak(t)
	all := slices.DeleteFunc(cells(), func(c cell) bool { return !c.fault.timed() || c.empty334 || c.drops })
	if len(all) < 300 {
		t.Errorf("%d cells, want at least 300", len(all))
	}
	var results results
	inParallel(thin(all), func(c cell) { results.add(runToDeadline(c)) })
	results.report(t)
}

// shortDeadline is one that lets most runs get as far as their fault.
const shortDeadline = 2 * shortest * min(thinning, 4)

func runToDeadline(c cell) result {
	res := result{name: c.String()}
	s, err := serve(&server{cell: c})
	if err != nil {
		return res.failed("%v", err)
	}
	m, text, err := compose("a@contoso.example")
	if err != nil {
		return res.failed("%v", err)
	}
	defer m.Close()
	o := s.options()
	o.Timeouts = session.Timeouts{Dial: time.Minute, Dot: shortest}
	start := time.Now()
	r := submission.Submit(context.Background(), o, m, submission.Policy{
		FirstWait: time.Millisecond, Deadline: start.Add(shortDeadline),
	})
	if res.took = time.Since(start); res.took > 30*time.Second {
		res = res.failed("took %v with a deadline of %v and %v for the reply to the dot", res.took, shortDeadline, shortest)
	}
	if err := s.close(); err != nil {
		res = res.failed("%v", err)
	}
	res.attempts, res.outcome = len(r.Attempts), string(r.Recipients[0].Outcome)
	res.wrong = append(res.wrong, s.judgeDeadline(r, text)...)
	return res
}

// judgeDeadline is judgeReceipt but for the number of connections: one that the
// deadline overtook in the dial may be in the listener's queue.
func (s *server) judgeDeadline(r *submission.Receipt, text string) []string {
	if s.connections() > len(r.Attempts) {
		return append(s.judge(r.Recipients, text), "more connections than attempts")
	}
	return s.judge(r.Recipients, text)
}
