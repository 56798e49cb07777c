package relay_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/relay"
)

// free is an address that nothing listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const mailFrom = "C: MAIL FROM:<a@contoso.example>\n"

func TestReloadTakesTheNewFileAtTheNextMail(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	c := l.dial(localhost).dialogue(hello + mailFrom + "S: 250")
	l.settings(local(`{name: other, networks: [127.0.0.2]}`))
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	c.dialogue("C: RCPT TO:<x@contoso.example>\nS: 250\nC: DATA\nS: 354\nC: .\nS: 250 2.0.0\n" + mailFrom + "S: 550 5.7.1")
}

func TestReloadOfAWrongFileChangesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other := free(t)
	tests := map[string]struct{ settings, err string }{
		"a wrong line":             {"clients: []\nlistenrs: []\n", "line 2: listenrs"},
		"an address that is taken": {fmt.Sprintf("listeners:\n  - address: smtp://%s\n  - address: smtp://%s\nclients: [%s]\n", other, taken.Addr(), anyone), "line 3: smtp://" + taken.Addr().String() + ": another program, or another relay, listens there: address already in use"},
		"no users file":            {"users_file: missing\nlisteners: [{address: 'smtp://127.0.0.1:0', policy: auth}]\nclients: [{name: erp, user: erp}]", "line 1: users_file: there is no users file yet, add the first user with "},
		"no certificate":           {"listeners: [{address: 'smtps://127.0.0.1:0', certificate: missing.pem, key: missing.key}]\nclients: [" + anyone + "]", "line 1: smtps://127.0.0.1:0"},
		"no such socket":           {"listeners: [{address: 'smtp://127.0.0.1:0', socket: x}]\nclients: [" + anyone + "]", `line 1: smtp://127.0.0.1:0: the service manager has opened no socket "x"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, local(anyone), with{})
			c := l.dial(localhost).dialogue(hello)
			l.settings(tt.settings)
			if err := l.reload(); err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("reload said %v, want %q", err, tt.err)
			}
			c.dialogue(mailFrom + "S: 250")
			l.dial(localhost).dialogue(hello + mailFrom + "S: 250")
			if conn, err := net.Dial("tcp", other); err == nil {
				conn.Close()
				t.Errorf("%s is open", other)
			}
		})
	}
}

func TestReloadOpensAndClosesListeners(t *testing.T) {
	first, second := free(t), free(t)
	settings := func(entries ...string) string {
		return "listeners:\n  - " + strings.Join(entries, "\n  - ") + "\nclients: [" + anyone + "]\n"
	}
	l := newLab(t, settings("address: smtp://"+first), with{})
	old := l.dial("smtp://" + first).dialogue(hello)
	l.settings(settings("address: smtp://" + second))
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	l.dial("smtp://" + second).dialogue(hello + mailFrom + "S: 250")
	if conn, err := net.Dial("tcp", first); err == nil {
		conn.Close()
		t.Errorf("%s is open", first)
	}
	old.dialogue(mailFrom + "S: 250\nC: RCPT TO:<x@contoso.example>\nS: 250\nC: DATA\nS: 354\nC: .\nS: 250")
	l.settings("listeners: [{address: 'smtp://" + second + "'}]\nclients: [{name: other, networks: [127.0.0.2]}]")
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	old.dialogue(mailFrom + "S: 421 4.3.2 this listener is closed, connect to another one").closed()
	if got := l.codes(); !slices.Equal(got, []string{"relay-listener-removed"}) {
		t.Errorf("refused with %q", got)
	}
}

func TestReloadChangesTheOptionsOfAnOpenSocket(t *testing.T) {
	at := free(t)
	settings := "listeners: [{address: '%s://" + at + "', limits: {size: %s}}]\nclients: [" + anyone + "]\n"
	l := newLab(t, fmt.Sprintf(settings, "smtp", "1 MB"), with{})
	old := l.dial("smtp://" + at).dialogue("S: 220\n")
	l.settings(fmt.Sprintf(settings, "smtps", "2 MB"))
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	old.dialogue("C: EHLO x\nS: 250-relay.contoso.example|250-PIPELINING|250-SIZE 2097152|\n" + mailFrom + "S: 250")
	l.dial("smtps://" + at).dialogue("T:\nS: 220\nC: EHLO x\nS: 250-relay.contoso.example|250-PIPELINING|250-SIZE 2097152|\n" + mailFrom + "S: 250")
}

func TestReloadChangesWhoIsAProxy(t *testing.T) {
	at := free(t)
	settings := "listeners: [{address: 'smtp://" + at + "', policy: ip%s}]\nclients: [" + anyone + "]\n"
	l := newLab(t, fmt.Sprintf(settings, ", proxy_protocol_from: [127.0.0.1]"), with{})
	l.settings(fmt.Sprintf(settings, ""))
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	l.dial("smtp://" + at).dialogue(hello + mailFrom + "S: 250")
}

// Those who were connected before a reload count in the limits after it.
func TestLimitsCountConnectionsFromBeforeAReload(t *testing.T) {
	at := free(t)
	settings := "listeners: [{address: 'smtp://" + at + "', limits: {%s}}]\nclients: [" + anyone + "]\n"
	l := newLab(t, fmt.Sprintf(settings, "commands: 900"), with{})
	old := []*client{l.dial("smtp://" + at).dialogue(hello), l.dial("smtp://" + at).dialogue(hello)}
	for _, limit := range []string{"connections: 2", "connections_per_address: 2"} {
		l.settings(fmt.Sprintf(settings, limit))
		if err := l.reload(); err != nil {
			t.Fatal(err)
		}
		l.dial("smtp://" + at).dialogue("S: 421").closed()
	}
	_ = old[0].conn.Close()
	for l.relay.Connections() > 1 { // its place is free before it is not counted here
		runtime.Gosched()
	}
	l.dial("smtp://" + at).dialogue(hello + mailFrom + "S: 250")
}

func TestReloadUnderLoadRefusesAndCutsNoConnection(t *testing.T) {
	settings := "listeners: [{address: '" + localhost + "', limits: {commands: %d}}]\nclients: [" + anyone + "]\n"
	l := newLab(t, fmt.Sprintf(settings, 1000), with{})
	reloads := 100
	if testing.Short() {
		reloads = 5
	}
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c := l.dial(localhost).dialogue(hello + mailFrom + "S: 250\nC: RSET\nS: 250\nC: QUIT\nS: 221")
				_ = c.conn.Close()
				for l.relay.Connections() > 40 { // those that ended have places of their address until the server knows it
					runtime.Gosched()
				}
			}
		})
	}
	for i := range reloads {
		l.settings(fmt.Sprintf(settings, 900+i))
		if err := l.reload(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	clients.Wait()
	if got := l.codes(); len(got) != 0 {
		t.Errorf("refused with %q", got)
	}
}

func TestReloadAfterTheEnd(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	l.end()
	<-l.result
	if err := l.reload(); err != relay.ErrEnded {
		t.Errorf("reload said %v", err)
	}
}

// A relay that was closed before it came to run starts nothing, and does not wait.
func TestRunAfterTheEnd(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	l.end()
	<-l.result
	if err := l.relay.Run(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestInheritedSocketsAreTaken(t *testing.T) {
	open := func() net.Listener {
		s, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, two := open(), open()
	l := newLab(t, "listeners: [{address: 'smtp://127.0.0.1:25', socket: one}]\nclients: ["+anyone+"]\n", with{relay: relay.Options{
		Inherited: map[string][]net.Listener{"one": {one}, "two": {two}},
	}})
	l.dial("smtp://127.0.0.1:25").dialogue(hello + mailFrom + "S: 250")
	if len(l.warned()) != 1 || !strings.Contains(l.warned()[0], `"two"`) {
		t.Errorf("warned of %q", l.warned())
	}
	// One that was taken for a file that does not hold can be taken again.
	l.settings("listeners: [{address: 'smtp://127.0.0.1:25', socket: one}, {address: 'smtp://127.0.0.1:26', socket: two}, {address: 'smtp://127.0.0.1:27', socket: three}]\nclients: [" + anyone + "]\n")
	if err := l.reload(); err == nil {
		t.Error("a socket that is missing was found")
	}
	l.settings("listeners: [{address: 'smtp://127.0.0.1:25', socket: one}, {address: 'smtp://127.0.0.1:26', socket: two}]\nclients: [" + anyone + "]\n")
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	l.dial("smtp://127.0.0.1:26").dialogue(hello + mailFrom + "S: 250")
}

func TestInheritedSocketThatOthersReachIsNotTakenForLoopback(t *testing.T) {
	s, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, local(anyone), with{relay: relay.Options{Inherited: map[string][]net.Listener{"wide": {s}}}})
	l.settings("listeners: [{address: 'smtp://127.0.0.1:25', socket: wide}]\nclients: [" + anyone + "]\n")
	if err := l.reload(); err == nil || !strings.Contains(err.Error(), "which other hosts can reach") {
		t.Errorf("reload said %v", err)
	}
}

func TestShutdownEndsWithItsGrace(t *testing.T) {
	l := newLab(t, local(anyone), with{relay: relay.Options{Grace: time.Millisecond}})
	l.dial(localhost).dialogue(envelope)
	l.end()
	if err := <-l.result; err != nil {
		t.Error(err)
	}
}

// A signal ends the learning mode as it ends a relay; the end of its time leaves devices
// that are slow their own time.
func TestLearningEndsInItsOwnTimeByItself(t *testing.T) {
	l := newLab(t, local(anyone), with{relay: relay.Options{Grace: time.Nanosecond, Learning: &relay.Learning{Grace: time.Hour}}})
	l.dial(localhost).dialogue(envelope)
	l.end()
	if err := <-l.result; err != nil {
		t.Error(err)
	}
	l = newLab(t, local(anyone), with{relay: relay.Options{Grace: time.Nanosecond, Learning: &relay.Learning{Grace: time.Hour}}})
	waiting := l.dial(localhost).dialogue(hello)
	busy := l.dial(localhost).dialogue(envelope)
	l.endBy(relay.ErrTimeOver)
	waiting.dialogue("S: 421").closed()
	busy.dialogue("C: Subject: x\nC:\nC: .\nS: 250 2.0.0 queued as")
	if err := <-l.result; err != nil {
		t.Error(err)
	}
}

func TestShutdownLetsAMessageComeToItsEnd(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	waiting := l.dial(localhost).dialogue(hello)
	busy := l.dial(localhost).dialogue(envelope)
	l.end()
	waiting.dialogue("S: 421").closed()
	busy.dialogue("C: Subject: x\nC:\nC: .\nS: 250 2.0.0 queued as")
	if err := <-l.result; err != nil {
		t.Error(err)
	}
	if len(l.queued()) != 1 {
		t.Errorf("%d messages are in the outbox", len(l.queued()))
	}
}
