package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// TestRelayLosesNothingWhenItIsKilled kills a relay with SIGKILL under the load of 10
// clients, again and again. Each message that was answered with 250 must arrive, and
// twice only where that is recorded as in doubt.
func TestRelayLosesNothingWhenItIsKilled(t *testing.T) {
	rounds := 4
	if os.Getenv("SMTPSEND_NIGHTLY") != "" {
		rounds = 20
	}
	box, err := sandbox.Start(t.Context(), sandbox.Options{SigningKey: signingKey(), TimeScale: 5000, Connections: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	dir := t.TempDir()
	if err := box.WriteEnv(dir + "/e.env"); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	write(t, dir, "relay.yaml", "listeners: [{address: 'smtp://"+at+"'}]\nclients: [{name: here, networks: [127.0.0.1]}]\n")
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("SMTPSEND_STATE_DIR", filepath.Join(dir, "state"))
	t.Setenv("SMTPSEND_ENV_FILE", dir+"/e.env")
	t.Setenv("SMTPSEND_RELAY_FILE", dir+"/relay.yaml")

	l := &load{at: at, taken: map[string]bool{}, more: make(chan struct{}, 100_000)}
	for round := range rounds {
		cmd, said := started(t, nil, "listening", "relay")
		go func() { _, _ = said.WriteTo(discard{}) }()
		stop := l.start(round)
		for range 5 + rand.IntN(60) {
			<-l.more
		}
		_ = cmd.Process.Kill()
		stop()
		_ = cmd.Wait()
	}
	out, err := exec.Command("smtpsend", "queue", "run", "--drain").CombinedOutput()
	if coded, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || coded.ExitCode() != exit.InDoubt) { // what was in doubt twice is held
		t.Fatalf("queue run: %v: %s", err, out)
	}
	l.check(t, box, filepath.Join(dir, "state"))
}

// TestRelayKilledInEveryPhase kills a relay at each step of a client's dialogue. The message
// arrives once when the client was answered with 250, and does not when its content had no
// end; in between it may, and not twice.
func TestRelayKilledInEveryPhase(t *testing.T) {
	steps := []string{"", "EHLO x\r\n", "MAIL FROM:<a@contoso.example>\r\n", "RCPT TO:<x@contoso.example>\r\n", "DATA\r\n", "Subject: whole\r\n", "\r\ntext\r\n", ".\r\n"}
	const content, end = 5, 7 // from the first on nothing is answered until the last
	for phase := range len(steps) + 1 {
		answered := phase == len(steps) // the last phase is after its 250
		t.Run(fmt.Sprintf("after step %d", phase), func(t *testing.T) {
			t.Setenv("SMTPSEND_NO_MAILS", "1") // what it submits may be in doubt
			r := startRelay(t)
			at := regexp.MustCompile(`at=(\S+)`).FindStringSubmatch(r.logged(t, "at="))[1]
			conn, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := textproto.NewConn(conn)
			for step, text := range steps[:min(phase+1, len(steps))] {
				_, _ = io.WriteString(conn, text)
				isTaken := step == end && answered
				if step < content || isTaken {
					if code, line, err := c.ReadResponse(0); err != nil || code >= 400 {
						t.Fatalf("step %d: %d %s, %v", step, code, line, err)
					}
				}
			}
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
			t.Setenv("SMTPSEND_NO_MAILS", "")
			if out, err := exec.Command("smtpsend", "queue", "run", "--drain").CombinedOutput(); err != nil {
				t.Fatalf("queue run: %v: %s", err, out)
			}
			n := len(r.box.Messages())
			isLost, isInvented := n == 0 && answered, n == 1 && phase < end
			if n > 1 || isLost || isInvented {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// load is clients that send, and what they were told.
type load struct {
	at    string
	more  chan struct{} // gets one for each message that was taken
	mu    sync.Mutex
	taken map[string]bool // Message-IDs of what was answered with 250
}

// start has 10 clients send until stop, whatever happens to them.
func (l *load) start(round int) (stop func()) {
	done := make(chan struct{})
	var clients sync.WaitGroup
	for c := range 10 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				id := fmt.Sprintf("<%d-%d-%d@contoso.example>", round, c, i)
				if err := smtp.SendMail(l.at, nil, fmt.Sprintf("m%d@contoso.example", c), []string{"x@contoso.example"}, []byte("Message-ID: "+id+"\r\n\r\ntext\r\n")); err == nil {
					l.mu.Lock()
					l.taken[id] = true
					l.mu.Unlock()
					l.more <- struct{}{}
				}
			}
		})
	}
	return func() { close(done); clients.Wait() }
}

// check compares what was taken with what arrived.
func (l *load) check(t *testing.T, box *sandbox.Sandbox, state string) {
	t.Helper()
	arrived := map[string]int{}
	for _, m := range box.Messages() {
		arrived[m.MessageID]++
	}
	out, err := outbox.Open(t.Context(), state, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	list, err := operator.History(t.Context(), out, operator.Filter{Oldest: true, All: true})
	if err != nil {
		t.Fatal(err)
	}
	doubts, held := map[string]int{}, map[string]bool{}
	for _, m := range list {
		doubts[m.MessageID] += m.InDoubt
		held[m.MessageID] = m.State == outbox.Held
	}
	for id := range l.taken {
		if arrived[id] == 0 && !held[id] {
			t.Errorf("%s was answered with 250, and did not arrive", id)
		}
	}
	for id, n := range arrived {
		if n > 1 && doubts[id] == 0 {
			t.Errorf("%s arrived %d times, and was never in doubt", id, n)
		}
	}
	t.Logf("%d messages were answered with 250, %d arrived", len(l.taken), len(arrived))
}
