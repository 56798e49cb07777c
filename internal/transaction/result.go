package transaction

import (
	"errors"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Result is what the transactions of one mail object brought.
type Result struct {
	Recipients []smtp.Recipient // in the order of the transactions
	Reply      smtp.Reply       // to the final dot or to BDAT; zero when none came
	Steps      []session.Step
	Err        *session.Error // why the last transaction did not end with 2yz; nil when it did
	Notes      []string       // oddities of the server
}

// add appends what a further transaction of the same mail object brought.
func (r *Result) add(more Result) {
	r.Recipients = append(r.Recipients, more.Recipients...)
	r.Steps = append(r.Steps, more.Steps...)
	r.Notes = append(r.Notes, more.Notes...)
	r.Err = more.Err
	if !more.Reply.IsZero() {
		r.Reply = more.Reply
	}
}

func (r *Result) has(path string) bool {
	return slices.ContainsFunc(r.Recipients, func(rcpt smtp.Recipient) bool { return rcpt.ForwardPath == path })
}

// provisional is the outcome of a recipient between a RCPT that was accepted
// and the reply to the final dot or to BDAT. It never leaves this package: end turns it into
// what it means.
const provisional smtp.Outcome = "rcpt accepted"

// expect makes every recipient provisional: the content has left, and only replies
// can take a recipient out again.
func (t *transaction) expect() {
	for i, path := range t.to {
		t.res.Recipients[i] = smtp.Recipient{ForwardPath: path, Outcome: provisional}
	}
}

// decide gives the outcome of r to every recipient whose outcome is from.
func (t *transaction) decide(from smtp.Outcome, stage smtp.Stage, r smtp.Reply) {
	for i, rcpt := range t.res.Recipients {
		if rcpt.Outcome == from {
			t.res.Recipients[i] = smtp.Recipient{ForwardPath: rcpt.ForwardPath, Outcome: outcomeOf(r), Stage: stage, Reply: r}
		}
	}
}

func outcomeOf(r smtp.Reply) smtp.Outcome {
	switch {
	case r.Positive():
		return smtp.Accepted
	case r.Transient():
		return smtp.Transient
	case r.Permanent():
		return smtp.Permanent
	}
	return smtp.InDoubt
}

// end turns what is still provisional into what it means: doubt when the server
// may have the whole content.
func (t *transaction) end(sent bool) {
	outcome := smtp.NotAttempted
	if sent {
		outcome = smtp.InDoubt
	}
	for i, rcpt := range t.res.Recipients {
		if rcpt.Outcome == provisional {
			t.res.Recipients[i] = smtp.Recipient{ForwardPath: rcpt.ForwardPath, Outcome: outcome, Stage: smtp.StageContent}
		}
	}
}

// doubtful reports whether a recipient's outcome is in doubt.
func (t *transaction) doubtful() bool {
	return slices.ContainsFunc(t.res.Recipients, func(r smtp.Recipient) bool { return r.Outcome == smtp.InDoubt })
}

// timed records how long a stage took.
func (t *transaction) timed(stage smtp.Stage, start time.Time) {
	t.res.Steps = append(t.res.Steps, session.Step{Stage: stage, Took: time.Since(start)})
}

// refusedAll is the error when no recipient was accepted: the first refusal, or
// the first transient one, because that is worth another attempt.
func (t *transaction) refusedAll() *session.Error {
	first := t.res.Recipients[0]
	for _, rcpt := range t.res.Recipients {
		if rcpt.Outcome == provisional {
			return nil
		}
		if rcpt.Outcome == smtp.Transient && first.Outcome != smtp.Transient {
			first = rcpt
		}
	}
	return &session.Error{Stage: first.Stage, Reply: first.Reply}
}

// ErrNotAll is wrapped by the error of a transaction that ended because a
// recipient was refused and Options.AllOrNone is set.
var ErrNotAll = errors.New("a recipient was refused, so nothing was submitted")

// refusedAny is the error when any recipient was refused, for AllOrNone. The
// others end as not attempted.
func (t *transaction) refusedAny() *session.Error {
	for _, rcpt := range t.res.Recipients {
		if rcpt.Outcome != provisional {
			return &session.Error{Stage: rcpt.Stage, Reply: rcpt.Reply, Err: ErrNotAll}
		}
	}
	return nil
}

// tooMany takes out of res the recipients that were refused because the
// transaction had enough of them, and returns them: they go into another one.
// RFC 5321 4.5.3.1.10: 452, and 552 is to be understood as 452. When none was
// accepted, another transaction would end the same.
func tooMany(res *Result) (again []string) {
	accepted := slices.ContainsFunc(res.Recipients, func(r smtp.Recipient) bool { return r.Outcome == smtp.Accepted })
	if !accepted {
		return nil
	}
	res.Recipients = slices.DeleteFunc(res.Recipients, func(r smtp.Recipient) bool {
		if oneTooMany(r) {
			again = append(again, r.ForwardPath)
		}
		return oneTooMany(r)
	})
	return again
}

// full reports whether recipients were refused because of others.
func (t *transaction) full() bool {
	return slices.ContainsFunc(t.res.Recipients, oneTooMany)
}

// oneTooMany reports a recipient that was refused because of others: with a reply
// that says "too many recipients" rather than something about this one. Mailbox
// full has the subject 2 in its enhanced status code, as in 4.2.2 and 5.2.2.
func oneTooMany(r smtp.Recipient) bool {
	full := r.Reply.Code == 452 || r.Reply.Code == 552
	return r.Stage == smtp.StageRcpt && full && r.Reply.Enhanced.Subject != 2
}
