package relay_test

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
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

// Strangers who have every place must not make the service manager end the relay.
func TestCheckOfAListenerThatIsFull(t *testing.T) {
	for _, scheme := range []string{"smtp", "smtps"} {
		l := newLab(t, "listeners: [{address: '"+scheme+"://127.0.0.1:0', limits: {connections: 1}}]\nclients: [{name: x, networks: [127.0.0.1]}]\n", with{})
		c, err := net.Dial("tcp", l.relay.Addr(scheme+"://127.0.0.1:0").String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for l.relay.Connections() == 0 {
			runtime.Gosched()
		}
		if err := l.relay.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
