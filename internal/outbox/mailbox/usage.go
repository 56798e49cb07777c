package mailbox

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

func (r Rules) minuteSpan() int64 { return max(1, r.Minute.Milliseconds()/minuteBuckets) }
func (r Rules) daySpan() int64    { return max(2, r.Day.Milliseconds()/dayBuckets) }

// spanned is how many buckets of a width a window needs; with a faster time they may not
// fill it exactly.
func spanned(length time.Duration, span int64) int64 {
	return (length.Milliseconds() + span - 1) / span
}

// Sum is a number of messages, as the server counts them, and of their recipients.
type Sum struct{ Messages, Recipients int }

// load is what a mailbox has submitted within its windows and has under way.
type load struct {
	minute, day []bucket // oldest first
	submitted   Sum      // of the buckets: messages of the minute, recipients of the day
	underWay    Sum
}

type bucket struct {
	n          int64
	msgs, rcpt int
}

// Usage is what a mailbox has submitted within the windows that end at a time, by
// the database's own clock in ms: messages of the minute, recipients of the day.
func (r Rules) Usage(from store.Reader, name string, own int64) (Sum, error) {
	l, err := r.load(from, name, own)
	return l.submitted, err
}

func (r Rules) load(from store.Reader, name string, own int64) (l load, err error) {
	ms, ds := r.minuteSpan(), r.daySpan()
	if l.minute, err = window(from, name, ms, own/ms-spanned(r.Minute, ms)); err != nil {
		return l, err
	}
	if l.day, err = window(from, name, ds, own/ds-spanned(r.Day, ds)); err != nil {
		return l, err
	}
	for _, b := range l.minute {
		l.submitted.Messages += b.msgs
	}
	for _, b := range l.day {
		l.submitted.Recipients += b.rcpt
	}
	return l, nil
}

// Limit checks whether the mailbox may submit one more message, to n recipients,
// beside what is under way, and writes down from when on it may. It is nil when it
// may now.
func (m *Mailbox) Limit(t *store.Tx, r Rules, n int, underWay Sum) (*WaitError, error) {
	own, err := t.Own()
	if err != nil {
		return nil, err
	}
	l, err := r.load(t, m.name, own)
	if err != nil {
		return nil, err
	}
	l.underWay = underWay
	until, why := r.wait(l, m.limits.Or(r.Limits), n, own)
	if why == "" {
		return nil, nil
	}
	until += t.Now - own
	m.nextAt, m.nextText = until, why
	return &WaitError{Mailbox: m.name, Until: store.Moment(until), Text: why}, m.Save(t)
}

// LimitPassed says that what was under way did not count after all: whether a limit
// is reached is found out anew.
func (m *Mailbox) LimitPassed() { m.nextAt = 0 }

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
func (r Rules) wait(l load, limits Limits, n int, now int64) (until int64, why string) {
	if over := l.submitted.Messages + l.underWay.Messages + min(transactions(n), limits.PerMinute) - limits.PerMinute; over > 0 {
		until = freed(l.minute, over, func(b bucket) int { return b.msgs }, r.minuteSpan(), r.Minute)
		why = fmt.Sprintf("limit reached: %d messages in %s", limits.PerMinute, r.Minute)
	}
	if over := l.submitted.Recipients + l.underWay.Recipients + min(n, limits.RecipientsPerDay) - limits.RecipientsPerDay; over > 0 {
		until = max(until, freed(l.day, over, func(b bucket) int { return b.rcpt }, r.daySpan(), r.Day))
		why = fmt.Sprintf("limit reached: %d recipients in %s", limits.RecipientsPerDay, r.Day)
	}
	if why != "" && until <= now {
		until = now + r.Minute.Milliseconds()/60 // what is under way fills the limit; when it ends is not known
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

// Count adds a message to so many recipients to both windows.
func (r Rules) Count(t *store.Tx, mailbox string, rcpts int) error {
	now, err := t.Own()
	if err != nil {
		return err
	}
	for _, span := range []int64{r.minuteSpan(), r.daySpan()} {
		_, err := t.Exec(`INSERT INTO usage (mailbox, span, bucket, msgs, rcpts) VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT (mailbox, span, bucket) DO UPDATE SET msgs = usage.msgs + excluded.msgs, rcpts = usage.rcpts + excluded.rcpts`,
			mailbox, span, now/span, transactions(rcpts), rcpts)
		if err != nil {
			return err
		}
	}
	_, err = t.Exec("DELETE FROM usage WHERE mailbox = ?1 AND span = ?2 AND bucket < ?3",
		mailbox, r.minuteSpan(), now/r.minuteSpan()-2*minuteBuckets)
	return err
}

// PurgeUsage forgets what no window can span any more.
func (r Rules) PurgeUsage(t *store.Tx) error {
	own, err := t.Own()
	if err != nil {
		return err
	}
	_, err = t.Exec("DELETE FROM usage WHERE span = ?1 AND bucket < ?2", r.daySpan(), own/r.daySpan()-2*dayBuckets)
	return err
}
