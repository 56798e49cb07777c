package outbox

import (
	"database/sql"
	"strings"
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
	EventHeld        EventKind = "held"        // no attempt; the mailbox, or by an operator the message, is held
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

// Limits of stored words: Exchange's diagnostics run to kilobytes and matter in
// the history, not in a list.
const (
	maxWords = 16 << 10
	maxLast  = 1000
)

// cut shortens text to n octets without leaving half a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

func addEvent(t *store.Tx, id int64, e Event) error {
	_, err := t.Exec("INSERT INTO event (mail_id, at, kind, attempt, rcpt, code, enhanced, text, took) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		id, t.Now, string(e.Kind), e.Attempt, e.Recipient, e.Code, e.Enhanced, cut(e.Text, maxWords), e.Took.Milliseconds())
	return err
}

// events reads the history of a message.
func events(r store.Reader, id int64) (list []Event, err error) {
	err = store.Each(r, func(rows *sql.Rows) error {
		var e Event
		var at, took int64
		err := rows.Scan(&at, &e.Kind, &e.Attempt, &e.Recipient, &e.Code, &e.Enhanced, &e.Text, &took)
		e.At, e.Took = store.Moment(at), time.Duration(took)*time.Millisecond
		list = append(list, e)
		return err
	}, "SELECT at, kind, attempt, rcpt, code, enhanced, text, took FROM event WHERE mail_id = ?1 ORDER BY id", id)
	return list, err
}
