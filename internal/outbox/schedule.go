package outbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
)

// The schedule of one message, also told in the package comment.
const (
	firstWait   = time.Minute
	longestWait = 4 * time.Hour
)

// waitAfter is how long a message waits after attempt n, in milliseconds.
func waitAfter(r mailbox.Rules, n int) int64 {
	return r.Jittered(backoff.Doubling(firstWait, longestWait, n))
}

// deferred is for a 4yz reply, or a connection lost within the transaction.
func (f *finish) deferred() error {
	wait := waitAfter(f.ob.rules, f.attempts)
	if f.waitedFor(wait) {
		return f.giveUp()
	}
	f.out.Event = EventDeferred
	f.readyAt = f.t.Now + wait
	return nil
}

// waitedFor adds a wait to those of the message, and reports that it is one too
// many.
func (f *finish) waitedFor(wait int64) bool {
	f.waited += max(wait, 0)
	return time.Duration(f.waited)*time.Millisecond > f.ob.rules.Scaled(f.ob.o.GiveUp)
}
