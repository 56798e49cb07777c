package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// State is how far a message has come.
type State string

// The states. "Deferred", "scheduled" and "throttled" are not: operator.Mail says
// why a ready message waits.
const (
	Receiving State = "receiving" // a large content is still coming in; not taken yet
	Ready     State = "ready"     // to be submitted
	Sending   State = "sending"   // claimed
	Held      State = "held"      // until it is released
	Sent      State = "sent"      // every recipient was accepted
	Dead      State = "dead"      // a recipient was refused, or time was up; the content is kept
	Cancelled State = "cancelled"
)

// Finished reports that nothing more happens to the message by itself.
func (s State) Finished() bool { return s == Sent || s == Dead || s == Cancelled }

// Waiting is what of a mailbox is not finished.
type Waiting struct {
	Counts    map[State]int
	OldestDue time.Time // of what is ready; zero: nothing is
}

// Waiting counts, by mailbox, what is not finished: of all, or of the one mailbox,
// in lower case, that only names. It costs the reading of the index of what waits.
func (ob *Outbox) Waiting(ctx context.Context, only string) (map[string]Waiting, error) {
	all := make(map[string]Waiting)
	err := store.Each(ob.db.View(ctx), func(r *sql.Rows) error {
		var name string
		var state State
		var n int
		var first int64
		if err := r.Scan(&name, &state, &n, &first); err != nil {
			return err
		}
		w, known := all[name]
		if !known {
			w.Counts = make(map[State]int)
		}
		w.Counts[state] = n
		if state == Ready {
			w.OldestDue = store.Moment(first)
		}
		all[name] = w
		return nil
	}, waitingQuery, only)
	if err != nil {
		return nil, fmt.Errorf("counting what waits: %w", err)
	}
	return all, nil
}

const waitingQuery = `
	SELECT mailbox, 'ready', count(*), min(ready_at) FROM mail WHERE state = 'ready' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox
	UNION ALL SELECT mailbox, 'sending', count(*), 0 FROM mail WHERE state = 'sending' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox
	UNION ALL SELECT mailbox, 'held', count(*), 0 FROM mail WHERE state = 'held' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox
	UNION ALL SELECT mailbox, 'receiving', count(*), 0 FROM mail WHERE state = 'receiving' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox`
