package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Claim is a message that is the caller's until Finish.
type Claim struct {
	QID       queueid.ID
	Mailbox   string
	Envelope  mailobject.Envelope // with the recipients that are still open
	MessageID string
	Size      int64
	EightBit  bool // the content holds octets above 127
	Attempt   int  // 1 for the first
	InDoubt   int  // attempts before this one whose outcome is in doubt
	Source    string
	Batch     int64 // 0: of none
	Notice    bool
	CreatedAt time.Time

	id     int64
	holder string
	rows   []int // those of rcpt that Envelope.ForwardPaths are
}

// picked is what Claim reads of a message.
type picked struct {
	id, expiresAt, createdAt int64
	recipients               int // that are still open
	held                     int // 1: its sender is
}

// Claim takes the most urgent due message of a mailbox, and writes the attempt
// ahead. The error is ErrIdle when nothing is due, or wraps *mailbox.WaitError when the
// mailbox may not submit, store.ErrFull, store.ErrBroken.
func (s *Sender) Claim(ctx context.Context, name string) (*Claim, error) {
	if err := s.watchClock(ctx); err != nil {
		return nil, fmt.Errorf("claiming a message of %s: %w", name, err)
	}
	var c *Claim
	var wait *mailbox.WaitError
	err := s.ob.db.Write(ctx, func(t *store.Tx) (err error) {
		c, wait, err = s.claim(t, mailbox.Key(name))
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("claiming a message of %s: %w", name, err)
	case wait != nil:
		return nil, wait
	case c == nil:
		return nil, ErrIdle
	}
	return c, nil
}

// claim returns nothing at all when nothing is due.
func (s *Sender) claim(t *store.Tx, name string) (*Claim, *mailbox.WaitError, error) {
	box, err := mailbox.Lock(t, name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if w := box.Wait(t.Now); w != nil {
		return nil, w, nil
	}
	p, err := pick(t, name)
	if err != nil || p.id == 0 {
		return nil, nil, err
	}
	// What others have claimed will count soon.
	if w, err := s.ob.limit(t, box, p.recipients, true); w != nil || err != nil {
		return nil, w, err
	}
	c := &Claim{id: p.id, QID: s.ob.tag.ID(p.id), holder: fmt.Sprintf("%s/%d", s.run, s.claims.Add(1))}
	return c, nil, assign(t, c)
}

// mostAside is how many messages one transaction ends or holds: others want to write, too.
const mostAside = 1000

// pick finds the message that is next. It ends those that have expired, and holds those
// whose sender is held. After mostAside of them it finds none, and those that are left are
// still due.
func pick(t *store.Tx, name string) (picked, error) {
	aside := 0
	for prio := range 4 {
		for ; aside < mostAside; aside++ {
			var p picked
			err := t.Row(pickQuery, []any{name, prio, t.Now}, &p.id, &p.expiresAt, &p.createdAt, &p.recipients, &p.held)
			if errors.Is(err, sql.ErrNoRows) {
				break
			}
			switch {
			case err != nil:
				return p, err
			case p.expiresAt != 0 && p.expiresAt <= t.Now:
				err = expire(t, p.id)
			case p.held == 1:
				err = holdBySender(t, p.id)
			default:
				return p, nil
			}
			if err != nil {
				return p, err
			}
		}
	}
	return picked{}, nil
}

const pickQuery = `SELECT id, expires_at, created_at, rcpt_open, notice = 0 AND EXISTS (SELECT 1 FROM sender s
		WHERE s.mailbox = mail.mailbox AND s.name = mail.sender AND s.reverse_path = mail.reverse_path AND s.held = 1) FROM mail
	WHERE mailbox = ?1 AND prio = ?2 AND state = 'ready' AND ready_at <= ?3 ORDER BY ready_at, id LIMIT 1`

// assign makes the message the caller's.
func assign(t *store.Tx, c *Claim) error {
	var created int64
	var eightBit, notice int
	dsn := &c.Envelope.DSN
	err := t.Row(`UPDATE mail SET state = 'sending', holder = ?2, phase = '', attempts = attempts + 1 WHERE id = ?1
		RETURNING mailbox, reverse_path, dsn_notify, dsn_return, envelope_id, message_id, size, eight_bit, attempts, doubts, source, coalesce(batch_id, 0), notice, created_at`,
		[]any{c.id, c.holder}, &c.Mailbox, &c.Envelope.ReversePath, &dsn.Notify, &dsn.Return, &dsn.EnvelopeID, &c.MessageID, &c.Size, &eightBit, &c.Attempt, &c.InDoubt, &c.Source, &c.Batch, &notice, &created)
	if err != nil {
		return err
	}
	c.EightBit, c.Notice, c.CreatedAt = eightBit == 1, notice == 1, store.Moment(created)
	return store.Each(t, func(rows *sql.Rows) error {
		var n int
		var addr string
		err := rows.Scan(&n, &addr)
		c.rows = append(c.rows, n)
		c.Envelope.ForwardPaths = append(c.Envelope.ForwardPaths, addr)
		return err
	}, "SELECT n, addr FROM rcpt WHERE mail_id = ?1 AND "+recipientOpen+" ORDER BY n", c.id)
}

// limit checks whether the mailbox may submit one more message, to n recipients.
// With claimed, what is claimed counts as if its data was allowed.
func (ob *Outbox) limit(t *store.Tx, box *mailbox.Mailbox, n int, claimed bool) (*mailbox.WaitError, error) {
	sum, err := underWay(t, box.Name(), claimed)
	if err != nil {
		return nil, err
	}
	return box.Limit(t, ob.rules, n, sum)
}

// UnderWay is what of a mailbox the server may have by now, and counts in its limits,
// although it is not known yet: the messages whose data was allowed.
func UnderWay(r store.Reader, name string) (mailbox.Sum, error) { return underWay(r, name, false) }

func underWay(r store.Reader, name string, claimed bool) (sum mailbox.Sum, err error) {
	which := "mailbox = ?1 AND state = 'sending' AND phase = 'data'"
	if claimed {
		which = "mailbox = ?1 AND state = 'sending'"
	}
	err = store.Each(r, func(rows *sql.Rows) error { return rows.Scan(&sum.Messages, &sum.Recipients) }, sumQuery+which, name)
	return sum, err
}

// sumQuery counts a message to many recipients as the transactions that it takes,
// each of which is a message to the server.
var sumQuery = fmt.Sprintf("SELECT coalesce(sum((rcpt_open + %d) / %d), 0), coalesce(sum(rcpt_open), 0) FROM mail WHERE ",
	exchange.RecipientsPerMessage-1, exchange.RecipientsPerMessage)

// AllowData says that the content of c may go out now, and counts it: call it
// just before DATA. From here on a crash leaves the message in doubt. The error
// wraps *mailbox.WaitError when a limit is reached or the mailbox was stopped meanwhile
// (the claim stays the caller's: wait, or give it back by Finish), or store.ErrLost.
// With any error the content must not go out.
func (s *Sender) AllowData(ctx context.Context, c *Claim) error {
	var wait *mailbox.WaitError
	err := s.ob.db.Write(ctx, func(t *store.Tx) (err error) {
		wait, err = s.allow(t, c)
		return err
	})
	if err == nil && wait != nil {
		err = wait
	}
	if err != nil {
		return fmt.Errorf("allowing the content of %s: %w", c.QID, err)
	}
	return nil
}

func (s *Sender) allow(t *store.Tx, c *Claim) (*mailbox.WaitError, error) {
	if err := t.Look(0); err != nil {
		return nil, err
	}
	box, err := mailbox.Lock(t, c.Mailbox)
	if err != nil {
		return nil, err
	}
	if w := box.Wait(t.Now); w != nil && w.Pause != "" {
		return w, nil
	}
	if w, err := s.ob.limit(t, box, len(c.rows), false); w != nil || err != nil {
		return w, err
	}
	n, err := t.Exec("UPDATE mail SET phase = 'data' WHERE id = ?1 AND state = 'sending' AND holder = ?2 AND phase = ''", c.id, c.holder)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, store.ErrLost
	}
	return nil, addEvent(t, c.id, Event{Kind: EventAttempt, Attempt: c.Attempt})
}
