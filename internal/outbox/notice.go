package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// NoticeKind says what the operator should hear of.
type NoticeKind string

// The notices.
const (
	NoticeHeld    NoticeKind = "held"     // a mailbox is held
	NoticePaused  NoticeKind = "paused"   // a mailbox pauses for long
	NoticeResumed NoticeKind = "resumed"  // a mailbox of which one of these was told submits again
	NoticeDead    NoticeKind = "dead"     // a message was given up; its content is kept
	NoticeInDoubt NoticeKind = "in doubt" // a message may have been submitted
)

// Notice is something that the operator has not been told yet.
type Notice struct {
	ID      int64
	At      time.Time
	Kind    NoticeKind
	Mailbox string
	QID     QID       // "" when it is about the mailbox
	Code    string    // of the catalogue
	Text    string    // the server's words
	Since   time.Time // when the mailbox last submitted without a pause; zero: it is about a message
	Next    time.Time // when the mailbox goes on, or is tried
	Wide    bool      // another mailbox would meet the same: only one that has submitted since is a road
	Tries   int       // by this road, that failed
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

// addNotice keeps n for the operator; id is the message that it is about, 0 for none.
func addNotice(t *store.Tx, n Notice, id int64) error {
	own, err := t.Own()
	if err != nil {
		return err
	}
	_, err = t.Exec("INSERT INTO notice (at, kind, mailbox, mail_id, code, text, since, next_at, wide, at_own) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
		t.Now, string(n.Kind), n.Mailbox, id, n.Code, cut(n.Text, maxLast), store.Millis(n.Since), store.Millis(n.Next), flag(n.Wide), own)
	return err
}

// Notices lists the oldest limit notices that have not gone the road and may now.
// After NoticesDone or NoticesCarried they are not listed again, after NoticesLater
// not for a while.
func (ob *Outbox) Notices(ctx context.Context, road Road, limit int) ([]Notice, error) {
	list, err := ob.notices(ctx, road, limit)
	if err != nil {
		return nil, fmt.Errorf("reading notices: %w", err)
	}
	return list, nil
}

func (ob *Outbox) notices(ctx context.Context, road Road, limit int) (list []Notice, err error) {
	if err := road.check(); err != nil {
		return nil, err
	}
	column := string(road)
	err = store.Each(ob.db.View(ctx), func(rows *sql.Rows) error {
		var n Notice
		var at, mail, since, next int64
		var wide int
		err := rows.Scan(&n.ID, &at, &n.Kind, &n.Mailbox, &mail, &n.Code, &n.Text, &since, &next, &wide, &n.Tries)
		n.At, n.Since, n.Next, n.Wide = store.Moment(at), store.Moment(since), store.Moment(next), wide == 1
		if mail != 0 {
			n.QID = ob.qid(mail)
		}
		list = append(list, n)
		return err
	}, `SELECT id, at, kind, mailbox, mail_id, code, text, since, next_at, wide, `+column+`_tries FROM notice
		WHERE `+column+`_done = 0 AND `+column+`_at <= ?1 AND (carrier = 0 OR ?3 <> 'mail') ORDER BY id LIMIT ?2`, ob.db.Now(), limit, column)
	return list, err
}

// NoticesDone says that the notices have gone the road, or that there is no such
// road. One that has gone all of them is forgotten.
func (ob *Outbox) NoticesDone(ctx context.Context, road Road, list []Notice) error {
	return ob.eachNotice(ctx, road, list, func(t *store.Tx, n Notice) error {
		if _, err := t.Exec("UPDATE notice SET "+string(road)+"_done = 1 WHERE id = ?1", n.ID); err != nil {
			return err
		}
		return forgetNotice(t, "id = ?1", n.ID)
	})
}

// NoticesLater says that the road was not open: the notices are listed again after
// a minute, the next time after two, and so on to 4 hours.
func (ob *Outbox) NoticesLater(ctx context.Context, road Road, list []Notice) error {
	column := string(road)
	return ob.eachNotice(ctx, road, list, func(t *store.Tx, n Notice) error {
		_, err := t.Exec("UPDATE notice SET "+column+"_tries = "+column+"_tries + 1, "+column+"_at = ?2 WHERE id = ?1",
			n.ID, t.Now+ob.jittered(backoff.Doubling(firstWait, longestWait, n.Tries+1)))
		return err
	})
}

// NoticesCarried says that the message takes the notices to the operator. They are
// done when it was accepted, and listed again when its mailbox cannot submit.
func (ob *Outbox) NoticesCarried(ctx context.Context, by QID, list []Notice) error {
	id, err := ob.id(by)
	if err != nil {
		return fmt.Errorf("settling notices: %w", err)
	}
	return ob.eachNotice(ctx, RoadMail, list, func(t *store.Tx, n Notice) error {
		if _, err := t.Exec("UPDATE notice SET carrier = ?2 WHERE id = ?1", n.ID, id); err != nil {
			return err
		}
		return ob.over(t, id)
	})
}

func (ob *Outbox) eachNotice(ctx context.Context, road Road, list []Notice, do func(*store.Tx, Notice) error) error {
	err := road.check()
	if err == nil {
		err = ob.db.Write(ctx, func(t *store.Tx) error {
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

// over settles the notices of a message that was over before it was said that it
// carries them: it may be submitted as soon as it was taken.
func (ob *Outbox) over(t *store.Tx, id int64) error {
	var state State
	err := t.Row("SELECT state FROM mail WHERE id = ?1", []any{id}, &state)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	case state == Cancelled:
		return putBack(t, id, ob.scaled(firstProbe))
	case err != nil || state.finished():
		return carried(t, id)
	}
	return nil
}

// carried settles the notices that a message carried, which is over.
func carried(t *store.Tx, id int64) error {
	if _, err := t.Exec("UPDATE notice SET mail_done = 1, carrier = 0 WHERE carrier = ?1", id); err != nil {
		return err
	}
	return forgetNotice(t, "?1 = ?1", 0)
}

func forgetNotice(t *store.Tx, which string, arg int64) error {
	_, err := t.Exec("DELETE FROM notice WHERE mail_done = 1 AND command_done = 1 AND "+which, arg)
	return err
}

// putBack makes the notices that a message carries look for another mailbox: at
// once the first time, then after a while, because each mailbox may be refused.
func putBack(t *store.Tx, id int64, after time.Duration) error {
	_, err := t.Exec(`UPDATE notice SET carrier = 0, mail_tries = mail_tries + 1, mail_at = CASE WHEN mail_tries = 0 THEN 0 ELSE ?2 END
		WHERE carrier = ?1`, id, t.Now+after.Milliseconds())
	return err
}

// pullNotices takes the notices out of a mailbox that does not submit: nobody is
// told by what is broken.
func pullNotices(t *store.Tx, mailbox string) error {
	ids, err := readIDs(t, "SELECT id FROM mail WHERE id IN (SELECT carrier FROM notice WHERE carrier > 0) AND mailbox = ?1 AND state = 'ready'", mailbox)
	for _, id := range ids {
		if err == nil {
			_, err = actOnOne(t, Cancel, id)
		}
		if err == nil {
			err = putBack(t, id, 0)
		}
	}
	return err
}

// Record is a mailbox and what is known of it as a road for a notice.
type Record struct {
	Mailbox  string
	Works    bool      // nothing but a limit of its own keeps it from submitting now, and its last attempt shows that it may
	Accepted time.Time // its last message; zero: none was
}

// Records lists the mailboxes, the one whose message was accepted last first.
func (ob *Outbox) Records(ctx context.Context) ([]Record, error) {
	now := ob.db.Now()
	var list []Record
	err := store.Each(ob.db.View(ctx), func(rows *sql.Rows) error {
		m := new(mailbox)
		err := rows.Scan(m.fields()...)
		w := m.waits(now)
		paused := w != nil && w.Pause != ""
		m.freshAfter(now, ob.scaled(longestTrouble))
		list = append(list, Record{m.name, !paused && m.since == 0, store.Moment(m.acceptedAt)})
		return err
	}, "SELECT "+mailboxColumns+" FROM mailbox ORDER BY accepted_at DESC, name")
	if err != nil {
		return nil, fmt.Errorf("reading mailboxes: %w", err)
	}
	return list, nil
}
