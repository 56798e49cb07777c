package delayproxy

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	pieceSize = 64 << 10
	inFlight  = 1024 // pieces under way: 64 MiB, far more than any loopback fills in R/2
)

// piece is octets on their way, or the end of a direction.
type piece struct {
	due  time.Time
	data []byte // nil: the end
}

var buffers = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// carry takes one connection from its start to its end.
func (p *Proxy) carry(ctx context.Context, client *net.TCPConn, t *trip) {
	half, whole := p.opts.RTT/2, p.opts.RTT
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	up, down := make(chan piece, inFlight), make(chan piece, inFlight)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer client.Close()
	wg.Go(func() {
		receive(client, up, func(n int) time.Duration {
			if !t.spoke(n) {
				return whole + half
			}
			return half
		})
	})
	sleepUntil(t.facts.Accepted.Add(whole + half))
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", p.opts.Target)
	if err != nil {
		client.Close()
		drain(up)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	stopServer := context.AfterFunc(ctx, func() { server.Close() })
	defer stopServer()
	wg.Go(func() { receive(server, down, func(int) time.Duration { return half }) })
	wg.Go(func() {
		deliver(server, up, func(int) {})
		drain(up)
	})
	deliver(client, down, t.hear)
	drain(down)
}

// receive reads from c until its end and queues each piece for delay later. It
// closes the queue after the end.
func receive(c *net.TCPConn, queue chan<- piece, delay func(n int) time.Duration) {
	defer close(queue)
	for {
		buf := buffers.Get().(*[pieceSize]byte)
		n, err := c.Read(buf[:])
		if n > 0 {
			queue <- piece{time.Now().Add(delay(n)), buf[:n]}
		}
		if err != nil {
			queue <- piece{due: time.Now().Add(delay(0))}
			return
		}
	}
}

// deliver writes each piece to c when it is due, after telling before. It
// returns after the end of the queue, or when c takes no more.
func deliver(c *net.TCPConn, queue <-chan piece, before func(n int)) {
	for p := range queue {
		sleepUntil(p.due)
		if p.data == nil {
			_ = c.CloseWrite()
			continue
		}
		before(len(p.data))
		if _, err := c.Write(p.data); err != nil {
			return
		}
		release(p)
	}
}

func drain(queue <-chan piece) {
	for p := range queue {
		release(p)
	}
}

func release(p piece) {
	if cap(p.data) >= pieceSize {
		buffers.Put((*[pieceSize]byte)(p.data[:pieceSize]))
	}
}
