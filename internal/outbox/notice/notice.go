// Package notice keeps what the operator has to be told: that a mailbox is held or
// pauses for long, and that it submits again; that a message was given up or is in
// doubt. A notice goes by each road, a mail and a command, and by itself; one that
// has gone all of them is forgotten.
package notice

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Kind says what the operator should hear of.
type Kind string

// The notices.
const (
	Held    Kind = "held"     // a mailbox is held
	Paused  Kind = "paused"   // a mailbox pauses for long
	Resumed Kind = "resumed"  // a mailbox of which one of these was told submits again
	Dead    Kind = "dead"     // a message was given up; its content is kept
	InDoubt Kind = "in doubt" // a message may have been submitted

	MessageHeld Kind = "message held" // a message was refused until something is fixed, perhaps with all of its sender

	EndsSoon Kind = "ends soon" // a credential or a certificate
	Ended    Kind = "ended"     // one of them
)

// Notice is something that the operator has not been told yet.
type Notice struct {
	ID      int64
	At      time.Time
	Kind    Kind
	Mailbox string
	QID     queueid.ID // "" when it is about the mailbox
	Sender  string     // with MessageHeld: who the message says it is from
	Code    string     // of the catalogue
	Text    string     // the server's words
	Since   time.Time  // when the mailbox last submitted without a pause; zero: it is about a message
	Next    time.Time  // when the mailbox goes on, or is tried
	Wide    bool       // another mailbox would meet the same: only one that has submitted since is a road
	Tries   int        // by this road, that failed
}

// Road is a way to the operator. A notice goes each of them, and by itself.
type Road string

// The roads.
const (
	RoadMail    Road = "mail"
	RoadCommand Road = "command"
)

func (r Road) check() error {
	if r != RoadMail && r != RoadCommand {
		return fmt.Errorf("there is no road %q", string(r))
	}
	return nil
}

// Notices are those of one outbox. They are safe for concurrent use.
type Notices struct {
	db   *store.DB
	tag  queueid.Tag
	wait func(tries int) int64
}

// New returns the notices of a database, whose messages have the tag. wait is how
// long, in ms, a notice waits that a road did not take for so many times.
func New(db *store.DB, tag queueid.Tag, wait func(tries int) int64) *Notices {
	return &Notices{db, tag, wait}
}

// Add keeps n for the operator; id is the message that it is about, 0 for none.
func Add(t *store.Tx, n Notice, id int64) error {
	own, err := t.Own()
	if err != nil {
		return err
	}
	_, err = t.Exec("INSERT INTO notice (at, kind, mailbox, mail_id, code, text, since, next_at, wide, at_own, sender) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
		t.Now, string(n.Kind), n.Mailbox, id, n.Code, store.Cut(n.Text, store.Line), store.Millis(n.Since), store.Millis(n.Next), store.Flag(n.Wide), own, n.Sender)
	return err
}

// AddStep keeps n for the operator, unless a notice of the same thing was added for the
// same end, at this step or at a later one, which has a smaller number. It is remembered
// for as long as the outbox is there.
func (b *Notices) AddStep(ctx context.Context, thing string, ends time.Time, step int, n Notice) error {
	err := b.db.Write(ctx, func(t *store.Tx) error {
		name := "told " + thing
		told, err := store.Meta(t, name)
		if err != nil {
			return err
		}
		steps := readSteps(told)
		if steps.told(ends, step) {
			return nil
		}
		if err := Add(t, n, 0); err != nil {
			return err
		}
		return t.SetMeta(name, steps.with(ends, step).String())
	})
	if err != nil {
		return fmt.Errorf("adding a notice: %w", err)
	}
	return nil
}

// List lists the oldest limit notices that have not gone the road and may now.
// After Done or Carry they are not listed again, after Later
// not for a while.
func (b *Notices) List(ctx context.Context, road Road, limit int) ([]Notice, error) {
	list, err := b.list(ctx, road, limit)
	if err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	return list, nil
}

func (b *Notices) list(ctx context.Context, road Road, limit int) (list []Notice, err error) {
	if err := road.check(); err != nil {
		return nil, err
	}
	column := string(road)
	err = store.Each(b.db.View(ctx), func(rows *sql.Rows) error {
		var n Notice
		var at, mail, since, next int64
		var wide int
		err := rows.Scan(&n.ID, &at, &n.Kind, &n.Mailbox, &mail, &n.Code, &n.Text, &since, &next, &wide, &n.Sender, &n.Tries)
		n.At, n.Since, n.Next, n.Wide = store.Moment(at), store.Moment(since), store.Moment(next), wide == 1
		if mail != 0 {
			n.QID = b.tag.ID(mail)
		}
		list = append(list, n)
		return err
	}, `SELECT id, at, kind, mailbox, mail_id, code, text, since, next_at, wide, sender, `+column+`_tries FROM notice
		WHERE `+column+`_done = 0 AND `+column+`_at <= ?1 AND (carrier = 0 OR ?3 <> 'mail') ORDER BY id LIMIT ?2`, b.db.Now(), limit, column)
	return list, err
}

// Done says that the notices have gone the road, or that there is no such
// road. One that has gone all of them is forgotten.
func (b *Notices) Done(ctx context.Context, road Road, list []Notice) error {
	return b.each(ctx, road, list, func(t *store.Tx, n Notice) error {
		if _, err := t.Exec("UPDATE notice SET "+string(road)+"_done = 1 WHERE id = ?1", n.ID); err != nil {
			return err
		}
		return forget(t, "id = ?1", n.ID)
	})
}

// Later says that the road was not open: the notices are listed again after
// a minute, the next time after two, and so on to 4 hours.
func (b *Notices) Later(ctx context.Context, road Road, list []Notice) error {
	column := string(road)
	return b.each(ctx, road, list, func(t *store.Tx, n Notice) error {
		_, err := t.Exec("UPDATE notice SET "+column+"_tries = "+column+"_tries + 1, "+column+"_at = ?2 WHERE id = ?1",
			n.ID, t.Now+b.wait(n.Tries+1))
		return err
	})
}

func (b *Notices) each(ctx context.Context, road Road, list []Notice, do func(*store.Tx, Notice) error) error {
	err := road.check()
	if err == nil {
		err = b.db.Write(ctx, func(t *store.Tx) error {
			for _, n := range list {
				if err := do(t, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("settling notices: %w", err)
	}
	return nil
}

// Carry says that a message takes the notices to the operator: they are not listed
// for RoadMail until Carried or PutBack.
func Carry(t *store.Tx, by int64, list []Notice) error {
	for _, n := range list {
		if _, err := t.Exec("UPDATE notice SET carrier = ?2 WHERE id = ?1", n.ID, by); err != nil {
			return err
		}
	}
	return nil
}

// Purge forgets the notices that were added before a time, by the database's own
// clock in ms, and that no road took.
func Purge(t *store.Tx, before int64) error {
	_, err := t.Exec("DELETE FROM notice WHERE at_own < ?1", before)
	return err
}

// Carried forgets the notices that a message, which is over, carried to the operator.
func Carried(t *store.Tx, id int64) error {
	if _, err := t.Exec("UPDATE notice SET mail_done = 1, carrier = 0 WHERE carrier = ?1", id); err != nil {
		return err
	}
	return forget(t, "?1 = ?1", 0)
}

func forget(t *store.Tx, which string, arg int64) error {
	_, err := t.Exec("DELETE FROM notice WHERE mail_done = 1 AND command_done = 1 AND "+which, arg)
	return err
}

// PutBack makes the notices that a message carries look for another mailbox: at
// once the first time, then after a while, because each mailbox may be refused.
func PutBack(t *store.Tx, id int64, after time.Duration) error {
	_, err := t.Exec(`UPDATE notice SET carrier = 0, mail_tries = mail_tries + 1, mail_at = CASE WHEN mail_tries = 0 THEN 0 ELSE ?2 END
		WHERE carrier = ?1`, id, t.Now+after.Milliseconds())
	return err
}
