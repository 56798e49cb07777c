package tokencache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
)

const (
	// lockWait bounds the wait for a process that holds the lock: as long as a
	// slow token request takes.
	lockWait = 10 * time.Second

	// Between two looks at a taken lock. A look costs two small reads.
	firstLook, lastLook = 4 * time.Millisecond, 64 * time.Millisecond
)

// flight is one search for a token that several callers wait for.
type flight struct {
	cancel  context.CancelCauseFunc
	done    chan struct{}        // closed when record and err are set
	waiters map[*waiter]struct{} // guarded by Cache.mu
	record  *Record
	err     error
}

type waiter struct {
	deadline time.Time
	bounded  bool // deadline is one
}

// errUnwanted ends a search that no one waits for.
var errUnwanted = errors.New("tokencache: no caller waits for the token any more")

// flightContext ends when the last waiter leaves. Its deadline is that of the
// waiter who waits longest, so that a source can tell that a pause it is asked
// for will not fit, and say why there is no token in place of "deadline
// exceeded". It grows when someone joins.
type flightContext struct {
	context.Context
	cache  *Cache
	flight *flight
}

func (c flightContext) Deadline() (latest time.Time, ok bool) {
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	for w := range c.flight.waiters {
		if !w.bounded {
			return time.Time{}, false
		}
		if w.deadline.After(latest) {
			latest = w.deadline
		}
	}
	return latest, !latest.IsZero()
}

// find answers q from memory or by a search, its own or one under way.
func (c *Cache) find(ctx context.Context, q query) (*Record, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("tokencache: getting a token: %w", context.Cause(ctx))
	}
	if r, err := c.known(c.recall(), q); r != nil || err != nil {
		return r, err
	}
	f, w := c.board(ctx, q)
	defer c.leave(f, w)
	select {
	case <-f.done:
		return f.record, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("tokencache: waiting for a token: %w", context.Cause(ctx))
	}
}

// board joins the search under way or starts one.
func (c *Cache) board(ctx context.Context, q query) (*flight, *waiter) {
	w := &waiter{}
	w.deadline, w.bounded = ctx.Deadline()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != nil {
		c.flight.waiters[w] = struct{}{}
		return c.flight, w
	}
	f := &flight{done: make(chan struct{}), waiters: map[*waiter]struct{}{w: {}}}
	// The search outlives the caller that began it, as long as others wait.
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f.cancel, c.flight = cancel, f
	go c.fly(flightContext{base, c, f}, f, q)
	return f, w
}

// leave takes a caller out, and ends a search that no one waits for.
func (c *Cache) leave(f *flight, w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(f.waiters, w)
	if len(f.waiters) > 0 {
		return
	}
	f.cancel(errUnwanted)
	if c.flight == f {
		c.flight = nil // a later caller shall not join what is ending
	}
}

// fly runs a search and tells its waiters, even when the source ends the
// goroutine, as a test's FailNow does.
func (c *Cache) fly(ctx context.Context, f *flight, q query) {
	f.err = errors.New("tokencache: source ended without a result")
	defer func() {
		c.mu.Lock()
		if c.flight == f {
			c.flight = nil
		}
		c.mu.Unlock()
		close(f.done)
	}()
	f.record, f.err = c.search(ctx, q)
}

// search finds a token in the store or, holding the store's lock if it can be
// had in time, asks the source.
func (c *Cache) search(ctx context.Context, q query) (*Record, error) {
	began := time.Now() // not the wall clock, which may be set back meanwhile
	for n := 1; ; n++ {
		if r, err := c.look(q); r != nil || err != nil {
			return r, err
		}
		unlock, locked, err := c.o.Store.TryLock(c.o.Key)
		switch {
		case err != nil:
			c.warn(fmt.Errorf("tokencache: locking a stored token: %w", err))
			return c.fetch(ctx)
		case locked:
			defer unlock()
			// Its last holder may have stored a token since the look.
			if r, err := c.look(q); r != nil || err != nil {
				return r, err
			}
			return c.fetch(ctx)
		case time.Since(began) >= lockWait:
			return c.fetch(ctx)
		}
		if err := backoff.Sleep(ctx, backoff.Spread(backoff.Doubling(firstLook, lastLook, n))); err != nil {
			return nil, err
		}
	}
}

// look reads memory, which is all there is when the store fails, and store.
func (c *Cache) look(q query) (*Record, error) {
	if r, err := c.known(c.recall(), q); r != nil || err != nil {
		return r, err
	}
	stored := c.load()
	r, err := c.known(stored, q)
	if r != nil || err != nil {
		c.keep(stored)
	}
	return r, err
}
