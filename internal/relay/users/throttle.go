package users

import (
	"context"
	"sync"
	"time"
)

// The figures of the package's rules.
const (
	allowance   = 10          // wrong passwords that a client has
	returnTime  = time.Minute // after which it has another
	maxWaiting  = 20          // attempts of one client that wait; more are ErrLater
	wrongDelay  = time.Second // before the first ErrWrong, then twice as long each time
	maxDelay    = 5 * time.Second
	laterDelay  = 2 * time.Second
	maxClients  = 4096 // that are known at once
	pruneFactor = 8    // an eighth of them is forgotten when there are more
)

// throttle counts the wrong passwords of clients.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex // guards what follows, and the clients
	clients map[string]*client
}

// client is who has sent wrong passwords, or waits.
type client struct {
	spent int       // wrong passwords
	since time.Time // when the last of those that are back came back
	users int       // attempts that are under way
	queue int       // attempts that wait for their turn, or have it
	turn  chan struct{}
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, clients: map[string]*client{}}
}

// turn is an attempt of a client.
type turn struct {
	throttle *throttle
	client   *client
}

// enter begins an attempt; leave ends it.
func (t *throttle) enter(name string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.clients[name]
	if c == nil {
		t.prune()
		c = &client{turn: make(chan struct{}, 1)}
		t.clients[name] = c
	}
	c.users++
	return &turn{t, c}
}

func (t *turn) leave() {
	t.throttle.mu.Lock()
	defer t.throttle.mu.Unlock()
	t.client.users--
}

// prune forgets clients when there are too many: those without a debt, then any that
// have no attempt under way. Those are as many as there are connections.
func (t *throttle) prune() {
	if len(t.clients) < maxClients {
		return
	}
	for name, c := range t.clients {
		if t.refund(c); c.spent == 0 && c.users == 0 {
			delete(t.clients, name)
		}
	}
	for name, c := range t.clients {
		if len(t.clients) <= maxClients-maxClients/pruneFactor {
			return
		}
		if c.users == 0 {
			delete(t.clients, name)
		}
	}
}

// refund gives back what time has brought. A clock that went back brings nothing, and
// takes nothing for longer than returnTime.
func (t *throttle) refund(c *client) {
	now := t.now()
	if c.spent == 0 || now.Before(c.since) {
		c.since = now
	}
	n := int(min(now.Sub(c.since)/returnTime, allowance))
	if c.spent = max(0, c.spent-n); c.spent > 0 {
		c.since = c.since.Add(time.Duration(n) * returnTime)
	}
}

// left is how many wrong passwords the client still has.
func (t *turn) left() int {
	t.throttle.mu.Lock()
	defer t.throttle.mu.Unlock()
	t.throttle.refund(t.client)
	return allowance - t.client.spent
}

func (t *turn) spend() {
	t.throttle.mu.Lock()
	defer t.throttle.mu.Unlock()
	t.throttle.refund(t.client)
	t.client.spent = min(t.client.spent+1, allowance)
}

// take waits for the client's turn, which give ends. Who waits is served in order. It is
// ErrLater at once when too many wait.
func (t *turn) take(ctx context.Context) error {
	if t.enqueue(1) > maxWaiting {
		t.enqueue(-1)
		return ErrLater
	}
	select {
	case t.client.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.enqueue(-1)
		return context.Cause(ctx)
	}
}

func (t *turn) give() {
	<-t.client.turn
	t.enqueue(-1)
}

func (t *turn) enqueue(n int) int {
	t.throttle.mu.Lock()
	defer t.throttle.mu.Unlock()
	t.client.queue += n
	return t.client.queue
}
