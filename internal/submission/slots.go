package submission

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/session"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// LockSlots are a session.Slots of one host: a lock file each, shared by all
// processes that use the directory. The lock is the kernel's and ends with the
// process. It is safe for concurrent use.
type LockSlots struct {
	dir string
	max int
	// Waiting, when set, is called once when no slot is free.
	Waiting func(mailbox string)
	// Unusable, when set, is called when the lock files cannot be used, so that
	// the limit is not kept.
	Unusable func(error)
}

// NewLockSlots returns slots in dir, which is made with mode 0700 when needed;
// max is exchange.Connections when zero. A directory of another user, or that others
// may write, is not used: who holds its files would keep a mailbox from sending.
func NewLockSlots(dir string, max int) *LockSlots {
	if max == 0 {
		max = exchange.Connections
	}
	return &LockSlots{dir: dir, max: max}
}

// slotPoll is how often a busy set of slots is looked at again. There is no
// lock that waits for any of several files.
const slotPoll = 50 * time.Millisecond

// Acquire takes the first free slot of mailbox. The error wraps session.ErrNoSlots or
// the cause of ctx's end.
func (l *LockSlots) Acquire(ctx context.Context, mailbox string) (release func(), err error) {
	defer func() {
		if errors.Is(err, session.ErrNoSlots) && l.Unusable != nil {
			l.Unusable(err)
		}
	}()
	if err := ownfile.MakeDir(l.dir); err != nil {
		return nil, fmt.Errorf("%w: %w", session.ErrNoSlots, err)
	}
	tick := time.NewTicker(slotPoll)
	defer tick.Stop()
	for told := false; ; {
		release, err := l.try(mailbox)
		if release != nil || err != nil {
			return release, err
		}
		if !told && l.Waiting != nil {
			l.Waiting(mailbox)
		}
		told = true
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for one of the %d connections of the mailbox (lock files in %s): %w", l.max, l.dir, context.Cause(ctx))
		}
	}
}

// try takes a slot if one is free.
func (l *LockSlots) try(mailbox string) (release func(), err error) {
	for n := range l.max {
		lock, ok, err := ownfile.TryLock(l.file(mailbox, n))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", session.ErrNoSlots, err)
		}
		if ok {
			return func() { _ = lock.Unlock() }, nil
		}
	}
	return nil, nil
}

// file is named by a hash, because an address may hold what a file name may
// not. Exchange compares addresses without case.
func (l *LockSlots) file(mailbox string, n int) string {
	sum := sha256.Sum256([]byte(strings.ToLower(mailbox)))
	return filepath.Join(l.dir, fmt.Sprintf("%s.slot%d", hex.EncodeToString(sum[:8]), n))
}

// MemorySlots are a session.Slots of one process, exchange.Connections for each mailbox,
// where no directory is shared with others. The zero value is ready to use, by several
// goroutines.
type MemorySlots struct {
	mu        sync.Mutex
	byMailbox map[string]chan struct{} // guarded by mu
}

// Acquire takes a slot of the mailbox, or waits for one until ctx ends, and returns its
// cause then.
func (m *MemorySlots) Acquire(ctx context.Context, mailbox string) (release func(), err error) {
	taken := m.of(mailbox)
	select {
	case taken <- struct{}{}:
		return func() { <-taken }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// of is the slots of a mailbox. Exchange compares addresses without case.
func (m *MemorySlots) of(mailbox string) chan struct{} {
	mailbox = strings.ToLower(mailbox)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byMailbox == nil {
		m.byMailbox = map[string]chan struct{}{}
	}
	if m.byMailbox[mailbox] == nil {
		m.byMailbox[mailbox] = make(chan struct{}, exchange.Connections)
	}
	return m.byMailbox[mailbox]
}
