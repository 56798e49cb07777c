package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Recipient is the outcome for one of Claim.Envelope.ForwardPaths, and what it
// means.
type Recipient struct {
	smtp.Recipient
	Class diagnosis.Class // of its reply; "": Result.Class
}

// Result is the account of one attempt. The zero value gives a claim back as if
// it had never been taken.
type Result struct {
	mailbox.Verdict
	Recipients []Recipient // those that are missing were not attempted
	ServerID   string      // the server's name for what it accepted
	Took       time.Duration
}

// maxServerID is how many octets are kept of the server's name for a message.
const maxServerID = 998

// Settled says what Finish decided.
type Settled struct {
	State   State
	ReadyAt time.Time // when State is Ready
	Event   EventKind

	Pause mailbox.Pause // set when the mailbox submits nothing more, for now or while it is held
	Until time.Time     // of the pause; zero when the mailbox is held
	Probe time.Time     // when a held mailbox is tried by a sign-in

	Partly bool // of a Dead message: some recipients have it, from this attempt or an earlier one
}

// Held reports that the mailbox goes on only when a probe is accepted or it is
// released.
func (s Settled) Held() bool { return s.Pause != "" && s.Until.IsZero() }

// MessageHeld reports that the refusal holds the message, perhaps with all of its sender.
func (s Settled) MessageHeld() bool { return s.State == Held && s.Event == EventHeld }

// Finish records what happened to a claim and decides what is next (see the package
// comment, 5). It can be called again after an error that wraps store.ErrFull or
// store.ErrBusy; until it succeeds the message counts as under way. The error wraps
// store.ErrLost when the claim was no longer the caller's.
func (s *Sender) Finish(ctx context.Context, c *Claim, r Result) (Settled, error) {
	var out Settled
	var drop bool
	err := s.ob.db.Write(ctx, func(t *store.Tx) error {
		f := &finish{ob: s.ob, t: t, c: c, r: r}
		err := f.run()
		out, drop = f.out, f.drop
		return err
	})
	if err == nil && drop {
		_ = s.ob.spool.Drop(ctx, c.id) // the outcome is recorded; what is left of the content is swept later
	}
	if err != nil {
		return Settled{}, fmt.Errorf("recording the outcome of %s: %w", c.QID, err)
	}
	s.ob.signal()
	return out, nil
}

// finish is one Finish under way.
type finish struct {
	ob  *Outbox
	t   *store.Tx
	c   *Claim
	r   Result
	box *mailbox.Mailbox

	phase              string
	attempts, doubts   int
	waited             int64
	accepted, inDoubt  int // recipients, by this attempt
	refused, attempted int
	stillOpen          int

	state   State
	heldFor string // of a held one: heldRefused, or ""
	readyAt int64
	out     Settled
	drop    bool // a large content is to be deleted
}

func (f *finish) run() (err error) {
	if f.box, err = mailbox.Lock(f.t, f.c.Mailbox); err != nil {
		return err
	}
	err = f.t.Row("SELECT phase, attempts, doubts, waited FROM mail WHERE id = ?1 AND state = 'sending' AND holder = ?2",
		[]any{f.c.id, f.c.holder}, &f.phase, &f.attempts, &f.doubts, &f.waited)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrLost
	}
	if err != nil {
		return err
	}
	if err := f.recipients(); err != nil {
		return err
	}
	if err := f.usage(); err != nil {
		return err
	}
	if err := f.decide(); err != nil {
		return err
	}
	if err := f.box.Save(f.t); err != nil {
		return err
	}
	f.out.State = f.state
	f.out.mailbox(f.box.Wait(f.t.Now))
	switch f.state {
	case Ready:
		f.out.ReadyAt = store.Moment(f.readyAt)
	case Dead:
		err := f.t.Row("SELECT EXISTS (SELECT 1 FROM rcpt WHERE mail_id = ?1 AND "+recipientAccepted+")", []any{f.c.id}, &f.out.Partly)
		if err != nil {
			return err
		}
	}
	return f.save()
}

// mailbox says what keeps the mailbox from submitting, nil when nothing does.
func (s *Settled) mailbox(w *mailbox.WaitError) {
	if w != nil {
		s.Pause, s.Until, s.Probe = w.Pause, w.Until, w.Probe
	}
}

// recipients records the outcome of each, with the words when they are its own.
func (f *finish) recipients() error {
	given := make(map[string]Recipient, len(f.r.Recipients))
	for _, rcpt := range f.r.Recipients {
		given[rcpt.ForwardPath] = rcpt
	}
	for i, path := range f.c.Envelope.ForwardPaths {
		rcpt, ok := given[path]
		if !ok || rcpt.Outcome == smtp.NotAttempted {
			f.stillOpen++
			continue
		}
		f.attempted++
		if err := f.recipient(f.c.rows[i], rcpt); err != nil {
			return err
		}
	}
	return nil
}

func (f *finish) recipient(n int, rcpt Recipient) error {
	state := RecipientOpen
	switch {
	case rcpt.Outcome == smtp.Accepted:
		state = RecipientAccepted
		f.accepted++
	case rcpt.Outcome == smtp.InDoubt:
		f.inDoubt++
	case rcpt.Outcome == smtp.Permanent && f.final(rcpt):
		state = RecipientRefused
		f.refused++
	}
	if state == RecipientOpen {
		f.stillOpen++
	}
	_, err := f.t.Exec("UPDATE rcpt SET state = ?3, code = ?4, enhanced = ?5, text = ?6 WHERE mail_id = ?1 AND n = ?2",
		f.c.id, n, string(state), rcpt.Reply.Code, rcpt.Reply.Enhanced.String(), store.Cut(rcpt.Reply.Text(), maxWords))
	if err != nil || rcpt.Reply.IsZero() || rcpt.Reply.String() == f.r.Reply.String() {
		return err
	}
	return addEvent(f.t, f.c.id, Event{
		Kind: EventKind(rcpt.Outcome), Attempt: f.c.Attempt, Recipient: rcpt.ForwardPath,
		Code: rcpt.Reply.Code, Enhanced: rcpt.Reply.Enhanced.String(), Text: rcpt.Reply.Text(),
	})
}

// final reports whether a 5yz reply is about this recipient or message. One
// about the mailbox or the tenant says nothing about either: the message is not
// burned.
func (f *finish) final(rcpt Recipient) bool {
	class := rcpt.Class
	if class == "" {
		class = f.r.Class
	}
	return class == "" || class == diagnosis.ClassPermanent
}

// usage counts what may have reached the server. What did not frees its place.
func (f *finish) usage() error {
	if f.phase != "data" || f.attempted == 0 {
		f.box.LimitPassed()
		return nil
	}
	return f.ob.rules.Count(f.t, f.c.Mailbox, f.attempted)
}

// save writes the row of the message and the event.
func (f *finish) save() error {
	done, doneOwn := any(nil), any(nil)
	if f.state.Finished() {
		own, err := f.t.Own()
		if err != nil {
			return err
		}
		done, doneOwn = f.t.Now, own
	}
	keep := f.state != Cancelled && (f.state != Sent || f.ob.o.KeepSent)
	f.drop = !keep && f.c.Size > spool.Piece
	_, err := f.t.Exec(`UPDATE mail SET state = ?2, ready_at = ?3, attempts = ?4, doubts = ?5, waited = ?6, rcpt_open = ?7, holder = '', phase = '',
		body_left = ?8, finished_at = ?9, last_code = ?10, last_enhanced = ?11, last_kind = ?12, last_text = ?13,
		server_id = CASE WHEN ?14 = '' THEN server_id ELSE ?14 END, finished_own = ?15, held_for = ?16 WHERE id = ?1`,
		f.c.id, string(f.state), f.readyAt, f.attempts, f.doubts, f.waited, f.stillOpen, store.Flag(f.drop), done,
		f.r.Reply.Code, f.r.Reply.Enhanced.String(), f.r.Kind, store.Cut(f.text(), store.Line), store.Cut(f.r.ServerID, maxServerID), doneOwn, f.heldFor)
	if err != nil {
		return err
	}
	if !keep && !f.drop {
		if _, err := f.t.Exec("DELETE FROM body WHERE mail_id = ?1", f.c.id); err != nil {
			return err
		}
	}
	if f.c.Notice && f.state.Finished() && f.state != Cancelled {
		if err := notice.Carried(f.t, f.c.id); err != nil {
			return err
		}
	}
	return addEvent(f.t, f.c.id, Event{
		Kind: f.out.Event, Attempt: f.c.Attempt, Code: f.r.Reply.Code, Enhanced: f.r.Reply.Enhanced.String(), Text: f.text(), Took: f.r.Took,
	})
}

func (f *finish) text() string {
	if f.r.Reply.IsZero() {
		return f.r.Text
	}
	return f.r.Reply.Text()
}
