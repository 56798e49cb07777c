package mailbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// What the operator was told of a mailbox, and its end was not.
const (
	toldPaused   = "paused"
	toldHeld     = "held"
	toldReleased = "released" // it was released by hand meanwhile
)

// Refused is the circuit breaker: a message was refused for good, for every
// recipient. Exchange answers refusals that go on with "continuous ... errors",
// which stop good mail of the same mailbox too, for a time of its own choice: we
// stop before. What we refused ourselves it never saw. It reports the first pause of
// a row, of which the operator should hear.
func (m *Mailbox) Refused(r Rules, now int64, v Verdict) (first bool) {
	if v.Reply.IsZero() {
		return false
	}
	if v.Kind != m.streakKind {
		m.streak, m.streakKind = 0, v.Kind
	}
	m.streak++
	over := m.streak - streakAllowed
	if over < 0 {
		return false
	}
	pause := r.Scaled(backoff.Doubling(firstBreak, longestBreak, over+1))
	m.rest(PauseRefusals, now, now+pause.Milliseconds(), v)
	return over == 0
}

// SlowDown pauses the mailbox, each time in a row for longer, as p. It reports that
// the longest pause is reached, of which the operator should hear.
func (m *Mailbox) SlowDown(r Rules, now int64, p Pause, v Verdict) (longest bool) {
	if m.Wait(now) == nil || m.pause != p { // three connections that fail together are one time
		m.throttles++
	}
	pause := v.Pause
	if pause <= 0 {
		pause = backoff.Doubling(firstThrottle, longThrottle, m.throttles)
	}
	m.rest(p, now, now+r.Jittered(pause), v)
	return v.Pause <= 0 && pause == longThrottle
}

// Unusable is for a server that could not be used: the mailbox pauses, each time in
// a row for longer. It returns how long, in ms, and whether the operator should hear
// of it. When that has lasted a day it does not pause: it is to be held.
func (m *Mailbox) Unusable(r Rules, now int64, v Verdict) (wait int64, long, hold bool) {
	if m.Wait(now) == nil || m.pause != PauseServer { // several connections that fail together are one time
		m.failures++
	}
	lasted := time.Duration(now-m.since) * time.Millisecond
	if m.since > 0 && m.failures > 1 && lasted >= r.Scaled(holdAfter) {
		return 0, false, true
	}
	pause := backoff.Doubling(firstTrouble, longestTrouble, m.failures)
	wait = r.Jittered(pause)
	m.rest(PauseServer, now, now+wait, v)
	return wait, pause >= noticeTrouble, false
}

// Hold stops the mailbox until a probe is accepted or it is released.
func (m *Mailbox) Hold(r Rules, now int64, p Pause, v Verdict) {
	m.begin(now)
	m.stop(p, r.nextProbe(now, m.probes), v.Kind, store.Cut(v.Words(), store.Line))
}

// Accepted ends the row of pauses: a message was accepted. When the operator was
// told of the row and should hear of its end, tell is set; since is when it began,
// in ms.
func (m *Mailbox) Accepted(now int64) (since int64, tell bool) {
	m.throttles, m.streak, m.streakKind, m.acceptedAt = 0, 0, "", now
	if m.Held() {
		return 0, false // by another connection, meanwhile
	}
	since, tell = m.since, m.told != ""
	m.failures, m.probes, m.since, m.told = 0, 0, 0, ""
	return since, tell
}

// TellPaused reports that the operator is to be told that the mailbox pauses, and
// takes it as told: that is so once, and not while it is held.
func (m *Mailbox) TellPaused() bool {
	if m.told == toldPaused || m.told == toldHeld || m.Held() {
		return false
	}
	m.told = toldPaused
	return true
}

// TellHeld reports that the operator is to be told that the mailbox is held, and
// takes it as told: that is so once.
func (m *Mailbox) TellHeld() bool {
	if m.told == toldHeld {
		return false
	}
	m.told = toldHeld
	return true
}

// Renew begins another row of pauses when the last pause ended long ago and nothing
// was wrong since.
func (m *Mailbox) Renew(r Rules, now int64) {
	if m.pausedUntil == 0 || now-m.pausedUntil <= r.Scaled(longestTrouble).Milliseconds() {
		return
	}
	m.since, m.failures, m.throttles, m.probes = 0, 0, 0, 0
	if m.told != "" {
		m.told = toldReleased
	}
}

// begin notes when a row of pauses began.
func (m *Mailbox) begin(now int64) {
	if m.since == 0 {
		m.since = now
	}
}

// rest pauses the mailbox until a time, unless it is held, and begins a row of
// pauses.
func (m *Mailbox) rest(p Pause, now, until int64, v Verdict) {
	m.begin(now)
	if m.Held() || (m.pause != "" && m.pausedUntil > until) {
		return // several connections may fail at once; the longest pause counts
	}
	m.pause, m.pausedUntil, m.pauseKind, m.pauseText = p, until, v.Kind, store.Cut(v.Words(), store.Line)
}

// stop holds the mailbox until it is released, or a probe at probeAt (0: none)
// is accepted.
func (m *Mailbox) stop(p Pause, probeAt int64, kind, text string) {
	m.pause, m.pausedUntil, m.probeAt, m.pauseKind, m.pauseText = p, 0, probeAt, kind, text
}

// release forgets pauses and what led to them, but not that their end is to be
// told.
func (m *Mailbox) release() {
	m.pause, m.pausedUntil, m.probeAt, m.pauseKind, m.pauseText = "", 0, 0, "", ""
	m.throttles, m.streak, m.streakKind = 0, 0, ""
	m.since, m.failures, m.probes = 0, 0, 0
	if m.told != "" {
		m.told = toldReleased
	}
}
