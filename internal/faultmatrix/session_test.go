//go:build unix

package faultmatrix_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestSeveralMessages breaks the second of three messages that a Sender submits
// one after another. With pipelining, the MAIL group of each went behind the
// final dot of the one before.
func TestSeveralMessages(t *testing.T) {
	noLeak(t)
	all := slices.DeleteFunc(cells(), func(c cell) bool {
		return c.stage < mailFrom || c.stage == quit || c.empty334
	})
	if len(all) < 700 {
		t.Errorf("%d cells, want at least 700", len(all))
	}
	var results results
	inParallel(thin(all), func(c cell) {
		for _, next := range []bool{false, true} {
			if next && !c.pipelining { // there is no group to go behind the dot
				continue
			}
			results.add(untilStruck(c.fault, func(limit time.Duration) result { return runSession(c, next, limit) }))
		}
	})
	results.report(t)
}

// sessionMessages is how many there are; the second is struck.
const sessionMessages = 3

func runSession(c cell, announced bool, limit time.Duration) result {
	res := result{name: fmt.Sprintf("%v/next=%v", c, announced)}
	s, err := serve(&server{cell: c, message: 1, messages: sessionMessages})
	if err != nil {
		return res.failed("%v", err)
	}
	var mails []*mailobject.Mail
	var texts []string
	for i := range sessionMessages {
		m, text, err := compose(fmt.Sprintf("m%d@contoso.example", i))
		if err != nil {
			return res.failed("%v", err)
		}
		defer m.Close()
		mails, texts = append(mails, m), append(texts, text)
	}
	o := s.options()
	if c.fault.timed() {
		o.Timeouts = limits(limit)
	}
	var receipts []*submission.Receipt
	sender := submission.NewSender(o)
	once := submission.Policy{Attempts: 1}
	if announced {
		for _, r := range sender.SubmitAll(context.Background(), slices.Values(mails), func(*mailobject.Mail) submission.Policy { return once }) {
			receipts = append(receipts, r)
		}
	} else {
		for _, m := range mails {
			receipts = append(receipts, sender.Submit(context.Background(), m, once))
		}
	}
	sender.Close()
	if err := s.close(); err != nil {
		res = res.failed("%v", err)
	}
	res.struck = len(s.conns) > 0 && s.conns[0].struck
	for i, r := range receipts {
		res.attempts += len(r.Attempts)
		for _, w := range s.judge(r.Recipients, texts[i]) {
			res = res.failed("message %d: %s", i, w)
		}
		if allowed := c.allowedInSession(i); !right(r.Recipients, allowed) {
			res = res.failed("message %d: outcome %s, want one of %v; error: %v", i, r.Recipients[0].Outcome, allowed, r.Err())
		}
	}
	res.outcome = string(receipts[1].Recipients[0].Outcome)
	if !res.struck {
		res = res.failed("the fault was not reached")
	}
	return res
}

// allowedInSession is allowed for message i when message 1 is struck. The first
// is accepted in any case. To the second the session may have ended before it
// began, so that it went over a new one. The third does so unless words left
// over from the second meet it.
func (c cell) allowedInSession(i int) []smtp.Outcome {
	accepted := []smtp.Outcome{smtp.Accepted}
	switch i {
	case 0:
		return accepted
	case 1:
		if c.stage == mailFrom {
			return append(c.allowed(), smtp.Accepted)
		}
		return c.allowed()
	}
	if c.fault.refusing() && c.place <= line { // the reply that was due comes too late to be told from the next
		return append(accepted, smtp.NotAttempted)
	}
	ends := c.fault == reset || c.fault == fin || c.fault == truncated
	if c.fault == stray || c.stage == dot && c.place == after && !ends {
		return append(accepted, smtp.NotAttempted, smtp.Transient, smtp.Permanent)
	}
	return accepted
}
