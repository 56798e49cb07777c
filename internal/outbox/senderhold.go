package outbox

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// heldRefused is why a message is held that the server refused until an administrator
// changes something (mail.held_for).
const heldRefused = "refused"

// origin is who a message says it is from: what a server that refuses a sender looks at.
type origin struct{ mailbox, from, reversePath string }

func (o origin) args(more ...any) []any {
	return append([]any{o.mailbox, o.from, o.reversePath}, more...)
}

// name is the address that people know the sender by.
func (o origin) name() string {
	if o.from != "" {
		return o.from
	}
	return o.reversePath
}

// isMailbox reports that the mailbox itself is the sender: when it may not submit as
// itself, nothing of it will go out.
func (o origin) isMailbox() bool {
	isFrom := o.from == "" || strings.EqualFold(o.from, o.mailbox)
	return isFrom && strings.EqualFold(o.reversePath, o.mailbox)
}

func originOf(t *store.Tx, id int64) (o origin, err error) {
	err = t.Row("SELECT mailbox, sender, reverse_path FROM mail WHERE id = ?1", []any{id}, &o.mailbox, &o.from, &o.reversePath)
	return o, err
}

// holdsMessage reports that the attempt ended with a refusal of this message or its
// sender, and that other mail of the mailbox goes on.
func (f *finish) holdsMessage() (bool, error) {
	if !f.r.HoldsMessage() {
		return false, nil
	}
	o, err := originOf(f.t, f.c.id)
	return err == nil && !(f.r.Scope == diagnosis.ScopeSender && o.isMailbox()), err
}

// holdMessage holds the message, and with it, where the refusal is about the sender, what
// else is from there. Of a sender the operator hears once, until it is released. The
// refusals count in the row after which the mailbox pauses, as the server counts them.
func (f *finish) holdMessage() error {
	if f.c.Notice {
		return f.elsewhere()
	}
	f.state, f.heldFor = Held, heldRefused
	o, err := originOf(f.t, f.c.id)
	if err != nil {
		return err
	}
	told, err := f.t.Exec(`INSERT INTO sender (mailbox, name, reverse_path, held, at, code, enhanced, kind, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
		ON CONFLICT (mailbox, name, reverse_path) DO UPDATE SET held = 1, at = ?5, code = ?6, enhanced = ?7, kind = ?8, text = ?9 WHERE held < ?4`,
		o.args(store.Flag(f.r.Scope == diagnosis.ScopeSender), f.t.Now, f.r.Reply.Code, f.r.Reply.Enhanced.String(), f.r.Kind, store.Cut(f.text(), maxWords))...)
	if err != nil {
		return err
	}
	if told > 0 {
		n := notice.Notice{Kind: notice.MessageHeld, Mailbox: f.c.Mailbox, Sender: o.name(), Code: f.r.Kind, Text: f.r.Words()}
		if err := notice.Add(f.t, n, f.c.id); err != nil {
			return err
		}
	}
	if f.box.Refused(f.ob.rules, f.t.Now, f.r.Verdict) {
		return f.tellPaused()
	}
	return nil
}

// holdBySender holds a message that is due whose sender is held, as its attempt would
// have ended.
func holdBySender(t *store.Tx, id int64) error {
	o, err := originOf(t, id)
	if err != nil {
		return err
	}
	var code int
	var enhanced, kind, text string
	err = t.Row("SELECT code, enhanced, kind, text FROM sender WHERE mailbox = ?1 AND name = ?2 AND reverse_path = ?3", o.args(), &code, &enhanced, &kind, &text)
	if err != nil {
		return err
	}
	_, err = t.Exec("UPDATE mail SET state = 'held', held_for = ?2, last_code = ?3, last_enhanced = ?4, last_kind = ?5, last_text = ?6 WHERE id = ?1",
		id, heldRefused, code, enhanced, kind, store.Cut(text, store.Line))
	if err != nil {
		return err
	}
	return addEvent(t, id, Event{Kind: EventHeld, Code: code, Enhanced: enhanced, Text: text})
}

// forgetTold forgets what the operator was told of the sender of a message that was
// accepted, unless the sender is held.
func forgetTold(t *store.Tx, c *Claim) error {
	_, err := t.Exec(`DELETE FROM sender WHERE mailbox = ?2 AND held = 0
		AND name = (SELECT sender FROM mail WHERE id = ?1) AND reverse_path = (SELECT reverse_path FROM mail WHERE id = ?1)`, c.id, c.Mailbox)
	return err
}

// releaseSender ends the hold of the sender of a message, if there is one, and that of
// its other messages: one of them tells whether the cause is fixed.
func releaseSender(t *store.Tx, id int64) error {
	o, err := originOf(t, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := t.Exec("DELETE FROM sender WHERE mailbox = ?1 AND name = ?2 AND reverse_path = ?3", o.args()...)
	if err != nil || n == 0 {
		return err
	}
	return freeRefused(t, "mailbox = ?1 AND sender = ?2 AND reverse_path = ?3", o.args()...)
}

// releaseSenders ends the holds of all senders of a mailbox, and of their messages.
func releaseSenders(t *store.Tx, name string) error {
	if _, err := t.Exec("DELETE FROM sender WHERE mailbox = ?1", name); err != nil {
		return err
	}
	return freeRefused(t, "mailbox = ?1", name)
}

// freeRefused makes ready what a refusal holds.
func freeRefused(t *store.Tx, which string, args ...any) error {
	ids, err := readIDs(t, "SELECT id FROM mail WHERE state = 'held' AND held_for = '"+heldRefused+"' AND "+which, args...)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.Exec("UPDATE mail SET state = 'ready', held_for = '' WHERE id = ?1", id); err != nil {
			return err
		}
		if err := addEvent(t, id, Event{Kind: EventReleased, Text: "by the operator, with the sender"}); err != nil {
			return err
		}
	}
	return nil
}
