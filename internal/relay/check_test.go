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
