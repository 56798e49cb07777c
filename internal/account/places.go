package account

import (
	"context"
	"strings"
	"sync"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// places are the connections of each mailbox that one process may have, where no
// directory is shared with others. It is safe for concurrent use.
type places struct {
	mu        sync.Mutex
	byMailbox map[string]chan struct{} // guarded by mu
}

// Acquire takes a place of the mailbox, or waits for one until ctx ends.
func (p *places) Acquire(ctx context.Context, mailbox string) (release func(), err error) {
	taken := p.of(mailbox)
	select {
	case taken <- struct{}{}:
		return func() { <-taken }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// of is the places of a mailbox. Exchange compares addresses without case.
func (p *places) of(mailbox string) chan struct{} {
	mailbox = strings.ToLower(mailbox)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byMailbox == nil {
		p.byMailbox = map[string]chan struct{}{}
	}
	if p.byMailbox[mailbox] == nil {
		p.byMailbox[mailbox] = make(chan struct{}, exchange.Connections)
	}
	return p.byMailbox[mailbox]
}
