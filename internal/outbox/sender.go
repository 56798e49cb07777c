package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Sender is the right to submit from an outbox. It is safe for concurrent use:
// one process serves many mailboxes, each with several connections.
type Sender struct {
	ob     *Outbox
	lock   *ownfile.Lock
	run    string // names this process in claims
	claims atomic.Int64
	seen   atomic.Int64 // the clock when it was last read, ms
	looked atomic.Int64 // when the reckoning was last written, ms
}

// Recovered counts what the last sender left.
type Recovered struct {
	Again   int // claimed, surely not submitted: due again
	InDoubt int // maybe submitted: due once more, recorded
	Held    int // maybe submitted: held
}

// Lock makes this process the one that submits, and puts in order what the last one
// left: that must be done before anything is claimed. The error wraps store.ErrLocked
// when another process has the lock; it ends with the process.
func (ob *Outbox) Lock(ctx context.Context) (*Sender, Recovered, error) {
	lock, err := ob.db.Lock()
	if err != nil {
		return nil, Recovered{}, err
	}
	s := &Sender{ob: ob, lock: lock, run: rand.Text()}
	s.looked.Store(ob.db.Now())
	r, err := s.recover(ctx)
	if err != nil {
		_ = lock.Unlock()
		return nil, Recovered{}, fmt.Errorf("recovering outbox: %w", err)
	}
	return s, r, nil
}

// StartProbe begins a probe of a held mailbox: Mailboxes.StartProbe. The error is
// ErrIdle when none is due.
func (s *Sender) StartProbe(ctx context.Context, name string) (*mailbox.Probe, error) {
	p, err := s.ob.mailboxes.StartProbe(ctx, name)
	if err == nil && p == nil {
		err = ErrIdle
	}
	return p, err
}

// EndProbe records how a probe ended: Mailboxes.EndProbe.
func (s *Sender) EndProbe(ctx context.Context, p *mailbox.Probe, accepted bool, v mailbox.Verdict) (out Settled, err error) {
	w, err := s.ob.mailboxes.EndProbe(ctx, p, accepted, v)
	out.mailbox(w)
	return out, err
}

// Release gives the lock back. What is still claimed is put in order by the next
// Lock, as after a crash: finish everything before.
func (s *Sender) Release() error { return s.lock.Unlock() }

// Due is a mailbox and when it may go on.
type Due struct {
	Mailbox string
	At      time.Time // now or earlier: it has something to claim
	Probe   bool      // it is held: StartProbe, and claim when that was accepted
}

// Due lists the mailboxes that have, or will have, something due without an
// operator, in no order. It costs four index probes
// a mailbox, however long the backlog, and sees what other processes added: ask
// once a second.
func (s *Sender) Due(ctx context.Context) ([]Due, error) {
	if err := s.watchClock(ctx); err != nil {
		return nil, err
	}
	now := s.ob.db.Now()
	var due []Due
	err := store.Each(s.ob.db.View(ctx), func(rows *sql.Rows) error {
		var name string
		var next, paused, probe int64
		var first [4]sql.NullInt64
		if err := rows.Scan(&name, &next, &paused, &probe, &first[0], &first[1], &first[2], &first[3]); err != nil {
			return err
		}
		if at, ok := earliest(first); ok {
			due = append(due, Due{name, store.Moment(max(at, next, paused, probe, min(now, at))), probe > 0})
		}
		return nil
	}, dueQuery)
	if err != nil {
		return nil, fmt.Errorf("looking for due mail: %w", err)
	}
	return due, nil
}

const dueQuery = `SELECT name, next_at, paused_until, probe_at,
	(SELECT min(ready_at) FROM mail WHERE mailbox = name AND prio = 0 AND state = 'ready'),
	(SELECT min(ready_at) FROM mail WHERE mailbox = name AND prio = 1 AND state = 'ready'),
	(SELECT min(ready_at) FROM mail WHERE mailbox = name AND prio = 2 AND state = 'ready'),
	(SELECT min(ready_at) FROM mail WHERE mailbox = name AND prio = 3 AND state = 'ready')
	FROM mailbox WHERE pause = '' OR paused_until > 0 OR probe_at > 0`

func earliest(times [4]sql.NullInt64) (at int64, ok bool) {
	for _, t := range times {
		if t.Valid && (!ok || t.Int64 < at) {
			at, ok = t.Int64, true
		}
	}
	return at, ok
}

// lookEvery is how often a sender that has nothing to do looks.
const lookEvery = time.Hour

// watchClock looks when the clock was set back, and now and then. What is missed
// then, because the disk is full, say, the next look makes up for.
func (s *Sender) watchClock(ctx context.Context) error {
	now := s.ob.db.Now()
	last := s.seen.Swap(now)
	isBack := store.IsBack(last, now)
	if looked := s.looked.Load(); !isBack && now >= looked && now-looked < lookEvery.Milliseconds() {
		return nil
	}
	s.looked.Store(now)
	if err := s.ob.db.Write(ctx, func(t *store.Tx) error { return t.Look(last) }); isBack {
		return err
	}
	return nil
}
