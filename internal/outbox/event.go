package outbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// EventKind says what happened to a message.
type EventKind string

// The events. Events are only ever added.
const (
	EventAttempt     EventKind = "attempt"     // the content may go out from here on; written ahead
	EventAccepted    EventKind = "accepted"    // by the server, for all that were open
	EventDeferred    EventKind = "deferred"    // due again later
	EventRefused     EventKind = "refused"     // for good
	EventInDoubt     EventKind = "in doubt"    // the server may have it
	EventThrottled   EventKind = "throttled"   // no attempt; the mailbox pauses
	EventUnreachable EventKind = "unreachable" // no attempt; the mailbox pauses
	EventPaused      EventKind = "paused"      // no attempt; the server cannot be used, and the mailbox pauses
	EventHeld        EventKind = "held"        // no attempt; the mailbox is held, or the message, by its refusal, its sender's or an operator
	EventReturned    EventKind = "returned"    // no attempt; given back
	EventRecovered   EventKind = "recovered"   // a process ended before anything was submitted
	EventGivenUp     EventKind = "given up"    // the waits added up
	EventExpired     EventKind = "expired"     // the message's own time is over
	EventRetry       EventKind = "retry"       // an operator wants it now
	EventReleased    EventKind = "released"
	EventCancelled   EventKind = "cancelled"
)

// Event is one line of a message's history.
type Event struct {
	At        time.Time
	Kind      EventKind
	Attempt   int
	Recipient string // "" when it is about all that were open
	Code      int    // the server's reply, verbatim
	Enhanced  string
	Text      string
	Took      time.Duration
}

// maxWords is how many octets are kept of a text: Exchange's diagnostics run to
// kilobytes and matter in the history.
const maxWords = 16 << 10

func addEvent(t *store.Tx, id int64, e Event) error {
	_, err := t.Exec("INSERT INTO event (mail_id, at, kind, attempt, rcpt, code, enhanced, text, took) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		id, t.Now, string(e.Kind), e.Attempt, e.Recipient, e.Code, e.Enhanced, store.Cut(e.Text, maxWords), e.Took.Milliseconds())
	return err
}
