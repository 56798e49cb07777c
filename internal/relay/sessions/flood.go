package sessions

import (
	"slices"
	"strings"
	"time"
)

// What is kept of one minute, of refusals and of sessions each.
const (
	keptOfNetwork = 20   // records from one network
	keptInAll     = 300  // records
	maxNetworks   = 1000 // that are counted apart
	maxSummaries  = 20   // lines of what was counted
)

// keeper writes records of one kind, and counts those that are too many.
type keeper struct {
	files    *segments
	minute   time.Time // that is counted
	kept     int
	networks map[string]*count
}

// count is what came from a network in a minute.
type count struct{ kept, more, messages int }

// keep writes a record, or counts it.
func (k *keeper) keep(r *Record, now time.Time) error {
	var err error
	if minute := now.Truncate(time.Minute); !minute.Equal(k.minute) {
		err = k.summarise(now)
		k.minute = minute
	}
	c := k.count(r.Network)
	if c.kept >= keptOfNetwork || k.kept >= keptInAll {
		c.more++
		c.messages += r.Messages
		return err
	}
	c.kept++
	k.kept++
	r.Network = ""
	if e := k.add(r, now); e != nil {
		return e
	}
	return err
}

func (k *keeper) count(network string) *count {
	if k.networks[network] == nil && len(k.networks) >= maxNetworks {
		network = ""
	}
	if k.networks == nil {
		k.networks = map[string]*count{}
	}
	c := k.networks[network]
	if c == nil {
		c = &count{}
		k.networks[network] = c
	}
	return c
}

// summarise writes what was counted in the minute, and begins another one.
func (k *keeper) summarise(now time.Time) error {
	var list []*Record
	for network, c := range k.networks {
		if c.more > 0 {
			list = append(list, &Record{Kind: More, Time: now, Network: network, Count: c.more, Messages: c.messages})
		}
	}
	k.networks, k.kept = nil, 0
	slices.SortFunc(list, func(a, b *Record) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Network, b.Network)
	})
	if len(list) > maxSummaries {
		rest := &Record{Kind: More, Time: now}
		for _, r := range list[maxSummaries-1:] {
			rest.Count += r.Count
			rest.Messages += r.Messages
		}
		list = append(list[:maxSummaries-1], rest)
	}
	for _, r := range list {
		if err := k.add(r, now); err != nil {
			return err
		}
	}
	return nil
}
