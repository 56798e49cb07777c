package outbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// decide says what is next for the message and for its mailbox.
func (f *finish) decide() error {
	if f.accepted > 0 {
		f.box.throttles, f.box.streak, f.box.streakKind = 0, 0, ""
	}
	f.state, f.readyAt = Ready, f.t.now
	switch {
	case f.stillOpen == 0:
		return f.ended()
	case f.inDoubt > 0:
		return f.doubtful()
	case f.class() == diagnosis.ClassConfiguration:
		f.uncounted(EventHeld)
		return f.hold(PauseConfiguration)
	case f.class() == diagnosis.ClassBlocked:
		f.uncounted(EventHeld)
		return f.hold(PauseBlocked)
	case f.class() == diagnosis.ClassThrottled:
		f.uncounted(EventThrottled)
		return f.slowDown(PauseThrottled)
	case f.r.session():
		f.uncounted(EventUnreachable)
		return f.slowDown(PauseUnreachable)
	case f.r.Class == "" && f.attempted == 0:
		f.uncounted(EventReturned)
		return nil
	}
	return f.deferred()
}

// class is that of the failure; one that is called permanent before there was a
// mail transaction cannot be the message's fault.
func (f *finish) class() diagnosis.Class {
	if f.r.Class == diagnosis.ClassPermanent && f.r.session() {
		return diagnosis.ClassConfiguration
	}
	return f.r.Class
}

// uncounted takes the attempt back: it said nothing about the message.
func (f *finish) uncounted(e EventKind) {
	f.attempts--
	f.out.Event = e
}

// ended is for a message without open recipients.
func (f *finish) ended() error {
	var refused int
	if err := f.t.row("SELECT count(*) FROM rcpt WHERE mail_id = ?1 AND state = 'refused'", []any{f.c.id}, &refused); err != nil {
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
	return f.notice(NoticeDead, true)
}

// refusal is the circuit breaker. Exchange answers refusals that go on with
// "continuous ... errors", which stop good mail of the same mailbox too, for a
// time of its own choice: we stop before.
func (f *finish) refusal() error {
	if f.r.Kind != f.box.streakKind {
		f.box.streak, f.box.streakKind = 0, f.r.Kind
	}
	f.box.streak++
	over := f.box.streak - streakAllowed
	if over < 0 {
		return nil
	}
	pause := f.ob.scaled(growing(firstBreak, longestBreak, over+1))
	f.box.rest(PauseRefusals, f.t.now+pause.Milliseconds(), f.r.Kind, cut(f.r.words(), maxLast))
	if over > 0 {
		return nil
	}
	return f.notice(NoticePaused, false)
}

// doubtful submits once more what is in doubt, or holds it.
func (f *finish) doubtful() error {
	f.doubts++
	f.out.Event = EventInDoubt
	if f.ob.o.InDoubt == DoubtHold || f.doubts > 1 {
		f.state = Held
		return f.notice(NoticeInDoubt, true)
	}
	f.readyAt = f.t.now + f.ob.jittered(firstWait)
	return nil
}

// hold stops the mailbox until somebody releases it, and says so once.
func (f *finish) hold(p Pause) error {
	if f.box.pause != "" && f.box.pausedUntil == 0 {
		return nil // another connection met the same
	}
	f.box.stop(p, f.r.Kind, cut(f.r.words(), maxLast))
	return f.notice(NoticeHeld, false)
}

// slowDown pauses the mailbox, each time in a row for longer. A notice is due
// when the longest pause is reached.
func (f *finish) slowDown(p Pause) error {
	if f.box.waits(f.t.now) == nil || f.box.pause != p { // three connections that fail together are one time
		f.box.throttles++
	}
	pause := f.r.Pause
	if pause <= 0 {
		pause = growing(firstThrottle, longThrottle, f.box.throttles)
		if pause == longThrottle && growing(firstThrottle, longThrottle, f.box.throttles-1) < longThrottle {
			if err := f.notice(NoticePaused, false); err != nil {
				return err
			}
		}
	}
	f.box.rest(p, f.t.now+f.ob.jittered(pause), f.r.Kind, cut(f.r.words(), maxLast))
	return nil
}

// deferred is for a 4yz reply, or a connection lost within the transaction.
func (f *finish) deferred() error {
	wait := f.ob.jittered(growing(firstWait, longestWait, f.attempts))
	f.waited += wait
	if time.Duration(f.waited)*time.Millisecond > f.ob.scaled(f.ob.o.GiveUp) {
		f.state, f.out.Event = Dead, EventGivenUp
		f.stillOpen = 0
		if err := f.t.closeRecipients(f.c.id); err != nil {
			return err
		}
		return f.notice(NoticeDead, true)
	}
	f.out.Event = EventDeferred
	f.readyAt = f.t.now + wait
	return nil
}

// notice asks for one to the operator, about the message or about the mailbox;
// never because of a notice.
func (f *finish) notice(k NoticeKind, aboutMail bool) error {
	if f.c.Notice {
		return nil
	}
	id := int64(0)
	if aboutMail {
		id = f.c.id
	}
	return f.t.notice(k, f.c.Mailbox, id, f.r.Kind, f.r.words())
}

// expire ends a message whose time is over.
func (ob *Outbox) expire(t *tx, id int64) error {
	var name, words string
	var notice int
	err := t.row("UPDATE mail SET state = 'dead', rcpt_open = 0, finished_at = ?2, last_kind = 'expired' WHERE id = ?1 RETURNING mailbox, last_text, notice",
		[]any{id, t.now}, &name, &words, &notice)
	if err != nil {
		return err
	}
	if err := t.closeRecipients(id); err != nil {
		return err
	}
	if err := t.event(id, Event{Kind: EventExpired, Text: words}); err != nil || notice == 1 {
		return err
	}
	return t.notice(NoticeDead, name, id, "expired", words)
}
