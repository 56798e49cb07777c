package submission

import (
	"context"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Submit submits m on the session, in as many transactions as its recipients
// need, and returns them as one Result whose Err is the last one's. next, when
// not nil, is asked just before the last final dot for the mail object that
// will be submitted next on this session: its MAIL group then goes behind the
// dot, which saves a turn, and the next call must be with that mail object.
// Submit ends at deadline (zero: none) or with ctx; once the final dot is sent,
// only ctx and the limit of its reply end it.
func (s *Session) Submit(ctx context.Context, deadline time.Time, m *mailobject.Mail, next func() *mailobject.Mail) Result {
	early, cancel := withDeadline(ctx, deadline)
	defer cancel()
	pending := m.Envelope.ForwardPaths
	var all Result
	for len(pending) > 0 {
		t := s.ahead
		if t == nil || t.mail != m {
			t = chunk(m, pending)
		}
		pending = pending[len(t.to):]
		res := s.run(ctx, early, t, func() *transaction {
			if len(pending) == 0 && t.full() {
				return nil // m needs another transaction, which is not known yet
			}
			return following(m, pending, next)
		})
		again := tooMany(&res)
		pending = slices.Concat(pending, again)
		all.add(res)
		if res.Err != nil && (s.broken || res.Err.Stage != smtp.StageRcpt) {
			s.broken = s.broken || (s.ahead != nil && s.ahead.mail == m) // whose turn will not come
			break
		}
	}
	for _, path := range pending {
		if !all.has(path) {
			all.Recipients = append(all.Recipients, smtp.Recipient{ForwardPath: path, Outcome: smtp.NotAttempted})
		}
	}
	return all
}

// chunk is the transaction for the first of the pending recipients.
func chunk(m *mailobject.Mail, pending []string) *transaction {
	return newTransaction(m, pending[:min(len(pending), exchange.RecipientsPerMessage)])
}

// following is the transaction after the current one: more recipients of m, or
// the next mail object.
func following(m *mailobject.Mail, pending []string, next func() *mailobject.Mail) *transaction {
	if len(pending) > 0 {
		return chunk(m, pending)
	}
	if next == nil {
		return nil
	}
	if n := next(); n != nil {
		return chunk(n, n.Envelope.ForwardPaths)
	}
	return nil
}

// tooMany takes out of res the recipients that were refused because the
// transaction had enough of them, and returns them: they go into another one.
// RFC 5321 4.5.3.1.10: 452, and 552 is to be understood as 452. When none was
// accepted, another transaction would end the same.
func tooMany(res *Result) (again []string) {
	taken := slices.ContainsFunc(res.Recipients, func(r smtp.Recipient) bool { return r.Outcome == smtp.Accepted })
	if !taken {
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

// oneTooMany reports a recipient that was refused because of others.
func oneTooMany(r smtp.Recipient) bool {
	return r.Stage == smtp.StageRcpt && fullCode(r.Reply)
}

// fullCode reports a reply that says "too many recipients" rather than
// something about this one: mailbox full has the subject 2 in its enhanced
// status code, as in 4.2.2 and 5.2.2.
func fullCode(r smtp.Reply) bool {
	return (r.Code == 452 || r.Code == 552) && r.Enhanced.Subject != 2
}

// add appends what a further transaction of the same message brought.
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

// Usable reports whether another message may be submitted on the session.
func (s *Session) Usable() bool { return !s.broken }
