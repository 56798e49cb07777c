package outbox

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// A window is watched in buckets: those of a minute are a hundredth of a second
// wide, those of a day ten minutes. A bucket counts as long as any moment in it
// is within the window, so a window spans one bucket more than its length
// divided by the width, and no window of the true length ever holds too much. The
// time is the outbox's own.
const (
	minuteBuckets = 6000
	dayBuckets    = 144
)

// perTransaction is how many recipients go into one transaction, which is one
// message to the server.
const perTransaction = exchange.RecipientsPerMessage

// transactions is how many a message to so many recipients counts for.
func transactions(rcpts int) int { return (rcpts + perTransaction - 1) / perTransaction }

// underWay sums what counts of the rows of mail that a condition names.
var underWay = fmt.Sprintf("SELECT coalesce(sum((rcpt_open + %d) / %d), 0), coalesce(sum(rcpt_open), 0) FROM mail WHERE ", perTransaction-1, perTransaction)

func (ob *Outbox) minuteSpan() int64 { return max(1, ob.o.Minute.Milliseconds()/minuteBuckets) }
func (ob *Outbox) daySpan() int64    { return max(2, ob.o.Day.Milliseconds()/dayBuckets) }

// spanned is how many buckets of a width a window needs; with a faster time they may not
// fill it exactly.
func spanned(length time.Duration, span int64) int64 {
	return (length.Milliseconds() + span - 1) / span
}

// load is what a mailbox has submitted within its windows and has under way.
type load struct {
	minute, day          []bucket // oldest first
	messages, recipients int      // sums of the buckets
	inFlight, inFlightTo int      // whose data was allowed, not yet finished
}

type bucket struct {
	n          int64
	msgs, rcpt int
}

func (ob *Outbox) load(r store.Reader, mailbox string, now int64) (l load, err error) {
	ms, ds := ob.minuteSpan(), ob.daySpan()
	if l.minute, err = window(r, mailbox, ms, now/ms-spanned(ob.o.Minute, ms)); err != nil {
		return l, err
	}
	if l.day, err = window(r, mailbox, ds, now/ds-spanned(ob.o.Day, ds)); err != nil {
		return l, err
	}
	for _, b := range l.minute {
		l.messages += b.msgs
	}
	for _, b := range l.day {
		l.recipients += b.rcpt
	}
	err = store.Each(r, func(rows *sql.Rows) error { return rows.Scan(&l.inFlight, &l.inFlightTo) },
		underWay+"mailbox = ?1 AND state = 'sending' AND phase = 'data'", mailbox)
	return l, err
}

func window(r store.Reader, mailbox string, span, first int64) (buckets []bucket, err error) {
	err = store.Each(r, func(rows *sql.Rows) error {
		var b bucket
		defer func() { buckets = append(buckets, b) }()
		return rows.Scan(&b.n, &b.msgs, &b.rcpt)
	}, "SELECT bucket, msgs, rcpts FROM usage WHERE mailbox = ?1 AND span = ?2 AND bucket >= ?3 ORDER BY bucket", mailbox, span, first)
	return buckets, err
}

// wait says from when on a message to n recipients would fit, 0 when it fits
// now, and why not.
func (ob *Outbox) wait(l load, limits Limits, n int, now int64) (until int64, why string) {
	if over := l.messages + l.inFlight + min(transactions(n), limits.PerMinute) - limits.PerMinute; over > 0 {
		until = freed(l.minute, over, func(b bucket) int { return b.msgs }, ob.minuteSpan(), ob.o.Minute)
		why = fmt.Sprintf("limit reached: %d messages in %s", limits.PerMinute, ob.o.Minute)
	}
	if over := l.recipients + l.inFlightTo + min(n, limits.RecipientsPerDay) - limits.RecipientsPerDay; over > 0 {
		until = max(until, freed(l.day, over, func(b bucket) int { return b.rcpt }, ob.daySpan(), ob.o.Day))
		why = fmt.Sprintf("limit reached: %d recipients in %s", limits.RecipientsPerDay, ob.o.Day)
	}
	if why != "" && until <= now {
		until = now + ob.o.Minute.Milliseconds()/60 // what is under way fills the limit; when it ends is not known
	}
	return until, why
}

// freed is when enough of the oldest buckets have left the window. When all of
// them are not enough, what is under way has to end first: 0.
func freed(buckets []bucket, over int, of func(bucket) int, span int64, length time.Duration) int64 {
	for _, b := range buckets {
		if over -= of(b); over <= 0 {
			return (b.n + spanned(length, span) + 1) * span
		}
	}
	return 0
}

// count adds a message to so many recipients to both windows.
func (ob *Outbox) count(t *store.Tx, mailbox string, rcpts int) error {
	now, err := t.Own()
	if err != nil {
		return err
	}
	for _, span := range []int64{ob.minuteSpan(), ob.daySpan()} {
		_, err := t.Exec(`INSERT INTO usage (mailbox, span, bucket, msgs, rcpts) VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT (mailbox, span, bucket) DO UPDATE SET msgs = usage.msgs + excluded.msgs, rcpts = usage.rcpts + excluded.rcpts`,
			mailbox, span, now/span, transactions(rcpts), rcpts)
		if err != nil {
			return err
		}
	}
	_, err = t.Exec("DELETE FROM usage WHERE mailbox = ?1 AND span = ?2 AND bucket < ?3",
		mailbox, ob.minuteSpan(), now/ob.minuteSpan()-2*minuteBuckets)
	return err
}
