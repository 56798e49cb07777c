package mailbox

import (
	"cmp"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/exchange"
)

// Limits bound one mailbox. A zero field is Exchange Online's own limit, and so is
// one above it.
type Limits struct {
	PerMinute        int  // messages in any 60 s
	RecipientsPerDay int  // recipients in any 24 h
	Uncounted        bool // the service has no limits: a zero field is none, and any may be above Exchange's
}

// Or fills zero fields from other, and lowers what is above Exchange's limits.
func (l Limits) Or(other Limits) Limits {
	if l.Uncounted = l.Uncounted || other.Uncounted; l.Uncounted {
		return Limits{
			cmp.Or(l.PerMinute, other.PerMinute, exchange.Uncounted), cmp.Or(l.RecipientsPerDay, other.RecipientsPerDay, exchange.Uncounted), true,
		}
	}
	if l.PerMinute == 0 {
		l.PerMinute = other.PerMinute
	}
	if l.RecipientsPerDay == 0 {
		l.RecipientsPerDay = other.RecipientsPerDay
	}
	return Limits{min(l.PerMinute, exchange.MessagesPerMinute), min(l.RecipientsPerDay, exchange.RecipientsPerDay), false}
}

// Rules are what all mailboxes of an outbox have in common. Every field is set.
type Rules struct {
	Limits      Limits         // of a mailbox that has none of its own
	Minute, Day time.Duration  // lengths of the two limits' windows; waits shrink with Minute
	Jitter      func() float64 // from 0 to 1
}

// The schedule of pauses and probes, also told in the comment of package outbox.
const (
	firstThrottle  = 30 * time.Second
	longThrottle   = 15 * time.Minute
	streakAllowed  = 5
	firstBreak     = 10 * time.Minute
	longestBreak   = 4 * time.Hour
	firstTrouble   = time.Minute // the server cannot be used
	longestTrouble = 4 * time.Hour
	noticeTrouble  = 15 * time.Minute // a pause that the operator hears of
	holdAfter      = 24 * time.Hour
	longestProbe   = 4 * time.Hour
	probeAgain     = 15 * time.Minute // when the network kept it from an answer
	jitterFraction = 0.1
)

// FirstProbe is how long after it was held a mailbox is tried by a sign-in.
const FirstProbe = 30 * time.Minute

// Jittered is d, in ms, longer by up to a tenth, so that what failed together does
// not come back together. Beside a stand-in whose minutes are shorter, so is d.
func (r Rules) Jittered(d time.Duration) int64 {
	d = r.Scaled(d)
	return (d + time.Duration(r.Jitter()*jitterFraction*float64(d))).Milliseconds()
}

// Scaled is d where a minute takes Rules.Minute.
func (r Rules) Scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * float64(r.Minute) / float64(time.Minute))
}

// nextProbe is when a mailbox is tried next that was tried n times: after 30
// minutes, 1, 2, then each 4 hours. The row goes on until a message is accepted,
// also when probes were and the messages after them were not.
func (r Rules) nextProbe(now int64, n int) int64 {
	return now + r.Jittered(backoff.Doubling(FirstProbe, longestProbe, n+1))
}
