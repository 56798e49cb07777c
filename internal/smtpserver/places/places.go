// Package places counts the connections of a server, in all and of each client.
package places

import "sync"

// Places counts the connections of several servers as one, such as of those that follow
// each other on one socket. It is safe for concurrent use. The zero value is ready.
type Places struct {
	mu      sync.Mutex // guards what follows
	taken   int
	clients map[string]int
	refused int
}

// Answer says whether there was a place.
type Answer int

// The answers.
const (
	Taken   Answer = iota
	Full           // as many as may be in all
	TooMany        // as many as may be of this client
)

// Refused is how many connections found no place so far.
func (p *Places) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Take takes a place for a client, unless there are most in all already, or, with
// perClient above 0, as many of this client.
func (p *Places) Take(client string, most, perClient int) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= most:
		p.refused++
		return Full
	case perClient > 0 && p.clients[client] >= perClient:
		p.refused++
		return TooMany
	case p.clients == nil:
		p.clients = map[string]int{}
	}
	p.taken++
	p.clients[client]++
	return Taken
}

// Leave frees the place of a client.
func (p *Places) Leave(client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.clients[client]--; p.clients[client] == 0 {
		delete(p.clients, client)
	}
}
