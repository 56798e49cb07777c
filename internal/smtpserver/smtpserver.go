// Package smtpserver is the server side of SMTP (RFC 5321) under the relay and
// the sandbox. It owns the stream: lines, limits, deadlines, the order of
// commands, STARTTLS, the SASL dialogue, the framing of content. What the server
// says is the caller's: a [Session] answers each verb with a [Reply], letter for
// letter, or with no letter at all.
//
// A connection goes this way:
//
//  1. Options.NewSession is called, then Session.Greeting.
//  2. Each command line is checked for form and order. What fails there is
//     answered by this package and counted; too many end the connection.
//  3. The rest goes to the session's method of that verb.
//  4. After 354, or with BDAT, Session.Content reads the content to its io.EOF.
//  5. Session.Logout is called once, whatever ended the connection.
//
// # What the stream cannot do
//
// Content ends at CRLF "." CRLF and at nothing that resembles it. A connection
// that fails inside content (deadline, close, malformed chunk) is closed and
// never read as commands again: whoever stalls a body and goes on with "MAIL
// FROM" gets nowhere. What a client sends together with STARTTLS is thrown away
// and the connection closed. A second MAIL without RSET is refused, or, where
// Options.Tolerant is set, replaces the first with its recipients.
//
// Extensions: PIPELINING (RFC 2920), SIZE (1870), 8BITMIME (6152), STARTTLS
// (3207), AUTH (4954), CHUNKING and BINARYMIME (3030), SMTPUTF8 (6531), DSN
// parameters (3461). Which of them EHLO names is the session's part.
package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/clientnet"
	"github.com/smtpsend/smtpsend/internal/smtpserver/places"
)

// ErrServerClosed is returned by Serve after Shutdown, Close, or the end of its
// context.
var ErrServerClosed = errors.New("smtpserver: server closed")

// LineEnds says what becomes of a CR or LF that is alone.
type LineEnds int

// None of these makes a lone CR or LF end the content.
const (
	KeepBare    LineEnds = iota // content: handed on as it came; commands: 500
	RefuseBare                  // content: 550 5.6.11 after its end; commands: 500
	ConvertBare                 // content: LF becomes CRLF, CR a blank; commands: LF ends a line (old devices)
)

// Options describe a server. NewSession is required; the zero value of each
// other field has a meaning or a default.
type Options struct {
	// NewSession is called for each connection, before the greeting (with
	// implicit TLS: after the handshake). It must not return nil.
	NewSession func(ctx context.Context, p *Peer) Session

	TLSConfig   *tls.Config // nil: STARTTLS is an unknown command
	ImplicitTLS bool        // TLS from the first octet (RFC 8314); needs TLSConfig

	IdleTimeout            time.Duration // each read and write; default 5 minutes (RFC 5321 4.5.3.2.7)
	HandshakeTimeout       time.Duration // the whole TLS handshake; default 30 seconds
	UnauthenticatedTimeout time.Duration // from connect to AUTH or an accepted MAIL; default 2 minutes

	UnauthenticatedCommands int   // commands up to the same point; default 25
	MaxConnections          int   // at once; one more gets 421 and is closed; default 1000
	MaxPerAddress           int   // of these from one client (clientnet.Key), in the same way; 0: no limit
	MaxCommands             int   // since the last content that was accepted; 0: no limit
	MaxLine                 int   // octets in a command line with CRLF; default 32 KiB, for AUTH with a token
	MaxResponse             int   // octets in a SASL response line; default 32 KiB (RFC 4954 4 asks for 12,288)
	MaxRecipients           int   // in one transaction; one more gets 452; default 1000
	MaxMessageBytes         int64 // of content; 552 beyond; default 150 MiB
	MaxErrors               int   // malformed, misplaced, unknown commands and refused AUTHs; default 10

	// Places counts the connections, with those of other servers that have the same; nil:
	// this server's alone.
	Places *places.Places

	LineEnds LineEnds

	// Tolerant lets old devices do what else is refused: the Quirks marked with T.
	// None of them touches where content ends.
	Tolerant bool

	// Broken is told of each session that ended in another way than by QUIT or by
	// its Session, before Logout, and of each connection that never had one. It is
	// called by the connection's goroutine or by that of Serve, concurrently, and
	// must not wait. Nil: no one is told.
	Broken func(p *Peer, b Broken)
}

// Server serves one listener. Its methods are safe for concurrent use.
type Server struct {
	opts Options

	mu       sync.Mutex // guards what follows
	listener net.Listener
	cancel   context.CancelFunc
	conns    map[*conn]struct{}
	closing  bool
	wg       sync.WaitGroup // goroutines of connections
}

// New returns a server; Serve starts it.
func New(o Options) *Server {
	setDefault(&o.IdleTimeout, 5*time.Minute)
	setDefault(&o.HandshakeTimeout, 30*time.Second)
	setDefault(&o.UnauthenticatedTimeout, 2*time.Minute)
	setDefault(&o.UnauthenticatedCommands, 25)
	setDefault(&o.MaxConnections, 1000)
	setDefault(&o.MaxLine, 32<<10)
	setDefault(&o.MaxResponse, 32<<10)
	setDefault(&o.MaxRecipients, 1000)
	setDefault(&o.MaxMessageBytes, 150<<20)
	setDefault(&o.MaxErrors, 10)
	o.TLSConfig = noting(o.TLSConfig)
	if o.Places == nil {
		o.Places = new(places.Places)
	}
	return &Server{opts: o, conns: map[*conn]struct{}{}}
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Serve accepts connections on l until Shutdown, Close or the end of ctx, which
// acts as Close, and then returns ErrServerClosed. When someone else closes l, it
// returns net.ErrClosed after the last connection, each of which goes on as before. It
// closes l. A server serves once. Sessions get a context that ends with the server.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listener, s.cancel = l, cancel
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cut)
	defer stop()
	// Connections that outlive the accept loop (Shutdown) keep the context.
	defer s.wg.Wait()
	return s.accept(ctx, l)
}

func (s *Server) accept(ctx context.Context, l net.Listener) error {
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(ctx, nc)
		case s.isClosing() || ctx.Err() != nil:
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of file descriptors, most likely: connections that end will
			// free some.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			_ = backoff.Sleep(ctx, pause) // when ctx ends, Accept fails next
		}
	}
}

func (s *Server) start(ctx context.Context, nc net.Conn) {
	c := newConn(&s.opts, nc)
	c.client = clientnet.Key(nc.RemoteAddr())
	switch cause, closing := s.admit(ctx, c); {
	case closing:
		_ = nc.Close()
	case cause != "":
		c.wire.end(cause, nil)
		c.tellBroken()
		refuse(nc, s.opts.ImplicitTLS, cause)
	}
}

// admit starts the goroutine of a connection, unless there are too many.
func (s *Server) admit(ctx context.Context, c *conn) (refused Cause, closing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return "", true
	}
	if refused := full[s.opts.Places.Take(c.client, s.opts.MaxConnections, s.opts.MaxPerAddress)]; refused != "" {
		return refused, false
	}
	s.conns[c] = struct{}{}
	s.wg.Go(func() {
		defer c.wire.tcp.Close()
		defer s.forget(c) // a client that saw the end may come back at once
		c.serve(ctx)
	})
	return "", false
}

// refuse turns a client away without a goroutine: a fresh socket's send buffer
// takes the line at once.
func refuse(nc net.Conn, implicitTLS bool, cause Cause) {
	text := tooManyConnections
	if cause == CauseAddressConnections {
		text = tooManyOfAddress
	}
	if !implicitTLS {
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write(fixed(text).appendTo(nil))
	}
	_ = nc.Close()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.opts.Places.Leave(c.client)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown stops accepting, tells connections that wait for a command 421 and
// closes them at once, and lets those inside a command or content finish it. It
// returns when all are gone, or does as Close and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.wire.interrupt()
	}
	gone := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		s.cut()
		<-gone
		return ctx.Err()
	}
}

// Close stops accepting, cuts every connection and returns when their
// goroutines have ended; a session's method that ignores its context holds it.
func (s *Server) Close() error {
	s.cut()
	s.wg.Wait()
	return nil
}

func (s *Server) cut() {
	conns := s.stop()
	s.mu.Lock()
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	for _, c := range conns {
		_ = c.wire.tcp.Close()
	}
}

// stop ends the accept loop and returns the connections there are.
func (s *Server) stop() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
