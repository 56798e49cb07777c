package outbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox/store"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// What the operator was told of a mailbox, and its end was not.
const (
	toldPaused   = "paused"
	toldHeld     = "held"
	toldReleased = "released" // somebody released it meanwhile
)

// stops says as what the mailbox is held at once, "" when it is not: a refused
// sign-in, and what the server says of the mailbox or the tenant. What nobody
// said, a broken certificate say, passes more often than not.
func (r *Result) stops() Pause {
	refused := r.Class == diagnosis.ClassConfiguration || r.Class == diagnosis.ClassPermanent
	switch {
	case r.Fault != "":
		return ""
	case r.Class == diagnosis.ClassBlocked:
		return PauseBlocked
	case r.Stage == smtp.StageToken && refused,
		r.Stage == smtp.StageAuth && refused && r.Reply.Permanent(),
		!r.session() && r.Class == diagnosis.ClassConfiguration && r.Reply.Permanent():
		return PauseConfiguration
	}
	return ""
}

// trouble reports that the server, or what is in its place, cannot be used: a
// refusal before there was a mail transaction, a certificate, something missing,
// or what is not a reply. It says nothing about the message.
func (r *Result) trouble() bool {
	switch {
	case r.Class == diagnosis.ClassConfiguration:
		return true
	case r.session():
		return r.Class == diagnosis.ClassPermanent
	}
	outOfPlace := r.Reply.Positive() || r.Reply.Intermediate()
	return r.Class == diagnosis.ClassPermanent && r.Fault == "" && outOfPlace
}

// wide reports a failure that another mailbox would meet as well.
func (r *Result) wide() bool { return r.session() && r.Stage != smtp.StageAuth }

// troubled pauses the mailbox, each time in a row for longer, and holds it when
// that has lasted a day.
func (f *finish) troubled() error {
	if f.box.waits(f.t.Now) == nil || f.box.pause != PauseServer { // several connections that fail together are one time
		f.box.failures++
	}
	lasted := time.Duration(f.t.Now-f.box.since) * time.Millisecond
	if f.box.since > 0 && f.box.failures > 1 && lasted >= f.ob.scaled(holdAfter) {
		f.out.Event = EventHeld
		if err := f.hold(PauseServer); err != nil {
			return err
		}
		return f.stumbled(f.box.probeAt - f.t.Now)
	}
	pause := backoff.Doubling(firstTrouble, longestTrouble, f.box.failures)
	wait := f.ob.jittered(pause)
	f.pause(PauseServer, f.t.Now+wait)
	if pause >= noticeTrouble {
		if err := f.noticePaused(); err != nil {
			return err
		}
	}
	return f.stumbled(wait)
}

// stumbled is for a message in whose transaction the server could not be used: it
// may be what the server stumbles over. It is due since now, so that those that
// waited before go first, and it does not wait for ever.
func (f *finish) stumbled(wait int64) error {
	if f.state != Ready || f.r.session() || !f.waitedFor(wait) {
		return nil
	}
	return f.giveUp()
}

// pause makes the mailbox rest, and begins a row of pauses.
func (f *finish) pause(p Pause, until int64) {
	f.box.begin(f.t.Now)
	f.box.rest(p, until, f.r.Kind, cut(f.r.words(), maxLast))
}

// hold stops the mailbox until a probe is accepted or somebody releases it, and
// says so once. A notice does not stop its mailbox: it looks for another one.
func (f *finish) hold(p Pause) error {
	switch {
	case f.c.Notice:
		return f.elsewhere()
	case f.box.held():
		return nil // another connection met the same
	}
	f.box.begin(f.t.Now)
	f.box.stop(p, f.ob.nextProbe(f.t.Now, f.box.probes), f.r.Kind, cut(f.r.words(), maxLast))
	if err := pullNotices(f.t, f.c.Mailbox); err != nil || f.box.told == toldHeld {
		return err
	}
	f.box.told = toldHeld
	return addNotice(f.t, f.aboutMailbox(NoticeHeld), 0)
}

// elsewhere ends a message that carries notices, which look for another mailbox.
func (f *finish) elsewhere() error {
	f.state = Cancelled
	f.stillOpen = 0
	if err := closeRecipients(f.t, f.c.id); err != nil {
		return err
	}
	return putBack(f.t, f.c.id, f.ob.scaled(firstProbe))
}

// noticePaused tells the operator, once, that a mailbox pauses for long.
func (f *finish) noticePaused() error {
	if f.c.Notice || f.box.told == toldPaused || f.box.told == toldHeld || f.box.held() {
		return nil
	}
	f.box.told = toldPaused
	return addNotice(f.t, f.aboutMailbox(NoticePaused), 0)
}

// aboutMailbox is a notice of why and until when the mailbox waits.
func (f *finish) aboutMailbox(k NoticeKind) Notice {
	return Notice{
		Kind: k, Mailbox: f.box.name, Code: f.r.Kind, Text: f.r.words(),
		Since: store.Moment(f.box.since), Next: store.Moment(max(f.box.pausedUntil, f.box.probeAt)), Wide: f.r.wide(),
	}
}

// recovered ends the row of pauses: a message was accepted.
func (f *finish) recovered() error {
	b := f.box
	b.throttles, b.streak, b.streakKind, b.acceptedAt = 0, 0, "", f.t.Now
	if b.held() {
		return nil // by another connection, meanwhile
	}
	told, since := b.told, b.since
	b.failures, b.probes, b.since, b.told = 0, 0, 0, ""
	if told == "" {
		return nil
	}
	return addNotice(f.t, Notice{Kind: NoticeResumed, Mailbox: b.name, Since: store.Moment(since)}, 0)
}

// begin notes when a row of pauses began.
func (m *mailbox) begin(now int64) {
	if m.since == 0 {
		m.since = now
	}
}

// freshAfter begins another row of pauses when the last pause ended long ago and
// nothing was wrong since.
func (m *mailbox) freshAfter(now int64, long time.Duration) {
	if m.pausedUntil == 0 || now-m.pausedUntil <= long.Milliseconds() {
		return
	}
	m.since, m.failures, m.throttles, m.probes = 0, 0, 0, 0
	if m.told != "" {
		m.told = toldReleased
	}
}
