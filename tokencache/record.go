package tokencache

import (
	"time"

	"golang.org/x/oauth2"
)

// Record is what a Store keeps under a Key. A Record is never changed after it was made.
type Record struct {
	Token    *oauth2.Token // nil for none
	Obtained time.Time     // when the source was asked for Token
	Refusal  *Refused      // the last answer of the source, nil when that was a token
}

// Refused is a refusal as it is remembered.
type Refused struct {
	Text   string    // of the error
	At     time.Time // when it came
	Detail []byte    // the error as JSON, nil when it has no MarshalJSON
}

// futureSlack is how far ahead of the clock a record may be, for clocks of
// several machines on one file system. One that is further ahead was made
// while the clock was wrong, and so is its expiry.
const futureSlack = time.Minute

// query is what one call looks for.
type query struct {
	start time.Time // when the call began
	force bool      // nothing older than start
}

// after reports whether t belongs to the call or came later.
func (q query) after(t time.Time) bool { return !t.Before(q.start) }

// usable reports whether the token of r serves q. A token that was asked for
// after the call began does in any case: a newer one would not be better.
func (c *Cache) usable(r *Record, q query) bool {
	if r == nil || r.Token == nil || r.Token.AccessToken == "" || c.isRejected(r.Token) {
		return false
	}
	at := now()
	left := r.Token.Expiry.Sub(at) // far below zero when there is no expiry
	if left <= 0 || r.Obtained.After(at.Add(futureSlack)) {
		return false
	}
	if q.after(r.Obtained) {
		return true
	}
	grace := min(c.o.Grace, r.Token.Expiry.Sub(r.Obtained)/2)
	return !q.force && left > grace && left >= c.o.MinLife
}

// known returns what r says about q: a token, a refusal, or neither.
func (c *Cache) known(r *Record, q query) (*Record, error) {
	if c.usable(r, q) {
		return r, nil
	}
	return nil, c.remembered(r, q)
}
