package spool

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// shared is how many messages at most share one commit, and with it one sync.
const shared = 64

// add is a small message on its way into a commit.
type add struct {
	m    *Message
	c    stored
	done chan struct{} // closed when the fields below are set

	id  int64
	dup bool
	err error
}

// commit hands a message to the committer and waits until it is on disk. It does
// not end early with ctx once the committer has it: whoever is told that
// nothing was taken must be able to rely on it.
func (s *Spool) commit(ctx context.Context, m *Message, c stored) (id int64, dup bool, err error) {
	a := &add{m: m, c: c, done: make(chan struct{})}
	select {
	case s.adds <- a:
	case <-ctx.Done():
		return 0, false, context.Cause(ctx)
	case <-s.quit:
		return 0, false, errClosed
	}
	<-a.done
	return a.id, a.dup, a.err
}

// commitLoop takes what waits, up to shared messages, into one commit. While
// its sync runs the next ones gather.
func (s *Spool) commitLoop() {
	for {
		select {
		case a := <-s.adds:
			s.commitGroup(s.gather(a))
		case <-s.quit:
			return
		}
	}
}

func (s *Spool) gather(first *add) []*add {
	group := []*add{first}
	for len(group) < shared {
		select {
		case a := <-s.adds:
			group = append(group, a)
		default:
			return group
		}
	}
	return group
}

// commitGroup writes a group. When it cannot, each is tried alone, so that one
// message that cannot be taken does not stop others; but not after a failed
// sync, which must not be tried again, nor when each would wait for the lock.
func (s *Spool) commitGroup(group []*add) {
	err := s.writeGroup(group)
	if err != nil && len(group) > 1 && !errors.Is(err, store.ErrBroken) && !errors.Is(err, store.ErrBusy) {
		for _, a := range group {
			s.commitGroup([]*add{a})
		}
		return
	}
	for _, a := range group {
		if a.err = err; err == nil {
			s.mailboxes.Store(a.m.Mailbox, true)
		}
		close(a.done)
	}
}

func (s *Spool) writeGroup(group []*add) error {
	return s.db.Write(context.Background(), func(t *store.Tx) error {
		for _, a := range group {
			_, have := s.mailboxes.Load(a.m.Mailbox)
			var err error
			if a.id, a.dup, err = s.insertSmall(t, a.m, a.c, have); err != nil {
				return err
			}
		}
		return nil
	})
}
