package relay_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(certificates())
		os.Exit(code)
	}))
}

// certificates is the directory of the self-made certificate that all tests show: making
// one takes long.
var certificates = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		panic(err)
	}
	return dir
})

// lab is a relay with its outbox, in a directory.
type lab struct {
	t     testing.TB
	dir   string
	box   *outbox.Outbox
	relay *relay.Relay
	file  string

	mu       sync.Mutex
	refusals []event.Refusal
	visits   []event.Visit
	warnings []string
	log      strings.Builder
	told     chan event.Refusal
	left     chan struct{} // gets one for each visit
	end      context.CancelFunc
	endBy    context.CancelCauseFunc
	result   chan error
}

// with changes what a lab is made with.
type with struct {
	outbox outbox.Options
	relay  relay.Options
	users  string // lines of the users file
	dir    string // of the outbox; "" = a new one
}

// newLab starts a relay with the settings, which end in the entries of the file.
func newLab(t testing.TB, settings string, w with) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), left: make(chan struct{}, 10_000), told: make(chan event.Refusal, 10_000), result: make(chan error, 1)}
	l.file = filepath.Join(l.dir, "relay.yaml")
	l.write("users", w.users)
	l.settings(settings)
	var err error
	w.outbox.AnyFileSystem = true
	if w.outbox.Reserve == 0 {
		w.outbox.Reserve = -1
	}
	if l.box, err = outbox.Open(t.Context(), cmp.Or(w.dir, filepath.Join(l.dir, "state")), w.outbox); err != nil {
		t.Fatal(err)
	}
	o := relay.Hurried(w.relay)
	o.Outbox, o.Hostname, o.CertificateDir = l.box, "relay.contoso.example", certificates()
	o.Read = func(ctx context.Context) (*relayfile.File, error) { return relayfile.Read(ctx, l.file) }
	o.Logger = slog.New(slog.NewTextHandler(lockedWriter{l}, nil))
	o.Warn = func(text string) { l.note(func() { l.warnings = append(l.warnings, text) }) }
	o.Refused = func(r event.Refusal) {
		l.note(func() { l.refusals = append(l.refusals, r) })
		l.told <- r
	}
	o.Visited = func(v event.Visit) {
		l.note(func() { l.visits = append(l.visits, v) })
		l.left <- struct{}{}
	}
	if l.relay, err = relay.New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	l.end, l.endBy = func() { cancel(nil) }, cancel
	go func() { l.result <- l.relay.Run(ctx) }()
	t.Cleanup(func() {
		cancel(nil)
		l.relay.Close()
		if err := l.box.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *lab) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

type lockedWriter struct{ l *lab }

func (w lockedWriter) Write(p []byte) (n int, err error) {
	w.l.note(func() { n, err = w.l.log.Write(p) })
	return n, err
}

func (l *lab) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// settings writes the settings file.
func (l *lab) settings(text string) { l.t.Helper(); l.write("relay.yaml", text) }

// reload reads it.
func (l *lab) reload() error { return l.relay.Reload(l.t.Context()) }

// codes are those of all refusals up to now.
func (l *lab) codes() (codes []string) {
	l.note(func() {
		for _, r := range l.refusals {
			codes = append(codes, string(r.Code))
		}
	})
	return codes
}

// queued are the messages of the outbox.
func (l *lab) queued() []operator.Detail {
	l.t.Helper()
	list, err := operator.History(l.t.Context(), l.box, operator.Filter{Oldest: true})
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

// content is that of the only message of the outbox.
func (l *lab) content() string {
	l.t.Helper()
	list := l.queued()
	if len(list) != 1 {
		l.t.Fatalf("%d messages are in the outbox", len(list))
	}
	body, err := l.box.Body(l.t.Context(), list[0].QID)
	if err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// client is one at a listener of the lab.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// dial connects to a listener by its address in the file, without reading.
func (l *lab) dial(address string) *client {
	l.t.Helper()
	at := l.relay.Addr(address)
	if at == nil {
		l.t.Fatalf("nothing listens at %s", address)
	}
	conn, err := net.Dial(at.Network(), strings.Replace(at.String(), "[::]", "127.0.0.1", 1))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	return newClient(l.t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client { return &client{t, conn, bufio.NewReader(conn)} }

// startTLS puts TLS over the connection.
func (c *client) startTLS() *client {
	c.t.Helper()
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
	return c
}

// reply reads one, its lines joined by "|".
func (c *client) reply() string {
	c.t.Helper()
	var lines []string
	for {
		text, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("reading a reply after %q: %v", lines, err)
		}
		lines = append(lines, strings.TrimSuffix(text, "\r\n"))
		if len(text) < 4 || text[3] != '-' {
			return strings.Join(lines, "|")
		}
	}
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// dialogue speaks lines "C: ..." and compares the replies with "S: ...", which begin so. A
// line "T:" puts TLS over the connection.
func (c *client) dialogue(script string) *client {
	c.t.Helper()
	for text := range strings.Lines(script) {
		text = strings.TrimSuffix(strings.TrimLeft(text, " \t\n"), "\n")
		switch {
		case text == "":
		case text == "T:":
			c.startTLS()
		case strings.HasPrefix(text, "C:"):
			c.write(strings.TrimPrefix(strings.TrimPrefix(text, "C:"), " ") + "\r\n")
		default:
			want := strings.TrimPrefix(text, "S: ")
			if got := c.reply(); !strings.HasPrefix(got, want) {
				c.t.Errorf("reply %q, want %q", got, want)
			}
		}
	}
	return c
}

// closed waits for the end of the connection by the server.
func (c *client) closed() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 {
		c.t.Errorf("the server said %q (%v), want the end", rest, err)
	}
}

// leave closes the connection and waits for the end of the visit.
func (l *lab) leave(c *client) event.Visit {
	l.t.Helper()
	_ = c.conn.Close()
	<-l.left
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.visits[len(l.visits)-1]
}

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// exchange is a stand-in of Exchange Online.
type exchange struct {
	*sandbox.Sandbox
	roots *x509.CertPool
}

func newExchange(t *testing.T, o sandbox.Options) *exchange {
	t.Helper()
	o.SigningKey = signingKey()
	box, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	e := &exchange{box, x509.NewCertPool()}
	e.roots.AppendCertsFromPEM(box.CAPEM())
	return e
}

func (e *exchange) Token(ctx context.Context) (bearer.Token, error) {
	source := entra.New(entra.Options{
		TokenURL: strings.ReplaceAll(e.TokenEndpoint(), "#TenantID#", e.TenantID()), ClientID: e.ClientID(),
		Credential: entra.Secret(secret.New(e.ClientSecret())), Scopes: []string{"https://outlook.office365.com/.default"},
		HTTPClient: entra.NewHTTPClient(e.roots, nil),
	})
	token, err := source.Token(ctx)
	if err != nil {
		return bearer.Token{}, err
	}
	return bearer.Token{Access: secret.New(token.AccessToken)}, nil
}

func (e *exchange) Invalidate(bearer.Token) {}

func (e *exchange) connection(mailbox string) (session.Options, error) {
	host, port, err := net.SplitHostPort(e.SMTPAddr())
	if err != nil {
		return session.Options{}, err
	}
	n, err := strconv.Atoi(port)
	return session.Options{Host: host, Port: n, RootCAs: e.roots, Mailbox: mailbox, Tokens: e}, err
}

// courier submits what is due in the lab's outbox to e.
func (l *lab) courier(e *exchange) {
	l.t.Helper()
	sender, _, err := l.box.Lock(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	if err := courier.Run(l.t.Context(), l.box, sender, courier.Options{Due: true, Connection: e.connection}); err != nil {
		l.t.Error(err)
	}
	if err := sender.Release(); err != nil {
		l.t.Error(err)
	}
}

const localhost = "smtp://127.0.0.1:0"

// local are settings with one listener on loopback, and its clients.
func local(clients ...string) string {
	return fmt.Sprintf("listeners: [{address: %q}]\nclients:\n  - %s\n", localhost, strings.Join(clients, "\n  - "))
}

const anyone = `{name: this-host, networks: [127.0.0.0/8]}`

// first is the address of the first listener.
func (l *lab) first() string {
	l.t.Helper()
	f, err := relayfile.Read(l.t.Context(), l.file)
	if err != nil {
		l.t.Fatal(err)
	}
	return f.Listeners[0].Address.String()
}

// events, visited, warned and logged are what was told up to now.
func (l *lab) events() (list []event.Refusal) {
	l.note(func() { list = slices.Clone(l.refusals) })
	return list
}

func (l *lab) visited() (list []event.Visit) {
	l.note(func() { list = slices.Clone(l.visits) })
	return list
}

func (l *lab) warned() (list []string) {
	l.note(func() { list = slices.Clone(l.warnings) })
	return list
}

func (l *lab) logged() (text string) {
	l.note(func() { text = l.log.String() })
	return text
}
