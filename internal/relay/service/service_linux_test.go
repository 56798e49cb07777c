package service_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/control"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/service"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a service with a sandbox and a supervisor.
type lab struct {
	t          *testing.T
	dir        string
	exchange   *sandbox.Sandbox
	roots      *x509.CertPool
	box        *outbox.Outbox
	relay      *relay.Relay
	supervisor *net.UnixConn
	log        chan string // lines
	hangup     chan os.Signal
	options    service.Options
}

const settings = "listeners: [{address: 'smtp://127.0.0.1:0'}]\nclients: [{name: here, networks: [127.0.0.1]}]\n"

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabIn(t, t.TempDir())
}

func newLabIn(t *testing.T, dir string) *lab {
	t.Helper()
	l := &lab{t: t, dir: dir, roots: x509.NewCertPool(), log: make(chan string, 1000), hangup: make(chan os.Signal)}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if l.exchange, err = sandbox.Start(t.Context(), sandbox.Options{SigningKey: key}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.exchange.Close() })
	l.roots.AppendCertsFromPEM(l.exchange.CAPEM())
	if l.box, err = outbox.Open(t.Context(), filepath.Join(l.dir, "state"), outbox.Options{AnyFileSystem: true, Reserve: -1, LockWait: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.box.Close() })
	l.write(settings)
	l.relay, err = relay.New(t.Context(), relay.Options{
		Outbox: l.box, Hostname: "relay.contoso.example",
		Read: func(ctx context.Context) (*relayfile.File, error) { return relayfile.Read(ctx, l.dir+"/relay.yaml") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.relay.Close)
	l.options = service.Options{
		Relay: l.relay, Outbox: l.box, Courier: courier.Options{Connection: l.connection}, Hangup: l.hangup,
		Logger: slog.New(slog.NewTextHandler(l, nil)), LockPause: time.Millisecond, StatusPause: time.Millisecond,
	}
	return l
}

// Write gets lines of the log.
func (l *lab) Write(p []byte) (int, error) {
	l.log <- string(p)
	return len(p), nil
}

func (l *lab) write(text string) {
	l.t.Helper()
	if err := os.WriteFile(l.dir+"/relay.yaml", []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// supervise makes the test the service manager, which looks after the service.
func (l *lab) supervise(watchdog time.Duration) {
	l.t.Helper()
	at := filepath.Join(l.dir, "notify")
	var err error
	if l.supervisor, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: at}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { l.supervisor.Close() })
	l.t.Setenv("NOTIFY_SOCKET", at)
	if watchdog != 0 {
		l.t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	}
	if l.options.Supervisor, err = sdnotify.Environment(); err != nil {
		l.t.Fatal(err)
	}
}

// until reads what the supervisor is told, up to a message with all the texts.
func (l *lab) until(texts ...string) {
	l.t.Helper()
	buf := make([]byte, 4<<10)
	for {
		n, err := l.supervisor.Read(buf)
		if err != nil {
			l.t.Fatal(err)
		}
		found := true
		for _, text := range texts {
			found = found && strings.Contains(string(buf[:n]), text)
		}
		if found {
			return
		}
	}
}

// logged reads the log up to a line with the text.
func (l *lab) logged(text string) string {
	l.t.Helper()
	for line := range l.log {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// start runs the service. stop ends it and returns its error.
func (l *lab) start() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- service.Run(ctx, l.options) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	l.t.Cleanup(func() { _ = stop() })
	return stop
}

// send sends a message as Go's own client does.
func (l *lab) send(subject string) {
	l.t.Helper()
	err := smtp.SendMail(l.relay.Addr("smtp://127.0.0.1:0").String(), nil, "a@contoso.example", []string{"x@contoso.example"}, []byte("Subject: "+subject+"\r\n\r\ntext\r\n"))
	if err != nil {
		l.t.Fatal(err)
	}
}

// arrived waits for so many messages at Exchange.
func (l *lab) arrived(n int) {
	l.t.Helper()
	if err := l.exchange.Inbox().Wait(l.t.Context(), n); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) Token(ctx context.Context) (bearer.Token, error) {
	source := entra.New(entra.Options{
		TokenURL: strings.ReplaceAll(l.exchange.TokenEndpoint(), "#TenantID#", l.exchange.TenantID()), ClientID: l.exchange.ClientID(),
		Credential: entra.Secret(secret.New(l.exchange.ClientSecret())), Scopes: []string{"https://outlook.office365.com/.default"},
		HTTPClient: entra.NewHTTPClient(l.roots, nil),
	})
	token, err := source.Token(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(token.AccessToken)}, nil
}

func (l *lab) Invalidate(bearer.Token) {}

func (l *lab) connection(mailbox string) (session.Options, error) {
	host, port, err := net.SplitHostPort(l.exchange.SMTPAddr())
	if err != nil {
		return session.Options{}, err
	}
	n, err := strconv.Atoi(port)
	return session.Options{Host: host, Port: n, RootCAs: l.roots, Mailbox: mailbox, Tokens: l}, err
}

func TestServiceSubmitsAndLogsTheOutcome(t *testing.T) {
	l := newLab(t)
	stop := l.start()
	l.send("one")
	l.arrived(1)
	line := l.logged("msg=attempt")
	for _, part := range []string{"mail_id=" + string(l.box.Tag()) + "-1", "mailbox=a@contoso.example", "outcome=accepted", "attempt=1", "recipients=1", `reply="250 2.0.0 OK`} {
		if !strings.Contains(line, part) {
			t.Errorf("%q is missing in %s", part, line)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServiceTakesMailWhileAnotherSubmits(t *testing.T) {
	l := newLab(t)
	sender, _, err := l.box.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.start()
	l.logged("another process submits from this outbox")
	l.send("one")
	if err := sender.Release(); err != nil {
		t.Fatal(err)
	}
	l.arrived(1)
}

// Another program keeps the database locked when the relay starts: it goes on, and submits
// when it can.
func TestServiceWaitsForALockOfAnotherProgram(t *testing.T) {
	l := newLab(t)
	l.queue()
	db, err := sql.Open("sqlite", filepath.Join(l.dir, "state", "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.do(other, "BEGIN IMMEDIATE")
	l.start()
	l.logged("nothing is submitted for now, which is tried again: ")
	l.do(other, "ROLLBACK")
	l.arrived(1)
}

// queue puts a message into the outbox before the relay takes any.
func (l *lab) queue() {
	l.t.Helper()
	_, _, err := l.box.Accept(l.t.Context(), spool.Message{
		Mailbox: "a@contoso.example", MessageID: "<1@contoso.example>",
		Envelope: mailobject.Envelope{ReversePath: "a@contoso.example", ForwardPaths: []string{"x@contoso.example"}},
	}, strings.NewReader("From: a@contoso.example\r\n\r\nx\r\n"))
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) do(conn *sql.Conn, statement string) {
	l.t.Helper()
	if _, err := conn.ExecContext(l.t.Context(), statement); err != nil {
		l.t.Fatal(err)
	}
}

// The disk gets full after a message was taken: the relay goes on, and submits it when
// there is room again.
func TestServiceWaitsForRoom(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("service-test", dir, "tmpfs", 0, "size=4m,mode=0700"); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	l := newLabIn(t, dir)
	l.queue()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	l.start()
	l.logged("nothing is submitted for now, which is tried again: ")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	l.arrived(1)
}

func TestServiceManagerIsTold(t *testing.T) {
	l := newLab(t)
	l.supervise(0)
	l.options.KeepOnly = true
	stop := l.start()
	l.until("READY=1", "STATUS=0 connections, 0 messages wait")
	l.send("one")
	l.until("STATUS=", "1 messages wait")
	l.hangup <- syscall.SIGHUP
	l.until("RELOADING=1", "MONOTONIC_USEC=")
	l.until("READY=1")
	l.logged("the settings were read again")
	l.write("nothing: true\n")
	l.hangup <- syscall.SIGHUP
	l.until("RELOADING=1")
	l.until("READY=1", "the settings were not taken")
	if line := l.logged("level=ERROR"); !strings.Contains(line, "line 1: nothing") {
		t.Errorf("said %s", line)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	l.until("STOPPING=1")
}

func TestServiceThatDoesNotAnswerIsNotCalledAlive(t *testing.T) {
	l := newLab(t)
	l.supervise(400 * time.Millisecond)
	l.options.KeepOnly = true
	l.start()
	l.until("WATCHDOG=1")
	l.relay.Close()
	l.logged("this relay does not answer itself")
}

func TestReloadIsAskedFor(t *testing.T) {
	l := newLab(t)
	state := filepath.Join(l.dir, "state")
	var err error
	if l.options.Control, err = control.Listen(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	stop := l.start()
	if err := control.Ask(t.Context(), state, control.Reload); err != nil {
		t.Error(err)
	}
	l.write(settings + "hostnam: x\n")
	if err := control.Ask(t.Context(), state, control.Reload); err == nil || !strings.Contains(err.Error(), "line 3: hostnam") {
		t.Errorf("the relay said %v", err)
	}
	if err := control.Ask(t.Context(), state, "dance"); err == nil || err.Error() != `this relay does not know what "dance" is` {
		t.Errorf("the relay said %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := control.Ask(t.Context(), state, control.Reload); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}
