package outbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox/store"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// decide says what is next for the message and for its mailbox.
func (f *finish) decide() error {
	if f.accepted > 0 {
		if err := f.recovered(); err != nil {
			return err
		}
	}
	f.box.freshAfter(f.t.Now, f.ob.scaled(longestTrouble))
	f.state, f.readyAt = Ready, f.t.Now
	switch {
	case f.stillOpen == 0:
		return f.ended()
	case f.inDoubt > 0:
		return f.doubtful()
	case f.r.stops() != "":
		f.uncounted(EventHeld)
		return f.hold(f.r.stops())
	case f.r.Class == diagnosis.ClassThrottled:
		f.uncounted(EventThrottled)
		return f.slowDown(PauseThrottled)
	case f.r.trouble():
		f.uncounted(EventPaused)
		return f.troubled()
	case f.r.session():
		f.uncounted(EventUnreachable)
		return f.slowDown(PauseUnreachable)
	case f.r.Class == "" && f.attempted == 0:
		f.uncounted(EventReturned)
		if f.c.Notice && f.box.held() { // since it was claimed
			return f.elsewhere()
		}
		return nil
	}
	return f.deferred()
}

// uncounted takes the attempt back: it said nothing about the message.
func (f *finish) uncounted(e EventKind) {
	f.attempts--
	f.out.Event = e
}

// ended is for a message without open recipients.
func (f *finish) ended() error {
	var refused int
	if err := f.t.Row("SELECT count(*) FROM rcpt WHERE mail_id = ?1 AND "+recipientRefused, []any{f.c.id}, &refused); err != nil {
		return err
	}
	if refused == 0 {
		f.state, f.out.Event = Sent, EventAccepted
		return nil
	}
	f.state, f.out.Event = Dead, EventRefused
	if f.refused > 0 && f.accepted == 0 {
		if err := f.refusal(); err != nil {
			return err
		}
	}
	return f.notice(NoticeDead)
}

// refusal is the circuit breaker. Exchange answers refusals that go on with
// "continuous ... errors", which stop good mail of the same mailbox too, for a
// time of its own choice: we stop before. What we refused ourselves it never saw.
func (f *finish) refusal() error {
	if f.r.Reply.IsZero() {
		return nil
	}
	if f.r.Kind != f.box.streakKind {
		f.box.streak, f.box.streakKind = 0, f.r.Kind
	}
	f.box.streak++
	over := f.box.streak - streakAllowed
	if over < 0 {
		return nil
	}
	pause := f.ob.scaled(backoff.Doubling(firstBreak, longestBreak, over+1))
	f.pause(PauseRefusals, f.t.Now+pause.Milliseconds())
	if over > 0 {
		return nil
	}
	return f.noticePaused()
}

// doubtful submits once more what is in doubt, or holds it.
func (f *finish) doubtful() error {
	f.doubts++
	f.out.Event = EventInDoubt
	if f.ob.o.InDoubt == DoubtHold || f.doubts > 1 {
		f.state = Held
		return f.notice(NoticeInDoubt)
	}
	f.readyAt = f.t.Now + f.ob.jittered(firstWait)
	return nil
}

// slowDown pauses the mailbox, each time in a row for longer. A notice is due
// when the longest pause is reached, or soon after when a notice met it first.
func (f *finish) slowDown(p Pause) error {
	if f.box.waits(f.t.Now) == nil || f.box.pause != p { // three connections that fail together are one time
		f.box.throttles++
	}
	pause := f.r.Pause
	if pause <= 0 {
		pause = backoff.Doubling(firstThrottle, longThrottle, f.box.throttles)
	}
	f.pause(p, f.t.Now+f.ob.jittered(pause))
	if f.r.Pause <= 0 && pause == longThrottle {
		return f.noticePaused()
	}
	return nil
}

// deferred is for a 4yz reply, or a connection lost within the transaction.
func (f *finish) deferred() error {
	wait := f.ob.jittered(backoff.Doubling(firstWait, longestWait, f.attempts))
	if f.waitedFor(wait) {
		return f.giveUp()
	}
	f.out.Event = EventDeferred
	f.readyAt = f.t.Now + wait
	return nil
}

// waitedFor adds a wait to those of the message, and reports that it is one too
// many.
func (f *finish) waitedFor(wait int64) bool {
	f.waited += max(wait, 0)
	return time.Duration(f.waited)*time.Millisecond > f.ob.scaled(f.ob.o.GiveUp)
}

// giveUp ends a message that was tried for long enough.
func (f *finish) giveUp() error {
	f.state, f.out.Event = Dead, EventGivenUp
	f.stillOpen = 0
	if err := closeRecipients(f.t, f.c.id); err != nil {
		return err
	}
	return f.notice(NoticeDead)
}

// notice asks for one to the operator about the message; never because of a
// notice.
func (f *finish) notice(k NoticeKind) error {
	if f.c.Notice {
		return nil
	}
	return addNotice(f.t, Notice{Kind: k, Mailbox: f.c.Mailbox, Code: f.r.Kind, Text: f.r.words()}, f.c.id)
}

// expire ends a message whose time is over.
func (ob *Outbox) expire(t *store.Tx, id int64) error {
	own, err := t.Own()
	if err != nil {
		return err
	}
	var name, words string
	var notice int
	err = t.Row("UPDATE mail SET state = 'dead', rcpt_open = 0, finished_at = ?2, finished_own = ?3, last_kind = 'expired' WHERE id = ?1 RETURNING mailbox, last_text, notice",
		[]any{id, t.Now, own}, &name, &words, &notice)
	if err != nil {
		return err
	}
	if err := closeRecipients(t, id); err != nil {
		return err
	}
	if err := addEvent(t, id, Event{Kind: EventExpired, Text: words}); err != nil || notice == 1 {
		return err
	}
	return addNotice(t, Notice{Kind: NoticeDead, Mailbox: name, Code: "expired", Text: words}, id)
}
