package smtpserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// selfMade borrows the certificate that net/http has for tests.
func selfMade() *tls.Config {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

func certificate(t testing.TB) *tls.Config {
	t.Helper()
	return selfMade()
}

var trustAll = &tls.Config{InsecureSkipVerify: true}

func TestStartTLS(t *testing.T) {
	h := serve(t, smtpserver.Options{TLSConfig: certificate(t)}, nil)
	c := h.dial(t)
	c.dialogue(opening + envelope)
	c.startTLS(trustAll)
	c.dialogue("C: RCPT TO:<a@b>\nS: 503 5.5.2 Need mail command")
	c.dialogue("C: MAIL FROM:<a@b>\nS: 503 5.5.2 Send hello first")
	c.dialogue("C: EHLO me\nS: 250-test Hello me\nS: 250 AUTH TEST\nC: STARTTLS\nS: 503 5.5.1 Bad sequence of commands")
}

func TestStartTLSInjection(t *testing.T) {
	h := serve(t, smtpserver.Options{TLSConfig: certificate(t)}, nil)
	c := h.dial(t)
	c.dialogue(opening)
	c.write("STARTTLS\r\nMAIL FROM:<injected@contoso.example>\r\n")
	c.want("554 5.5.1 Data after STARTTLS, closing transmission channel")
	c.wantClosed()
}

func TestImplicitTLS(t *testing.T) {
	h := serve(t, smtpserver.Options{TLSConfig: certificate(t), ImplicitTLS: true}, nil)
	conn, err := tls.Dial("tcp", h.addr, trustAll)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := io.ReadAll(io.LimitReader(conn, 16))
	if err != nil || string(got) != "220 test ready\r\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLongLines(t *testing.T) {
	h := serve(t, smtpserver.Options{MaxLine: 512, MaxResponse: 8000}, nil)
	c := h.dial(t)
	c.dialogue(opening)
	c.write("NOOP " + strings.Repeat("x", 505) + "\r\nNOOP " + strings.Repeat("x", 506) + "\r\n")
	c.want("250 2.0.0 OK", "500 5.5.2 Line too long")
	c.write("AUTH TEST " + strings.Repeat("A", 40_000) + "\r\n")
	c.want("500 5.5.2 Line too long")
	// The two-step form takes what one line cannot.
	c.write("AUTH TEST\r\n" + strings.Repeat("QUFB", 1900) + "\r\n")
	c.want("334 ", "535 5.7.3 no: "+strings.Repeat("AAA", 1900))
	c.write("AUTH TEST\r\n" + strings.Repeat("QUFB", 2100) + "\r\n")
	c.want("334 ", "500 5.5.2 Line too long")
	c.dialogue("C: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes")
}

func TestLineWithoutEndIsCut(t *testing.T) {
	h := serve(t, smtpserver.Options{}, nil)
	c := h.dial(t)
	c.want("220 test ready")
	chunk := strings.Repeat("x", 64<<10)
	for range 64 {
		if _, err := io.WriteString(c.conn, chunk); err != nil {
			return
		}
	}
	if rest, err := io.ReadAll(c.r); err == nil && len(rest) > 0 {
		t.Errorf("got %q; want a closed connection", rest)
	}
}

func TestUnauthenticatedClientsAreCutEarly(t *testing.T) {
	t.Run("by commands", func(t *testing.T) {
		c := serve(t, smtpserver.Options{UnauthenticatedCommands: 2}, nil).dial(t)
		c.dialogue("S: 220 test ready\nC: NOOP\nS: 250 2.0.0 OK\nC: NOOP\nS: 250 2.0.0 OK\nC: NOOP")
		c.want("421 4.7.0 Too many commands without authentication, closing transmission channel")
		c.wantClosed()
	})
	t.Run("by time, in spite of traffic", func(t *testing.T) {
		o := smtpserver.Options{UnauthenticatedTimeout: 200 * time.Millisecond, UnauthenticatedCommands: 1 << 30}
		c := serve(t, o, nil).dial(t)
		c.want("220 test ready")
		for {
			_, _ = io.WriteString(c.conn, "NOOP\r\n")
			line, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatalf("got %v before the 421", err)
			}
			if line == "421 4.4.1 Connection timed out\r\n" {
				return
			}
		}
	})
	t.Run("by time, in spite of an octet now and then", func(t *testing.T) {
		c := serve(t, smtpserver.Options{UnauthenticatedTimeout: 200 * time.Millisecond}, nil).dial(t)
		c.want("220 test ready")
		for {
			_, _ = io.WriteString(c.conn, "x")
			_ = c.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.r.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			_ = c.conn.SetReadDeadline(time.Time{})
			c.want("421 4.4.1 Connection timed out")
			return
		}
	})
	t.Run("not after MAIL or AUTH", func(t *testing.T) {
		o := smtpserver.Options{UnauthenticatedCommands: 2}
		c := serve(t, o, nil).dial(t)
		c.dialogue(opening + envelope + "C: NOOP\nS: 250 2.0.0 OK\nC: NOOP\nS: 250 2.0.0 OK")
		c = serve(t, o, nil).dial(t)
		c.dialogue(opening + "C: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes\nC: NOOP\nS: 250 2.0.0 OK\nC: NOOP\nS: 250 2.0.0 OK")
	})
}

func TestPipelinedGroupIsAnsweredInOneWrite(t *testing.T) {
	h := serve(t, smtpserver.Options{}, nil)
	c := h.dial(t)
	c.dialogue(opening)
	c.write("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n")
	want := "250 2.1.0 from <a@b>\r\n250 2.1.5 to <c@d>\r\n250 2.1.5 to <e@f>\r\n354 go\r\n"
	buf := make([]byte, len(want)+1)
	// One read sees all of them only when they came in one segment.
	if n, err := c.conn.Read(buf); err != nil || string(buf[:n]) != want {
		t.Errorf("got %q, %v; want %q", buf[:n], err, want)
	}
	c.write("x\r\n.\r\nMAIL FROM:<g@h>\r\nRCPT TO:<i@j>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n")
	c.want("250 2.0.0 took 3 octets", "250 2.1.0 from <g@h>", "250 2.1.5 to <i@j>", "354 go", "250 2.0.0 took 3 octets", "221 2.0.0 bye")
	c.wantClosed()
}

func TestShapedReplies(t *testing.T) {
	tests := map[string]struct {
		verb   string
		reply  smtpserver.Reply
		script string
		rest   string // what comes then, up to the end
	}{
		"greeting refused":      {"greeting", smtpserver.Say(554, "no"), "", "554 no\r\n"},
		"greeting without text": {"greeting", smtpserver.Say(421), "", "421\r\n"},
		"half a line":           {"mail", smtpserver.Reply{Raw: []byte("250-2.1"), Close: true}, opening + "C: MAIL FROM:<a>", "250-2.1"},
		"nothing":               {"mail", smtpserver.Reply{Raw: []byte{}, Close: true}, opening + "C: MAIL FROM:<a>", ""},
		"several lines":         {"mail", smtpserver.Say(421, "a\nb\r", "c").ThenClose(), opening + "C: MAIL FROM:<a>", "421-a\r\n421-b\r\n421 c\r\n"},
		"swallowed reply":       {"mail", smtpserver.Reply{Code: 250, Raw: []byte{}}, opening + "C: MAIL FROM:<a>\nC: RCPT TO:<b>\nC: QUIT", "250 2.1.5 to <b>\r\n221 2.0.0 bye\r\n"},
		"closed inside content": {"unread", smtpserver.Reply{Raw: []byte{}, Close: true}, opening + envelope + "C: DATA\nS: 354 go\nC: x", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, smtpserver.Options{}, map[string]smtpserver.Reply{tt.verb: tt.reply}).dial(t)
			c.dialogue(tt.script)
			_ = c.conn.(*net.TCPConn).CloseWrite()
			if rest, err := io.ReadAll(c.r); err != nil || string(rest) != tt.rest {
				t.Errorf("got %q, %v; want %q", rest, err, tt.rest)
			}
		})
	}
}

func TestReset(t *testing.T) {
	c := serve(t, smtpserver.Options{}, map[string]smtpserver.Reply{"mail": {Reset: true, Raw: []byte{}}}).dial(t)
	c.dialogue(opening + "C: MAIL FROM:<a>")
	if _, err := c.r.ReadByte(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v; want a reset", err)
	}
}

func TestConnectionsOverTheMaximum(t *testing.T) {
	h := serve(t, smtpserver.Options{MaxConnections: 2}, nil)
	first, second := h.dial(t), h.dial(t)
	first.want("220 test ready")
	second.want("220 test ready")
	third := h.dial(t)
	third.want("421 4.3.2 Too many connections, try again later")
	third.wantClosed()
	first.dialogue("C: NOOP\nS: 250 2.0.0 OK")
}

func TestShutdown(t *testing.T) {
	h := serve(t, smtpserver.Options{}, nil)
	idle, busy := h.dial(t), h.dial(t)
	idle.dialogue(opening)
	busy.dialogue(opening + envelope + "C: DATA\nS: 354 go")
	done := make(chan error, 1)
	go func() { done <- h.server.Shutdown(context.Background()) }()
	idle.want("421 4.3.2 Service not available, closing transmission channel")
	idle.wantClosed()
	busy.dialogue("C: x\nC: .\nS: 250 2.0.0 took 3 octets")
	busy.want("421 4.3.2 Service not available, closing transmission channel")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", h.addr); err == nil {
		t.Error("a new connection was accepted")
	}
	if got := h.box.all(); len(got) != 1 {
		t.Errorf("stored %d messages; want 1", len(got))
	}
}

func TestShutdownCutsWhatTakesTooLong(t *testing.T) {
	h := serve(t, smtpserver.Options{}, nil)
	busy := h.dial(t)
	busy.dialogue(opening + envelope + "C: DATA\nS: 354 go\nC: x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want context.Canceled", err)
	}
	if got := h.box.all(); len(got) != 0 {
		t.Errorf("stored %+v", got)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	s := smtpserver.New(smtpserver.Options{NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
		return &session{box: &mailbox{}, peer: p}
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &harness{addr: l.Addr().String()}
	go func() {
		c := h.dial(t)
		c.want("220 test ready")
		cancel()
	}()
	if err := s.Serve(ctx, l); !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Errorf("got %v; want ErrServerClosed", err)
	}
}

// pipes is a listener without file descriptors, so that connections can be many.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestTenThousandConnections(t *testing.T) {
	const many = 10_000
	box := &mailbox{}
	s := smtpserver.New(smtpserver.Options{
		MaxConnections: many,
		NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
			return &session{box: box, peer: p}
		},
	})
	l := newPipes()
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	before := memory()
	clients := make([]net.Conn, many)
	greeting := make([]byte, len("220 test ready\r\n"))
	for i := range clients {
		ours, theirs := net.Pipe()
		clients[i] = ours
		l.conns <- theirs
		if _, err := io.ReadFull(ours, greeting); err != nil || string(greeting) != "220 test ready\r\n" {
			t.Fatalf("connection %d: got %q, %v", i, greeting, err)
		}
	}
	if each := (memory() - before) / many; each > 32<<10 {
		t.Errorf("a connection holds %d octets; want at most 32 KiB", each)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-served
	for i, c := range clients {
		if _, err := c.Read(greeting); !errors.Is(err, io.EOF) {
			t.Fatalf("connection %d: got %v; want io.EOF", i, err)
		}
	}
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// A path that a session keeps does not keep the line it came in, which may have 32 KiB.
func TestAPathDoesNotKeepItsLine(t *testing.T) {
	h := serve(t, smtpserver.Options{}, nil)
	c := h.dial(t)
	c.dialogue(opening + "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>")
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 500 {
		c.dialogue("C: RCPT TO:<a@b> ORCPT=" + strings.Repeat("x", 30_000) + "\nS: 250 2.1.5 to <a@b>")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 5<<20 {
		t.Errorf("500 recipients take %d octets", grown)
	}
}
