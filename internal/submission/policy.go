package submission

import (
	"context"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/transaction"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Policy says how long and how often one message is tried within a run.
type Policy struct {
	Deadline time.Time // for everything up to the final dot; zero: none
	Attempts int       // at most; 0: as many as fit before the deadline

	// Restarts says that the server is this host's own, and comes back when it is started
	// again: a connection that is refused is tried until Deadline.
	Restarts bool

	// FirstWait is the wait after a first failed attempt; zero means a second.
	FirstWait time.Duration

	// BeforeContent, when set, is called each time the server waits for content:
	// in every attempt, and for each of its transactions. With an error nothing
	// goes out and the connection is cut.
	BeforeContent func(context.Context) error

	// Waiting, when set, is told before each wait why and how long.
	Waiting func(wait time.Duration, because diagnosis.Finding)
}

// refusedDials is how often a connection that is refused outright is tried:
// no program listens there, and few services start within a run.
const refusedDials = 3

// refusedCode is the catalogue's code for a connection that is refused.
const refusedCode = string(smtp.FaultConnectionRefused)

// exhausted reports that the nth attempt was the last, because of what it found.
func (p Policy) exhausted(n int, because diagnosis.Finding) bool {
	last := p.Attempts > 0 && n >= p.Attempts
	return last || (because.Code == refusedCode && n >= refusedDials && !p.Restarts)
}

// worthAnother says whether another attempt is, and what made it needed: the
// error of the last one, or the reply to a single recipient.
func (r *Receipt) worthAnother(e *session.Error) (diagnosis.Finding, bool) {
	if len(r.Open()) == 0 {
		return diagnosis.Finding{}, false
	}
	if e != nil {
		if e.Interrupted() || errors.Is(e.Err, transaction.ErrNotAll) {
			return diagnosis.Finding{}, false
		}
		f := r.find(e.WithoutDoubt(), diagnosis.Facts{}) // doubt is about others than those that are open
		return f, passes(f.Class) && !e.Reply.Permanent()
	}
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome == smtp.Transient {
			f := r.find(session.SymptomOf(rcpt), diagnosis.Facts{})
			if passes(f.Class) {
				return f, true
			}
		}
	}
	return diagnosis.Finding{}, false
}

// passes reports a class that may pass by itself within a run.
func passes(c diagnosis.Class) bool {
	return c == diagnosis.ClassTransient || c == diagnosis.ClassThrottled
}

// pause is the wait after attempt n: FirstWait, doubling up to 30 s, five
// times as long at first when throttled (the next connection is refused too
// until another one ends), of which a random half is taken off so that many
// senders do not come back together.
func (p Policy) pause(n int, class diagnosis.Class) time.Duration {
	first := p.FirstWait
	if first == 0 {
		first = time.Second
	}
	if class == diagnosis.ClassThrottled {
		first *= 5
	}
	return backoff.Spread(backoff.Doubling(first, 30*time.Second, n))
}
