package outbox

import (
	"errors"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// decide says what is next for the message and for its mailbox.
func (f *finish) decide() error {
	if f.accepted > 0 {
		if err := errors.Join(f.tellResumed(), forgetTold(f.t, f.c)); err != nil {
			return err
		}
	}
	holdsMessage, err := f.holdsMessage()
	if err != nil {
		return err
	}
	f.box.Renew(f.ob.rules, f.t.Now)
	f.state, f.readyAt = Ready, f.t.Now
	switch {
	case f.stillOpen == 0:
		return f.ended()
	case f.inDoubt > 0:
		return f.doubtful()
	case holdsMessage:
		f.uncounted(EventHeld)
		return f.holdMessage()
	case f.r.Hold() != "":
		f.uncounted(EventHeld)
		return f.hold(f.r.Hold())
	case f.r.Class == diagnosis.ClassThrottled:
		f.uncounted(EventThrottled)
		return f.slowDown(mailbox.PauseThrottled)
	case f.r.Unusable():
		f.uncounted(EventPaused)
		return f.unusable()
	case f.r.BeforeMail():
		f.uncounted(EventUnreachable)
		return f.slowDown(mailbox.PauseUnreachable)
	case f.r.Class == "" && f.attempted == 0:
		f.uncounted(EventReturned)
		if f.c.Notice && f.box.Held() { // since it was claimed
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
	if f.refused > 0 && f.accepted == 0 && f.box.Refused(f.ob.rules, f.t.Now, f.r.Verdict) {
		if err := f.tellPaused(); err != nil {
			return err
		}
	}
	return f.notice(notice.Dead)
}

// doubtful submits once more what is in doubt, or holds it.
func (f *finish) doubtful() error {
	f.doubts++
	f.out.Event = EventInDoubt
	if f.ob.o.InDoubt == DoubtHold || f.doubts > 1 {
		f.state = Held
		return f.notice(notice.InDoubt)
	}
	f.readyAt = f.t.Now + waitAfter(f.ob.rules, 1)
	return nil
}

// slowDown pauses the mailbox. A notice is due when the longest pause is reached, or
// soon after when a notice met it first.
func (f *finish) slowDown(p mailbox.Pause) error {
	if f.box.SlowDown(f.ob.rules, f.t.Now, p, f.r.Verdict) {
		return f.tellPaused()
	}
	return nil
}

// unusable pauses the mailbox of a server that cannot be used, and holds it when that
// has lasted a day.
func (f *finish) unusable() error {
	wait, long, hold := f.box.Unusable(f.ob.rules, f.t.Now, f.r.Verdict)
	if hold {
		f.out.Event = EventHeld
		if err := f.hold(mailbox.PauseServer); err != nil {
			return err
		}
		wait = store.Millis(f.box.Next()) - f.t.Now
	}
	if long {
		if err := f.tellPaused(); err != nil {
			return err
		}
	}
	return f.delayed(wait)
}

// delayed is for a message in whose transaction the server could not be used: it
// may be what the server fails at. It is due since now, so that those that
// waited before go first, and it does not wait for ever.
func (f *finish) delayed(wait int64) error {
	if f.state != Ready || f.r.BeforeMail() || !f.waitedFor(wait) {
		return nil
	}
	return f.giveUp()
}

// hold stops the mailbox until a probe is accepted or it is released, and says so
// once. A notice does not stop its mailbox: it looks for another one.
func (f *finish) hold(p mailbox.Pause) error {
	switch {
	case f.c.Notice:
		return f.elsewhere()
	case f.box.Held():
		return nil // another connection met the same
	}
	f.box.Hold(f.ob.rules, f.t.Now, p, f.r.Verdict)
	if err := pullNotices(f.t, f.c.Mailbox); err != nil || !f.box.TellHeld() {
		return err
	}
	return notice.Add(f.t, f.aboutMailbox(notice.Held), 0)
}

// elsewhere ends a message that carries notices, which look for another mailbox.
func (f *finish) elsewhere() error {
	f.state = Cancelled
	f.stillOpen = 0
	if err := closeRecipients(f.t, f.c.id); err != nil {
		return err
	}
	return notice.PutBack(f.t, f.c.id, f.ob.rules.Scaled(mailbox.FirstProbe))
}

// tellPaused tells the operator, once, that a mailbox pauses for long.
func (f *finish) tellPaused() error {
	if f.c.Notice || !f.box.TellPaused() {
		return nil
	}
	return notice.Add(f.t, f.aboutMailbox(notice.Paused), 0)
}

// tellResumed tells the operator that a mailbox submits again of which he was told
// that it does not.
func (f *finish) tellResumed() error {
	since, tell := f.box.Accepted(f.t.Now)
	if !tell {
		return nil
	}
	return notice.Add(f.t, notice.Notice{Kind: notice.Resumed, Mailbox: f.box.Name(), Since: store.Moment(since)}, 0)
}

// aboutMailbox is a notice of why and until when the mailbox waits.
func (f *finish) aboutMailbox(k notice.Kind) notice.Notice {
	return notice.Notice{
		Kind: k, Mailbox: f.box.Name(), Code: f.r.Kind, Text: f.r.Words(),
		Since: f.box.Since(), Next: f.box.Next(), Wide: f.r.Wide(),
	}
}

// giveUp ends a message that was tried for long enough.
func (f *finish) giveUp() error {
	f.state, f.out.Event = Dead, EventGivenUp
	f.stillOpen = 0
	if err := closeRecipients(f.t, f.c.id); err != nil {
		return err
	}
	return f.notice(notice.Dead)
}

// notice asks for one to the operator about the message; never because of a
// notice.
func (f *finish) notice(k notice.Kind) error {
	if f.c.Notice {
		return nil
	}
	return notice.Add(f.t, notice.Notice{Kind: k, Mailbox: f.c.Mailbox, Code: f.r.Kind, Text: f.r.Words()}, f.c.id)
}

// expire ends a message whose time is over.
func expire(t *store.Tx, id int64) error {
	own, err := t.Own()
	if err != nil {
		return err
	}
	var name, words string
	var isNotice int
	err = t.Row("UPDATE mail SET state = 'dead', rcpt_open = 0, finished_at = ?2, finished_own = ?3, last_kind = 'expired' WHERE id = ?1 RETURNING mailbox, last_text, notice",
		[]any{id, t.Now, own}, &name, &words, &isNotice)
	if err != nil {
		return err
	}
	if err := closeRecipients(t, id); err != nil {
		return err
	}
	if err := addEvent(t, id, Event{Kind: EventExpired, Text: words}); err != nil || isNotice == 1 {
		return err
	}
	return notice.Add(t, notice.Notice{Kind: notice.Dead, Mailbox: name, Code: "expired", Text: words}, id)
}
