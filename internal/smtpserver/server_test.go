package smtpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// mailbox is what the server under test accepted.
type mailbox struct {
	mu       sync.Mutex
	messages []message
	quirks   []smtpserver.Quirks // of each session that is over
}

type message struct {
	from    string
	to      []string
	content string
}

func (b *mailbox) all() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.messages
}

// session accepts everything; override shapes its replies by verb.
type session struct {
	box      *mailbox
	peer     *smtpserver.Peer
	override map[string]smtpserver.Reply
	current  message
}

func (s *session) reply(verb string, code int, lines ...string) smtpserver.Reply {
	if r, ok := s.override[verb]; ok {
		return r
	}
	return smtpserver.Say(code, lines...)
}

func (s *session) Greeting(context.Context) smtpserver.Reply {
	return s.reply("greeting", 220, "test ready")
}

func (s *session) Hello(_ context.Context, name string, extended bool) smtpserver.Reply {
	if !extended {
		return s.reply("hello", 250, "test")
	}
	if s.peer.TLS() != nil {
		return s.reply("hello", 250, "test Hello "+name, "AUTH TEST")
	}
	return s.reply("hello", 250, "test Hello "+name, "STARTTLS")
}

func (s *session) StartTLS(context.Context) smtpserver.Reply {
	return s.reply("starttls", 220, "2.0.0 go on")
}

func (s *session) Auth(_ context.Context, mechanism string, initial []byte, challenge func([]byte) ([]byte, error)) smtpserver.Reply {
	if mechanism != "TEST" {
		return smtpserver.Say(504, "5.7.4 Unrecognized authentication type")
	}
	if initial == nil {
		var err error
		if initial, err = challenge(nil); err != nil {
			return smtpserver.Reply{}
		}
	}
	if string(initial) != "secret" {
		return smtpserver.Say(535, "5.7.3 no: "+string(initial))
	}
	return s.reply("auth", 235, "2.7.0 yes")
}

func (s *session) Mail(_ context.Context, m smtpserver.Mail) smtpserver.Reply {
	s.current = message{from: m.ReversePath}
	return s.reply("mail", 250, "2.1.0 from <"+m.ReversePath+">")
}

func (s *session) Rcpt(_ context.Context, r smtpserver.Rcpt) smtpserver.Reply {
	s.current.to = append(s.current.to, r.ForwardPath)
	return s.reply("rcpt", 250, "2.1.5 to <"+r.ForwardPath+">")
}

func (s *session) Data(context.Context) smtpserver.Reply { return s.reply("data", 354, "go") }

func (s *session) Content(_ context.Context, r io.Reader) smtpserver.Reply {
	if reply, ok := s.override["unread"]; ok {
		return reply
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return smtpserver.Say(250, "a reply that must not be used")
	}
	s.current.content = string(content)
	s.box.mu.Lock()
	s.box.messages = append(s.box.messages, s.current)
	s.box.mu.Unlock()
	return s.reply("content", 250, fmt.Sprintf("2.0.0 took %d octets", len(content)))
}

func (s *session) Reset() { s.current = message{} }

func (s *session) Quit(context.Context) smtpserver.Reply { return s.reply("quit", 221, "2.0.0 bye") }

func (s *session) Logout() {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.quirks = append(s.box.quirks, s.peer.Quirks())
}

type harness struct {
	box    *mailbox
	server *smtpserver.Server
	addr   string
}

// serve starts a server with o on loopback and ends it with the test.
func serve(t testing.TB, o smtpserver.Options, override map[string]smtpserver.Reply) *harness {
	t.Helper()
	box := &mailbox{}
	o.NewSession = func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
		return &session{box: box, peer: p, override: override}
	}
	return start(t, box, o)
}

// start starts a server whose sessions store into box.
func start(t testing.TB, box *mailbox, o smtpserver.Options) *harness {
	t.Helper()
	h := &harness{box: box}
	h.server = smtpserver.New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		_ = h.server.Close()
		if err := <-done; !errors.Is(err, smtpserver.ErrServerClosed) {
			t.Errorf("Serve: got %v; want ErrServerClosed", err)
		}
	})
	return h
}

// close ends the server: after it all sessions have logged out.
func (h *harness) close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// client speaks raw lines.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (h *harness) dial(t testing.TB) *client {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return newClient(t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client {
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (c *client) write(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatal(err)
	}
}

// want reads lines and compares them whole.
func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		got, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("want %q, got error %v", want, err)
		}
		if got != want+"\r\n" {
			c.t.Fatalf("got %q; want %q", got, want+"\r\n")
		}
	}
}

// dialogue is lines of "C: " and "S: ".
func (c *client) dialogue(script string) {
	c.t.Helper()
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if s, ok := strings.CutPrefix(line+" ", "C: "); ok {
			s = strings.TrimSuffix(s, " ")
			c.write(s + "\r\n")
		} else if s, ok := strings.CutPrefix(line, "S: "); ok {
			c.want(strings.ReplaceAll(s, "␠", " "))
		}
	}
}

// wantClosed checks that the server closes without another word.
func (c *client) wantClosed() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %q, %v; want a closed connection", rest, err)
	}
}

func (c *client) startTLS(config *tls.Config) {
	c.t.Helper()
	c.write("STARTTLS\r\n")
	c.want("220 2.0.0 go on")
	tc := tls.Client(c.conn, config)
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.r = tc, bufio.NewReader(tc)
}
