package outbox

import (
	"context"
	"database/sql"

	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// left is a message that the last sender did not finish.
type left struct {
	id                             int64
	mailbox, phase                 string
	recipients, attempts, inDoubts int
	notice                         int
}

// recover decides, under the lock, what the last sender left: the lock proves
// that it is gone.
func (s *Sender) recover(ctx context.Context) (r Recovered, err error) {
	for more := true; more && err == nil; {
		err = s.ob.db.Write(ctx, func(t *store.Tx) (err error) {
			if err := t.Look(0); err != nil {
				return err
			}
			more, err = s.recoverSome(t, &r)
			return err
		})
	}
	if err != nil {
		return r, err
	}
	if err := s.ob.db.Write(ctx, dueAtOnce); err != nil {
		return r, err
	}
	return r, s.ob.sweep(ctx)
}

// dueAtOnce makes due what the clock, set back while no process submitted, would make
// wait: no one asked for a time for these, so they are due whatever it says.
func dueAtOnce(t *store.Tx) error {
	_, err := t.Exec(`UPDATE mail SET ready_at = ?1 WHERE mailbox IN (SELECT name FROM mailbox) AND prio IN (0, 1, 2, 3) AND state = 'ready'
		AND ready_at > ?1 AND ready_at <= created_at AND attempts = 0`, t.Now)
	return err
}

// recoverSome handles up to 500 messages; a mailbox has three under way at most,
// but there may be many mailboxes.
func (s *Sender) recoverSome(t *store.Tx, r *Recovered) (more bool, err error) {
	var list []left
	err = store.Each(t, func(rows *sql.Rows) error {
		var l left
		err := rows.Scan(&l.id, &l.mailbox, &l.phase, &l.recipients, &l.attempts, &l.inDoubts, &l.notice)
		list = append(list, l)
		return err
	}, "SELECT id, mailbox, phase, rcpt_open, attempts, doubts, notice FROM mail WHERE state = 'sending' LIMIT 500")
	for _, l := range list {
		if err == nil && l.phase == "data" {
			err = s.doubt(t, l, r)
		} else if err == nil {
			r.Again++
			err = s.again(t, l)
		}
	}
	return len(list) == 500, err
}

// again makes a message due that was surely not submitted: at once, but after a
// second time with growing waits, because the message may be what ends the
// process.
func (s *Sender) again(t *store.Tx, l left) error {
	readyAt := t.Now
	if l.attempts > 1 {
		readyAt += waitAfter(s.ob.rules, l.attempts-1)
	}
	if _, err := t.Exec("UPDATE mail SET state = 'ready', holder = '', ready_at = ?2 WHERE id = ?1", l.id, readyAt); err != nil {
		return err
	}
	return addEvent(t, l.id, Event{Kind: EventRecovered, Attempt: l.attempts, Text: "the process ended before the content was sent"})
}

// doubt decides what is next for a message that may have been submitted. It counts as submitted
// now, which errs on the safe side.
func (s *Sender) doubt(t *store.Tx, l left, r *Recovered) error {
	if err := s.ob.rules.Count(t, l.mailbox, l.recipients); err != nil {
		return err
	}
	state, text := Ready, "the process ended while the content was sent: sent again with the same Message-ID"
	if s.ob.o.InDoubt == DoubtHold || l.inDoubts > 0 {
		state, text = Held, "the process ended while the content was sent: held"
		r.Held++
		if l.notice == 0 {
			if err := notice.Add(t, notice.Notice{Kind: notice.InDoubt, Mailbox: l.mailbox, Text: text}, l.id); err != nil {
				return err
			}
		}
	} else {
		r.InDoubt++
	}
	if _, err := t.Exec("UPDATE mail SET state = ?2, holder = '', phase = '', ready_at = ?3, doubts = doubts + 1, last_text = ?4 WHERE id = ?1",
		l.id, string(state), t.Now, text); err != nil {
		return err
	}
	return addEvent(t, l.id, Event{Kind: EventInDoubt, Attempt: l.attempts, Text: text})
}
