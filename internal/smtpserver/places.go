package smtpserver

import "sync"

// Places counts the connections of several servers as one, such as of those that
// follow each other on one socket: Options.MaxConnections and MaxPerAddress of each are
// limits of all. It is safe for concurrent use. The zero value is ready.
type Places struct {
	mu      sync.Mutex // guards what follows
	taken   int
	clients map[string]int // by clientnet.Key
	refused int
}

// Refused is how many connections found no place so far.
func (p *Places) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// take takes a place for a client, or says which limit of o is reached.
func (p *Places) take(client string, o *Options) (refused Cause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= o.MaxConnections:
		refused = CauseConnections
	case o.MaxPerAddress > 0 && p.clients[client] >= o.MaxPerAddress:
		refused = CauseAddressConnections
	}
	if refused != "" {
		p.refused++
		return refused
	}
	if p.clients == nil {
		p.clients = map[string]int{}
	}
	p.taken++
	p.clients[client]++
	return ""
}

// leave frees the place of a client.
func (p *Places) leave(client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.clients[client]--; p.clients[client] == 0 {
		delete(p.clients, client)
	}
}
