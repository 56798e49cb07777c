//go:build linux

package interop_test

import (
	"fmt"
	"net/smtp"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay/control"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// TestRelayReloadsUnderLoad has 10 clients send while the relay reads its settings again
// 100 times, by its socket and by SIGHUP, now and then with a wrong line: no connection is
// refused or cut, and all that was sent arrives.
func TestRelayReloadsUnderLoad(t *testing.T) {
	box := start(t, sandbox.Options{TimeScale: 10_000, Connections: -1})
	settings := func(commands int) string {
		return fmt.Sprintf("listeners: [{address: 'smtp://127.0.0.1:0', limits: {commands: %d, connections_per_address: 1000}}]\nclients: [{name: this-host, networks: [127.0.0.1]}]\n", commands)
	}
	r := startOurRelay(t, box, func(string) string { return settings(1000) }, nil, nil)
	host, port := r.at(t, "smtp://127.0.0.1:0")
	done, more := make(chan struct{}), make(chan struct{})
	within := within(t)
	var sent atomic.Int64
	var clients sync.WaitGroup
	for c := range 10 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				from := fmt.Sprintf("m%d-%d@contoso.example", c, i)
				if err := smtp.SendMail(fmt.Sprintf("%s:%d", host, port), nil, from, []string{"x@fabrikam.example"}, []byte("Subject: x\r\n\r\ntext\r\n")); err != nil {
					t.Errorf("%s: %v", from, err)
					return
				}
				sent.Add(1)
				select {
				case more <- struct{}{}:
				case <-done:
				}
			}
		})
	}
	change := func(text string) {
		t.Helper()
		next := writeFile(t, filepath.Join(r.dir, "next"), text)
		if err := os.Rename(next, r.file()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		for range 3 { // so that no reload is without load
			select {
			case <-more:
			case <-within.Done():
				t.Fatal("no client gets through any more")
			}
		}
		change(settings(500 + i))
		if i%10 == 0 {
			if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		if err := control.Ask(t.Context(), r.state(), control.Reload); err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
		if i%10 == 5 {
			change(settings(500) + "wrong: line\n")
			if err := control.Ask(t.Context(), r.state(), control.Reload); err == nil {
				t.Errorf("reload %d took a wrong line", i)
			}
		}
	}
	close(done)
	clients.Wait()
	if err := box.Inbox().Wait(within, int(sent.Load())); err != nil {
		t.Errorf("%d messages were sent, %d arrived", sent.Load(), len(box.Messages()))
	}
	t.Logf("%d messages during 100 reloads", sent.Load())
}
