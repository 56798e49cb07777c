// Package delayproxy is a TCP proxy that adds distance and nothing else: every
// octet takes half a round-trip time each way, and bandwidth is not limited. It
// counts turns, so that clients can be compared by what they do rather than by
// how busy the machine is.
//
// What it does to a connection, with a round-trip time of R:
//
//  1. The kernel accepts the client's connection at once, which no proxy can
//     help. So the set-up is charged afterwards: what the client sends before
//     it has heard from the server leaves R later, and the server is connected
//     to after 1.5 R, which is when it would see the last packet of the
//     handshake. A greeting therefore arrives 2 R after connect().
//  2. Each piece read is passed on R/2 later, pieces in their order. A group of
//     commands that arrived in one piece leaves in one.
//  3. The end of a direction is passed on like an octet.
//
// A turn is a change from hearing to speaking: the client sends after the server
// has been heard since the client's last octet. That is how often the client had
// to wait for the server before it could go on. A reply that no one waits for,
// such as the one to a last QUIT, is none. The count is exact as long as the
// client speaks without delay; one that dawdles for more than R while the server
// sends something unasked (TLS tickets) is charged a turn too many, never one too
// few. With R of zero the count means little.
package delayproxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Options say whose distance is added to. Target is required.
type Options struct {
	Target string        // host:port
	RTT    time.Duration // round-trip time added; 0: none
}

// Trip is what is known of one connection.
type Trip struct {
	Accepted time.Time // when the client's connect() succeeded
	Turns    int
	Up, Down int64 // octets from and to the client
}

// Proxy is a running proxy. Its methods are safe for concurrent use.
type Proxy struct {
	opts     Options
	listener net.Listener
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex // guards what follows
	trips  []*trip
	active int
	idle   chan struct{} // closed when active is zero
}

// Start listens on a free loopback port until Close or the end of ctx.
func Start(ctx context.Context, o Options) (*Proxy, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the proxy: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &Proxy{opts: o, listener: l, cancel: cancel, idle: make(chan struct{})}
	close(p.idle)
	p.wg.Go(func() { p.accept(ctx) })
	p.wg.Go(func() {
		<-ctx.Done()
		_ = l.Close()
	})
	return p, nil
}

// Addr is host:port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close cuts every connection and returns when their goroutines have ended,
// which takes 1.5 round-trip times at most.
func (p *Proxy) Close() error {
	p.cancel()
	p.wg.Wait()
	return nil
}

// Idle waits until every accepted connection has ended on both sides, so that
// what Trips says is final. The error is ctx's.
func (p *Proxy) Idle(ctx context.Context) error {
	p.mu.Lock()
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Trips returns what passed since the last Forget, a connection each, in the
// order of their acceptance.
func (p *Proxy) Trips() []Trip {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Trip, len(p.trips))
	for i, t := range p.trips {
		list[i] = t.snapshot()
	}
	return list
}

// Forget empties the list of trips.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trips = nil
}

func (p *Proxy) accept(ctx context.Context) {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed; a loopback listener has no other end
		}
		t := p.begin(time.Now())
		p.wg.Go(func() {
			defer p.end()
			p.carry(ctx, c.(*net.TCPConn), t)
		})
	}
}

func (p *Proxy) begin(now time.Time) *trip {
	t := &trip{facts: Trip{Accepted: now}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trips = append(p.trips, t)
	if p.active++; p.active == 1 {
		p.idle = make(chan struct{})
	}
	return t
}

func (p *Proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active--; p.active == 0 {
		close(p.idle)
	}
}

// trip counts one connection.
type trip struct {
	mu    sync.Mutex // guards what follows
	facts Trip
	heard bool // the server, since the client's last octet
	ever  bool // heard at all
}

// spoke notes n octets of the client and reports whether the server was ever
// heard before them.
func (t *trip) spoke(n int) (ever bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.facts.Up += int64(n)
	if t.heard {
		t.heard = false
		t.facts.Turns++
	}
	return t.ever
}

// hear notes n octets that are about to reach the client.
func (t *trip) hear(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.facts.Down += int64(n)
	t.heard, t.ever = true, true
}

func (t *trip) snapshot() Trip {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.facts
}
