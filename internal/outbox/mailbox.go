package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Pause says why a mailbox submits nothing.
type Pause string

// The pauses. The first four end by themselves, at a time that is known. A
// PauseServer that lasts a day becomes a hold; PauseConfiguration and PauseBlocked
// are one at once. A held mailbox is probed (StartProbe) and goes on when its
// sign-in is accepted, or when somebody calls ReleaseMailbox. One with
// PauseOperator waits for that alone.
const (
	PauseThrottled     Pause = "throttled"     // the server asked for less
	PauseUnreachable   Pause = "unreachable"   // the server could not be reached, or asked for another time
	PauseServer        Pause = "server"        // the server, or what is in its place, cannot be used
	PauseRefusals      Pause = "refusals"      // too many refusals of one kind in a row
	PauseConfiguration Pause = "configuration" // the sign-in was refused, or the mailbox may not submit
	PauseBlocked       Pause = "blocked"       // Microsoft stopped the mailbox or the tenant
	PauseOperator      Pause = "operator"      // somebody held it
)

// mailbox is the row that every transaction about one mailbox goes through.
type mailbox struct {
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

const mailboxColumns = "name, per_minute, rcpt_day, next_at, next_text, pause, paused_until, pause_kind, pause_text, throttles, streak, streak_kind, " +
	"since, failures, probe_at, probes, told, accepted_at"

func (m *mailbox) fields() []any {
	return []any{&m.name, &m.limits.PerMinute, &m.limits.RecipientsPerDay, &m.nextAt, &m.nextText, &m.pause, &m.pausedUntil,
		&m.pauseKind, &m.pauseText, &m.throttles, &m.streak, &m.streakKind, &m.since, &m.failures, &m.probeAt, &m.probes, &m.told, &m.acceptedAt}
}

// lockMailbox reads the row and keeps others from it.
func lockMailbox(t *store.Tx, name string) (*mailbox, error) {
	m := new(mailbox)
	err := t.Row("SELECT "+mailboxColumns+" FROM mailbox WHERE name = ?1"+store.LockRow, []any{name}, m.fields()...)
	return m, err
}

func saveMailbox(t *store.Tx, m *mailbox) error {
	_, err := t.Exec(`UPDATE mailbox SET next_at = ?2, next_text = ?3, pause = ?4, paused_until = ?5, pause_kind = ?6, pause_text = ?7,
		throttles = ?8, streak = ?9, streak_kind = ?10, since = ?11, failures = ?12, probe_at = ?13, probes = ?14, told = ?15, accepted_at = ?16 WHERE name = ?1`,
		m.name, m.nextAt, m.nextText, string(m.pause), m.pausedUntil, m.pauseKind, m.pauseText, m.throttles, m.streak, m.streakKind,
		m.since, m.failures, m.probeAt, m.probes, m.told, m.acceptedAt)
	return err
}

// waits says what keeps the mailbox from submitting now, nil when nothing does.
func (m *mailbox) waits(now int64) *WaitError {
	switch {
	case m.held() || (m.pause != "" && m.pausedUntil > now):
		return &WaitError{m.name, store.Moment(m.pausedUntil), store.Moment(m.probeAt), m.pause, m.pauseReason()}
	case m.nextAt > now:
		return &WaitError{Mailbox: m.name, Until: store.Moment(m.nextAt), Reason: m.nextText}
	}
	return nil
}

// held reports a mailbox whose pause has no end by itself.
func (m *mailbox) held() bool { return m.pause != "" && m.pausedUntil == 0 }

// pauseReason puts a pause in words.
func (m *mailbox) pauseReason() string {
	words := map[Pause]string{
		PauseThrottled:     "the server asked for a pause",
		PauseUnreachable:   "the server cannot be reached",
		PauseServer:        "the server cannot be used",
		PauseRefusals:      fmt.Sprintf("%d refusals of one kind in a row", m.streak),
		PauseConfiguration: "held: something has to be fixed first",
		PauseBlocked:       "held: the server has blocked the mailbox",
		PauseOperator:      "held by the operator",
	}[m.pause]
	if m.pause == PauseServer && m.held() {
		words = "held: the server could not be used for a day"
	}
	if m.pauseText != "" {
		words += ": " + m.pauseText
	}
	return words
}

// stop holds the mailbox until it is released, or a probe at probeAt (0: none)
// is accepted.
func (m *mailbox) stop(p Pause, probeAt int64, kind, text string) {
	m.pause, m.pausedUntil, m.probeAt, m.pauseKind, m.pauseText = p, 0, probeAt, kind, text
}

// rest pauses the mailbox until a time, unless it is held.
func (m *mailbox) rest(p Pause, until int64, kind, text string) {
	if m.held() || (m.pause != "" && m.pausedUntil > until) {
		return // several connections may fail at once; the longest pause counts
	}
	m.pause, m.pausedUntil, m.pauseKind, m.pauseText = p, until, kind, text
}

// SetLimits lowers the limits of one mailbox; a zero field is the default again.
// Values above Exchange Online's count as those.
func (ob *Outbox) SetLimits(ctx context.Context, mailbox string, l Limits) error {
	if l.PerMinute < 0 || l.RecipientsPerDay < 0 {
		return &InputError{"limits", "are negative"}
	}
	err := ob.db.Write(ctx, func(t *store.Tx) error {
		if err := ensureMailbox(t, mailboxKey(mailbox)); err != nil {
			return err
		}
		_, err := t.Exec("UPDATE mailbox SET per_minute = ?2, rcpt_day = ?3, next_at = 0 WHERE name = ?1", mailboxKey(mailbox), l.PerMinute, l.RecipientsPerDay)
		return err
	})
	if err != nil {
		return fmt.Errorf("setting limits of %s: %w", mailbox, err)
	}
	ob.signal()
	return nil
}

// HoldMailbox keeps a mailbox from submitting until ReleaseMailbox. What is
// under way goes on.
func (ob *Outbox) HoldMailbox(ctx context.Context, mailbox, reason string) error {
	err := ob.db.Write(ctx, func(t *store.Tx) error {
		if err := ensureMailbox(t, mailboxKey(mailbox)); err != nil {
			return err
		}
		m, err := lockMailbox(t, mailboxKey(mailbox))
		if err != nil {
			return err
		}
		m.stop(PauseOperator, 0, "", reason)
		return saveMailbox(t, m)
	})
	if err != nil {
		return fmt.Errorf("holding %s: %w", mailbox, err)
	}
	return nil
}

// ReleaseMailbox ends every pause of a mailbox. Its limits stay: what was
// counted counts. The error wraps store.ErrNotFound for a mailbox that never had a
// message.
func (ob *Outbox) ReleaseMailbox(ctx context.Context, mailbox string) error {
	err := ob.db.Write(ctx, func(t *store.Tx) error {
		m, err := lockMailbox(t, mailboxKey(mailbox))
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: no message of this mailbox was ever queued", store.ErrNotFound)
		}
		if err != nil {
			return err
		}
		m.rested()
		return saveMailbox(t, m)
	})
	if err != nil {
		return fmt.Errorf("releasing %s: %w", mailbox, err)
	}
	ob.signal()
	return nil
}

// rested forgets pauses and what led to them, but not that their end is to be
// told.
func (m *mailbox) rested() {
	m.pause, m.pausedUntil, m.probeAt, m.pauseKind, m.pauseText = "", 0, 0, "", ""
	m.throttles, m.streak, m.streakKind = 0, 0, ""
	m.since, m.failures, m.probes = 0, 0, 0
	if m.told != "" {
		m.told = toldReleased
	}
}

// times of the schedule, also told in the package comment.
const (
	firstWait      = time.Minute
	longestWait    = 4 * time.Hour
	firstThrottle  = 30 * time.Second
	longThrottle   = 15 * time.Minute
	streakAllowed  = 5
	firstBreak     = 10 * time.Minute
	longestBreak   = 4 * time.Hour
	firstTrouble   = time.Minute // the server cannot be used
	longestTrouble = 4 * time.Hour
	noticeTrouble  = 15 * time.Minute // a pause that the operator hears of
	holdAfter      = 24 * time.Hour
	firstProbe     = 30 * time.Minute // of a held mailbox
	longestProbe   = 4 * time.Hour
	probeAgain     = 15 * time.Minute // when the network kept it from an answer
	jitterFraction = 0.1
)

// jittered lengthens d by up to a tenth, so that what failed together does not
// come back together. Beside a stand-in whose minutes are shorter, so is d.
func (ob *Outbox) jittered(d time.Duration) int64 {
	d = ob.scaled(d)
	return (d + time.Duration(ob.o.Jitter()*jitterFraction*float64(d))).Milliseconds()
}

// scaled is d where a minute takes Options.Minute.
func (ob *Outbox) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * float64(ob.o.Minute) / float64(time.Minute))
}
