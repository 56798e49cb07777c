// Package mailbox is what lets a mailbox submit, and what keeps it from that: its
// limits and what counts in them, its pauses and holds, and the probes that end a
// hold. How long each lasts is in rules.go; what an attempt ended with is a Verdict.
// Of the messages themselves it knows nothing.
package mailbox

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Pause says why a mailbox submits nothing.
type Pause string

// The pauses. The first four end by themselves, at a time that is known. A
// PauseServer that lasts a day becomes a hold; PauseConfiguration and PauseBlocked
// are one at once. A held mailbox is probed (Mailboxes.StartProbe) and goes on when its
// sign-in is accepted, or when Mailboxes.Release is called. One with
// PauseOperator waits for that alone.
const (
	PauseThrottled     Pause = "throttled"     // the server asked for less
	PauseUnreachable   Pause = "unreachable"   // the server could not be reached, or asked for another time
	PauseServer        Pause = "server"        // the server, or what is in its place, cannot be used
	PauseRefusals      Pause = "refusals"      // too many refusals of one kind in a row
	PauseConfiguration Pause = "configuration" // the sign-in was refused, or the mailbox may not submit
	PauseBlocked       Pause = "blocked"       // Microsoft stopped the mailbox or the tenant
	PauseOperator      Pause = "operator"      // an operator held it
)

// Mailbox is the row that every transaction about one mailbox goes through. It
// is for one goroutine.
type Mailbox struct {
	name        string
	limits      Limits
	nextAt      int64
	nextText    string
	pause       Pause
	pausedUntil int64
	pauseKind   string
	pauseText   string
	throttles   int
	streak      int
	streakKind  string

	since      int64 // of the first pause that no accepted message has ended
	failures   int   // times in a row that the server could not be used
	probeAt    int64 // of a held mailbox
	probes     int
	told       string // what the operator was told, and its end was not
	acceptedAt int64
}

const columns = "name, per_minute, rcpt_day, next_at, next_text, pause, paused_until, pause_kind, pause_text, throttles, streak, streak_kind, " +
	"since, failures, probe_at, probes, told, accepted_at"

func (m *Mailbox) fields() []any {
	return []any{&m.name, &m.limits.PerMinute, &m.limits.RecipientsPerDay, &m.nextAt, &m.nextText, &m.pause, &m.pausedUntil,
		&m.pauseKind, &m.pauseText, &m.throttles, &m.streak, &m.streakKind, &m.since, &m.failures, &m.probeAt, &m.probes, &m.told, &m.acceptedAt}
}

// Lock reads the row and keeps others from it. The error wraps sql.ErrNoRows when
// the mailbox never had a message.
func Lock(t *store.Tx, name string) (*Mailbox, error) {
	m := new(Mailbox)
	err := t.Row("SELECT "+columns+" FROM mailbox WHERE name = ?1"+store.LockRow, []any{name}, m.fields()...)
	return m, err
}

// Save writes the row.
func (m *Mailbox) Save(t *store.Tx) error {
	_, err := t.Exec(`UPDATE mailbox SET next_at = ?2, next_text = ?3, pause = ?4, paused_until = ?5, pause_kind = ?6, pause_text = ?7,
		throttles = ?8, streak = ?9, streak_kind = ?10, since = ?11, failures = ?12, probe_at = ?13, probes = ?14, told = ?15, accepted_at = ?16 WHERE name = ?1`,
		m.name, m.nextAt, m.nextText, string(m.pause), m.pausedUntil, m.pauseKind, m.pauseText, m.throttles, m.streak, m.streakKind,
		m.since, m.failures, m.probeAt, m.probes, m.told, m.acceptedAt)
	return err
}

// Key is how a mailbox is stored: Exchange compares without case.
func Key(name string) string { return strings.ToLower(name) }

// Ensure makes the row of a mailbox, by its Key, when there is none.
func Ensure(t *store.Tx, name string) error {
	_, err := t.Exec("INSERT INTO mailbox (name) VALUES (?1) ON CONFLICT DO NOTHING", name)
	return err
}

// All reads the rows of all mailboxes by name, or the one that only names.
func All(r store.Reader, only string) ([]*Mailbox, error) {
	return read(r, "WHERE ?1 = '' OR name = ?1 ORDER BY name", only)
}

func read(r store.Reader, which string, args ...any) (list []*Mailbox, err error) {
	err = store.Each(r, func(rows *sql.Rows) error {
		m := new(Mailbox)
		list = append(list, m)
		return rows.Scan(m.fields()...)
	}, "SELECT "+columns+" FROM mailbox "+which, args...)
	return list, err
}

// WaitError says that a mailbox may not submit now, and why. Its Error is for logs;
// the words for people are the command's.
type WaitError struct {
	Mailbox  string
	Until    time.Time // zero: the mailbox is held
	Probe    time.Time // when a held mailbox is tried by a sign-in; zero: it waits for an operator alone
	Pause    Pause     // "" when one of the mailbox's own limits is reached
	Refusals int       // of one kind in a row, with PauseRefusals
	Text     string    // who paused it said so, "" for nothing; without Pause which limit is reached, as it is stored
}

// Error names the pause or the limit.
func (e *WaitError) Error() string {
	text := e.Text
	if e.Pause != "" {
		text = strings.TrimSuffix(string(e.Pause)+": "+text, ": ")
	}
	return fmt.Sprintf("%s waits: %s", e.Mailbox, text)
}

// Held reports that the wait has no end of its own.
func (e *WaitError) Held() bool { return e.Pause != "" && e.Until.IsZero() }

// Wait says what keeps the mailbox from submitting at a time, in ms; nil when nothing
// does.
func (m *Mailbox) Wait(now int64) *WaitError {
	isPaused := m.pause != "" && m.pausedUntil > now
	switch {
	case m.Held() || isPaused:
		return &WaitError{m.name, store.Moment(m.pausedUntil), store.Moment(m.probeAt), m.pause, m.streak, m.pauseText}
	case m.nextAt > now:
		return &WaitError{Mailbox: m.name, Until: store.Moment(m.nextAt), Text: m.nextText}
	}
	return nil
}

// Held reports a mailbox whose pause has no end by itself.
func (m *Mailbox) Held() bool { return m.pause != "" && m.pausedUntil == 0 }

// Name is the mailbox, in lower case.
func (m *Mailbox) Name() string { return m.name }

// Limits are its own; a zero field is the default.
func (m *Mailbox) Limits() Limits { return m.limits }

// Kind is the catalogue's code for the pause.
func (m *Mailbox) Kind() string { return m.pauseKind }

// Since is when the first pause began that no accepted message has ended; zero:
// there is none.
func (m *Mailbox) Since() time.Time { return store.Moment(m.since) }

// Next is when a paused mailbox goes on, or a held one is tried.
func (m *Mailbox) Next() time.Time { return store.Moment(max(m.pausedUntil, m.probeAt)) }
