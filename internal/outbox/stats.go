package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Mailbox is how a mailbox stands.
type Mailbox struct {
	Name       string
	Limits     Limits // in force
	Messages   int    // of the last minute, what is under way included
	Recipients int    // of the last 24 hours, likewise
	Counts     map[State]int
	OldestDue  time.Time // zero: nothing is ready

	Pause      Pause     // "" when nothing or only a limit holds it
	Code       string    // the catalogue's code for the pause
	Reason     string    // in words why it waits, "" when it does not
	WaitsUntil time.Time // zero: not known, or it is held
	Since      time.Time // of the first pause that no accepted message has ended; zero: there is none
	ProbeAt    time.Time // when a held one is tried by a sign-in; zero: it waits for somebody alone
}

// Held reports that the mailbox has no end of its pause: it goes on when a probe is
// accepted or somebody releases it.
func (m Mailbox) Held() bool { return m.Pause != "" && m.WaitsUntil.IsZero() }

// Stopped reports a mailbox that something wrong holds, not an operator.
func (m Mailbox) Stopped() bool { return m.Held() && m.Pause != PauseOperator }

// Mailboxes returns all mailboxes by name, with what waits in them. It costs the
// reading of the index of what waits.
func (ob *Outbox) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	var list []Mailbox
	err := ob.mailboxes(ob.db.View(ctx), "", &list)
	if err != nil {
		return nil, fmt.Errorf("reading mailboxes: %w", err)
	}
	return list, nil
}

// Mailbox returns one; the error wraps store.ErrNotFound when it never had a message.
func (ob *Outbox) Mailbox(ctx context.Context, name string) (Mailbox, error) {
	var list []Mailbox
	err := ob.mailboxes(ob.db.View(ctx), mailboxKey(name), &list)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: no message of this mailbox was ever queued", store.ErrNotFound)
	}
	if err != nil {
		return Mailbox{}, fmt.Errorf("reading mailbox %s: %w", name, err)
	}
	return list[0], nil
}

// mailboxes reads all, or the one with the name.
func (ob *Outbox) mailboxes(v store.View, name string, list *[]Mailbox) error {
	counts, oldest, err := waiting(v, name)
	if err != nil {
		return err
	}
	now := ob.db.Now()
	own, err := v.Own()
	if err != nil {
		return err
	}
	var rows []*mailbox
	err = store.Each(v, func(r *sql.Rows) error {
		m := new(mailbox)
		rows = append(rows, m)
		return r.Scan(m.fields()...)
	}, "SELECT "+mailboxColumns+" FROM mailbox WHERE ?1 = '' OR name = ?1 ORDER BY name", name)
	for _, row := range rows {
		if err != nil {
			return err
		}
		var l load
		if l, err = ob.load(v, row.name, own); err != nil {
			return err
		}
		m := Mailbox{
			Name: row.name, Limits: row.limits.or(ob.o.Limits), Messages: l.messages + l.inFlight, Recipients: l.recipients + l.inFlightTo,
			Counts: counts[row.name], OldestDue: oldest[row.name],
		}
		if w := row.waits(now); w != nil {
			m.Pause, m.Reason, m.WaitsUntil = w.Pause, w.Reason, w.Until
			if w.Pause != "" {
				m.Code, m.Since, m.ProbeAt = row.pauseKind, store.Moment(row.since), w.Probe
			}
		}
		*list = append(*list, m)
	}
	return err
}

// waiting counts what is not finished, from the indexes alone.
func waiting(v store.View, name string) (map[string]map[State]int, map[string]time.Time, error) {
	counts, oldest := make(map[string]map[State]int), make(map[string]time.Time)
	err := store.Each(v, func(r *sql.Rows) error {
		var box string
		var state State
		var n int
		var first int64
		if err := r.Scan(&box, &state, &n, &first); err != nil {
			return err
		}
		if counts[box] == nil {
			counts[box] = make(map[State]int)
		}
		counts[box][state] = n
		if state == Ready {
			oldest[box] = store.Moment(first)
		}
		return nil
	}, waitingQuery, name)
	return counts, oldest, err
}

const waitingQuery = `
	SELECT mailbox, 'ready', count(*), min(ready_at) FROM mail WHERE state = 'ready' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox
	UNION ALL SELECT mailbox, 'sending', count(*), 0 FROM mail WHERE state = 'sending' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox
	UNION ALL SELECT mailbox, 'held', count(*), 0 FROM mail WHERE state = 'held' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox
	UNION ALL SELECT mailbox, 'receiving', count(*), 0 FROM mail WHERE state = 'receiving' AND (?1 = '' OR mailbox = ?1) GROUP BY mailbox`

// Finished counts what was finished since a time.
func (ob *Outbox) Finished(ctx context.Context, since time.Time) (map[State]int, error) {
	counts := make(map[State]int)
	err := store.Each(ob.db.View(ctx), func(r *sql.Rows) error {
		var s State
		var n int
		err := r.Scan(&s, &n)
		counts[s] = n
		return err
	}, "SELECT state, count(*) FROM mail WHERE finished_at IS NOT NULL AND finished_at >= ?1 GROUP BY state", store.Millis(since))
	if err != nil {
		return nil, fmt.Errorf("counting messages: %w", err)
	}
	return counts, nil
}
