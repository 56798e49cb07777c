package smtpserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// ended is what a server told of a session.
type ended struct {
	smtpserver.Broken
	remote string
	quirks smtpserver.Quirks
}

// watched is a server that tells how sessions end.
func watched(t *testing.T, o smtpserver.Options, override map[string]smtpserver.Reply) (*harness, chan ended) {
	t.Helper()
	told := make(chan ended, 10)
	o.Broken = func(p *smtpserver.Peer, b smtpserver.Broken) {
		told <- ended{b, p.RemoteAddr().String(), p.Quirks()}
	}
	return serve(t, o, override), told
}

func next(t *testing.T, told chan ended) ended {
	t.Helper()
	select {
	case e := <-told:
		return e
	case <-time.After(time.Minute):
		t.Fatal("nothing was told")
		return ended{}
	}
}

func TestBrokenSessionsAreTold(t *testing.T) {
	const first = opening + envelope
	for name, tt := range map[string]struct {
		options smtpserver.Options
		script  string
		cut     bool // the client closes
		want    smtpserver.Broken
	}{
		"idle":                       {smtpserver.Options{IdleTimeout: 50 * time.Millisecond}, first, false, smtpserver.Broken{Cause: smtpserver.CauseIdle, LastVerb: "RCPT"}},
		"not admitted in time":       {smtpserver.Options{UnauthenticatedTimeout: 50 * time.Millisecond}, "S: 220 test ready", false, smtpserver.Broken{Cause: smtpserver.CauseUnauthenticated}},
		"commands without admission": {smtpserver.Options{UnauthenticatedCommands: 1}, "S: 220 test ready\nC: NOOP\nS: 250 2.0.0 OK\nC: EHLO me", false, smtpserver.Broken{Cause: smtpserver.CauseCommands, LastVerb: "NOOP"}},
		"errors": {smtpserver.Options{MaxErrors: 2}, "S: 220 test ready\nC: MAKE MONEY\nS: 500 5.3.3 Unrecognized command\nC: MAIL", false,
			smtpserver.Broken{Cause: smtpserver.CauseErrors, LastVerb: "MAIL", LastRefusal: "503 5.5.2 Send hello first"}},
		"closed":                         {smtpserver.Options{}, opening, true, smtpserver.Broken{Cause: smtpserver.CauseClosed, LastVerb: "EHLO"}},
		"closed after a message":         {smtpserver.Options{}, first + "C: DATA\nS: 354 go\nC: .\nS: 250 2.0.0 took 0 octets", true, smtpserver.Broken{Cause: smtpserver.CauseClosed, LastVerb: "DATA", Accepted: 1}},
		"closed inside content":          {smtpserver.Options{}, first + "C: DATA\nS: 354 go\nC: half", true, smtpserver.Broken{Cause: smtpserver.CauseContentCut, LastVerb: "DATA"}},
		"silent inside content":          {smtpserver.Options{IdleTimeout: 50 * time.Millisecond}, first + "C: DATA\nS: 354 go\nC: half", false, smtpserver.Broken{Cause: smtpserver.CauseContentCut, LastVerb: "DATA"}},
		"closed between chunks":          {smtpserver.Options{}, first + "C: BDAT 0\nS: 250 2.6.0 CHUNK received OK, 0 octets", true, smtpserver.Broken{Cause: smtpserver.CauseContentCut, LastVerb: "BDAT"}},
		"malformed chunk":                {smtpserver.Options{}, first + "C: BDAT x", false, smtpserver.Broken{Cause: smtpserver.CauseChunk, LastVerb: "BDAT"}},
		"content without end":            {smtpserver.Options{MaxMessageBytes: 1}, first + "C: DATA\nS: 354 go\nC: " + strings.Repeat("x", 600), false, smtpserver.Broken{Cause: smtpserver.CauseContentSize, LastVerb: "DATA"}},
		"QUIT":                           {smtpserver.Options{}, opening + "C: QUIT\nS: 221 2.0.0 bye", false, smtpserver.Broken{}},
		"content given up goes on":       {smtpserver.Options{}, first + "C: BDAT 0\nS: 250 2.6.0 CHUNK received OK, 0 octets\nC: RSET\nS: 250 2.0.0 Resetting\nC: QUIT\nS: 221 2.0.0 bye", false, smtpserver.Broken{}},
		"TLS where none is":              {smtpserver.Options{}, "S: 220 test ready\nC: \x16\x03\x01\x02", true, smtpserver.Broken{Cause: smtpserver.CauseTLSUnexpected, LastRefusal: "501 5.5.4 Invalid arguments"}},
		"a line that is closed half-way": {smtpserver.Options{}, "S: 220 test ready\nc: NO", true, smtpserver.Broken{Cause: smtpserver.CauseLost}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, told := watched(t, tt.options, nil)
			c := h.dial(t)
			script, half, _ := strings.Cut(tt.script, "c: ")
			c.dialogue(script)
			c.write(half)
			if tt.cut {
				_ = c.conn.Close()
			} else if _, err := io.ReadAll(c.r); err != nil {
				t.Error(err)
			}
			if tt.want.Cause == "" {
				h.close(t)
				if len(told) > 0 {
					t.Errorf("told %+v", <-told)
				}
				return
			}
			got := next(t, told)
			if got.Cause == smtpserver.CauseContentCut && got.Err == nil {
				t.Error("the error of the connection is missing")
			}
			if got.remote != c.conn.LocalAddr().String() {
				t.Errorf("told of %s", got.remote)
			}
			if got.Err = nil; got.Broken != tt.want {
				t.Errorf("got %+v; want %+v", got.Broken, tt.want)
			}
			h.close(t)
			if len(told) > 0 {
				t.Errorf("told twice: %+v", <-told)
			}
		})
	}
}

func TestBrokenHandshakesAreTold(t *testing.T) {
	modern := certificate(t)
	modern.MinVersion = tls.VersionTLS12
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, ServerName: "relay.example"}
	t.Run("a version that is too old", func(t *testing.T) {
		h, told := watched(t, smtpserver.Options{TLSConfig: modern, ImplicitTLS: true}, nil)
		if c, err := tls.Dial("tcp", h.addr, old); err == nil {
			_ = c.Close()
			t.Fatal("TLS 1.1 was accepted")
		}
		got := next(t, told)
		if got.Cause != smtpserver.CauseHandshake || got.Err == nil || got.Offer == nil {
			t.Fatalf("got %+v", got)
		}
		if !slices.Equal(got.Offer.Versions, []uint16{tls.VersionTLS11, tls.VersionTLS10}) || got.Offer.ServerName != "relay.example" || len(got.Offer.CipherSuites) == 0 {
			t.Errorf("got %+v", got.Offer)
		}
	})
	t.Run("after STARTTLS", func(t *testing.T) {
		h, told := watched(t, smtpserver.Options{TLSConfig: modern}, nil)
		c := h.dial(t)
		c.dialogue(opening + "C: STARTTLS\nS: 220 2.0.0 go on")
		if err := tls.Client(c.conn, old).Handshake(); err == nil {
			t.Fatal("TLS 1.1 was accepted")
		}
		if got := next(t, told); got.Cause != smtpserver.CauseHandshake || got.Offer == nil || got.LastVerb != "STARTTLS" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("in clear", func(t *testing.T) {
		h, told := watched(t, smtpserver.Options{TLSConfig: modern, ImplicitTLS: true}, nil)
		c := h.dial(t)
		c.write("EHLO me\r\n")
		if got := next(t, told); got.Cause != smtpserver.CauseTLSExpected || got.Offer != nil {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("commands together with STARTTLS", func(t *testing.T) {
		h, told := watched(t, smtpserver.Options{TLSConfig: modern}, nil)
		c := h.dial(t)
		c.dialogue(opening)
		c.write("STARTTLS\r\nNOOP\r\n")
		if got := next(t, told); got.Cause != smtpserver.CauseInjected {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("whole", func(t *testing.T) {
		h, told := watched(t, smtpserver.Options{TLSConfig: modern}, nil)
		c := h.dial(t)
		c.dialogue(opening)
		c.startTLS(trustAll)
		_ = c.conn.Close()
		if got := next(t, told); got.Cause != smtpserver.CauseClosed || got.Offer != nil {
			t.Errorf("got %+v", got)
		}
	})
}

func TestEndOfTheServerBreaksNoSession(t *testing.T) {
	h, told := watched(t, smtpserver.Options{}, nil)
	idle, busy := h.dial(t), h.dial(t)
	idle.dialogue(opening)
	busy.dialogue(opening + envelope + "C: DATA\nS: 354 go\nC: half")
	if err := h.server.Close(); err != nil {
		t.Error(err)
	}
	if len(told) > 0 {
		t.Errorf("told %+v", <-told)
	}
}

// from is a connection with another address.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

func TestConnectionsOfOneAddress(t *testing.T) {
	told := make(chan ended, 10)
	s := smtpserver.New(smtpserver.Options{
		MaxPerAddress: 2,
		NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
			return &session{box: &mailbox{}, peer: p}
		},
		Broken: func(p *smtpserver.Peer, b smtpserver.Broken) {
			told <- ended{Broken: b, remote: p.RemoteAddr().String()}
		},
	})
	l := newPipes()
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	dial := func(address, want string) *client {
		t.Helper()
		ours, theirs := net.Pipe()
		_ = ours.SetDeadline(time.Now().Add(time.Minute))
		l.conns <- from{theirs, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
		c := newClient(t, ours)
		c.want(want)
		return c
	}
	const ready, refused = "220 test ready", "421 4.7.0 Too many connections from your address, try again later"
	first := dial("192.0.2.1:1", ready)
	dial("192.0.2.1:2", ready)
	dial("192.0.2.1:3", refused).wantClosed()
	dial("192.0.2.2:1", ready)
	dial("[2001:db8::1]:1", ready)
	dial("[2001:db8::2]:1", ready)
	dial("[2001:db8::3]:1", refused).wantClosed()
	for _, want := range []string{"192.0.2.1:3", "[2001:db8::3]:1"} {
		if got := next(t, told); got.Cause != smtpserver.CauseAddressConnections || got.remote != want {
			t.Errorf("got %+v", got)
		}
	}
	first.dialogue("C: QUIT\nS: 221 2.0.0 bye")
	first.wantClosed()
	dial("192.0.2.1:4", ready) // the place is free before the connection is closed
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Error(err)
	}
}
