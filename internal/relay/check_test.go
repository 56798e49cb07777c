package relay_test

import (
	"context"
	"path/filepath"
	"testing"
)

func TestCheckIsNoVisit(t *testing.T) {
	unix := filepath.Join(t.TempDir(), "s")
	l := newLab(t, "listeners: [{address: 'smtp://127.0.0.1:0', proxy_protocol_from: [127.0.0.1], policy: ip}, {address: 'smtps://127.0.0.2:0'}, {address: 'starttls://0.0.0.0:0', policy: ip}, {address: 'unix://"+unix+"'}]\nclients: [{name: x, networks: [127.0.0.0/8], uids: [0]}]\n", with{})
	if err := l.relay.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if len(l.visited()) != 0 || len(l.events()) != 0 {
		t.Errorf("visits %+v, refusals %+v", l.visited(), l.events())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.relay.Check(ctx); err == nil {
		t.Error("a check that has no time finds nothing wrong")
	}
	l.end()
	<-l.result
	if err := l.relay.Check(t.Context()); err == nil {
		t.Error("a relay that has ended works")
	}
}

// A listener that has as many clients as it takes works, with TLS first, too, where the
// next one is turned away without a word.
func TestCheckOfAFullListener(t *testing.T) {
	for _, scheme := range []string{"smtp", "smtps"} {
		for _, limit := range []string{"connections", "connections_per_address"} {
			t.Run(scheme+" "+limit, func(t *testing.T) {
				l := newLab(t, "listeners: [{address: '"+scheme+"://127.0.0.1:0', limits: {"+limit+": 1}}]\nclients: ["+anyone+"]", with{})
				c := l.dial(l.first())
				if scheme == "smtps" {
					c.dialogue("T:")
				}
				c.dialogue("S: 220")
				for range 5 {
					if err := l.relay.Check(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
