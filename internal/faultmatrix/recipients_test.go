//go:build unix

package faultmatrix_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// severalRecipients have one refused and one deferred among them.
var severalRecipients = []string{"a@contoso.example", "b@contoso.example", "c@contoso.example", "d@contoso.example"}

var theirReplies = map[string]string{"b@contoso.example": "550 5.1.1 unknown", "c@contoso.example": "451 4.3.0 later"}

type recipientsCell struct {
	cell
	allOrNone bool
	attempts  int
}

func (c recipientsCell) String() string {
	return fmt.Sprintf("%v/all-or-none=%v/attempts=%d", c.cell, c.allOrNone, c.attempts)
}

func recipientsCells() []recipientsCell {
	all := []recipientsCell{{cell: cell{healthy: true, pipelining: true}, attempts: 2}, {cell: cell{healthy: true}, attempts: 2}}
	for _, c := range cells() {
		if c.stage >= mailFrom && c.stage < quit && !c.empty334 {
			all = append(all, recipientsCell{c, false, 1}, recipientsCell{c, false, 2}, recipientsCell{c, true, 1})
		}
	}
	return all
}

func TestSeveralRecipients(t *testing.T) {
	noLeak(t)
	all := recipientsCells()
	if len(all) < 1800 {
		t.Errorf("%d cells, want at least 1800", len(all))
	}
	var results results
	inParallel(thin(all), func(c recipientsCell) {
		results.add(untilStruck(c.fault, func(limit time.Duration) result { return runRecipients(c, limit) }))
	})
	results.report(t)
}

// untilStruck runs a timed cell again with longer limits when it was not right
// with shorter ones, because the machine may have been too slow for them.
func untilStruck(f fault, run func(limit time.Duration) result) result {
	for d := shortest; ; d *= 4 {
		r := run(d)
		if !f.timed() || d >= 64*shortest || len(r.wrong) == 0 {
			return r
		}
	}
}

func runRecipients(c recipientsCell, limit time.Duration) result {
	res := result{name: c.String()}
	s, err := serve(&server{cell: c.cell, rcpt: theirReplies})
	if err != nil {
		return res.failed("%v", err)
	}
	m, text, err := compose(severalRecipients...)
	if err != nil {
		return res.failed("%v", err)
	}
	defer m.Close()
	o := s.options()
	o.AllOrNone = c.allOrNone
	if c.fault.timed() && !c.healthy {
		o.Timeouts = limits(limit)
	}
	r := submission.Submit(context.Background(), o, m, submission.Policy{Attempts: c.attempts, FirstWait: time.Millisecond})
	if err := s.close(); err != nil {
		res = res.failed("%v", err)
	}
	res.attempts, res.outcome = len(r.Attempts), string(r.Recipients[0].Outcome)
	res.wrong = append(res.wrong, s.judgeReceipt(r, text)...)
	if c.allOrNone && len(s.kept()) > 0 {
		res = res.failed("stored %+v, and a recipient was refused", s.kept())
	}
	if c.healthy || c.fault == slow {
		want := []smtp.Outcome{smtp.Accepted, smtp.Permanent, smtp.Transient, smtp.Accepted}
		if c.allOrNone {
			want[0], want[3] = smtp.NotAttempted, smtp.NotAttempted
		}
		var got []smtp.Outcome
		for _, rcpt := range r.Recipients {
			got = append(got, rcpt.Outcome)
		}
		if !slices.Equal(got, want) {
			res = res.failed("outcomes %v, want %v; error: %v", got, want, r.Err())
		}
	}
	return res
}

// failed adds what is wrong.
func (r result) failed(format string, args ...any) result {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
	return r
}
