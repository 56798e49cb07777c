package smtpserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

var (
	errShutdown    = errors.New("smtpserver: shutting down")
	errLineTooLong = errors.New("smtpserver: line too long")
	errBareLineEnd = errors.New("smtpserver: line ends with LF alone")
)

// Buffers of a connection. A line that fits is not copied; 10,000 idle
// connections hold some 50 MB of them.
const (
	readBuffer  = 4 << 10
	writeBuffer = 1 << 10
)

// maxDiscard bounds how much of an overlong line is thrown away for the sake of
// answering it.
const maxDiscard = 1 << 20

// conn is one connection. Only mu's fields are touched by other goroutines.
type conn struct {
	server  *Server
	opts    *Options
	tcp     net.Conn
	stream  net.Conn // tcp, or TLS over it
	r       *bufio.Reader
	w       *bufio.Writer
	session Session

	helloName     string
	authenticated bool
	trusted       bool // authenticated, or a MAIL was accepted
	tx            *transaction
	commands      int       // before trusted
	refusals      int       // counted ones
	cutoff        time.Time // for a client that is not trusted

	mu          sync.Mutex // guards what follows and the read deadline
	inCommand   bool       // a command or content is being handled
	interrupted bool
}

// transaction is what has been accepted since MAIL.
type transaction struct {
	mail       Mail
	recipients int
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, opts: &s.opts, tcp: nc, stream: nc}
	c.cutoff = time.Now().Add(c.opts.UnauthenticatedTimeout)
	c.r = bufio.NewReaderSize(readerFunc(c.read), readBuffer)
	c.w = bufio.NewWriterSize(writerFunc(c.write), writeBuffer)
	return c
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// read is where the connection waits for its client. All replies are sent
// before it does, which is what pipelining asks for (RFC 2920 3.2): they are
// held back as long as there is more input, and no longer.
func (c *conn) read(p []byte) (int, error) {
	if err := c.w.Flush(); err != nil {
		return 0, err
	}
	if err := c.armRead(); err != nil {
		return 0, err
	}
	return c.stream.Read(p)
}

func (c *conn) armRead() error {
	deadline := time.Now().Add(c.opts.IdleTimeout)
	if !c.trusted && c.cutoff.Before(deadline) {
		deadline = c.cutoff
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted && !c.inCommand {
		return errShutdown
	}
	return c.tcp.SetReadDeadline(deadline)
}

func (c *conn) write(p []byte) (int, error) {
	if err := c.tcp.SetWriteDeadline(time.Now().Add(c.opts.IdleTimeout)); err != nil {
		return 0, err
	}
	return c.stream.Write(p)
}

// interrupt ends the connection at its next wait for a command.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	if !c.inCommand {
		_ = c.tcp.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *conn) setInCommand(in bool) (interrupted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inCommand = in
	return c.interrupted
}

func (c *conn) serve(ctx context.Context) {
	defer c.tcp.Close()
	if c.opts.ImplicitTLS && !c.handshake(ctx) {
		return
	}
	c.session = c.opts.NewSession(ctx, &Peer{c})
	defer c.session.Logout()
	greeting := c.session.Greeting(ctx)
	if greeting.Code != 220 {
		greeting.Close = true
	}
	if !c.send(greeting) {
		return
	}
	for c.next(ctx) {
	}
}

// next reads and answers one command, and reports whether another may follow.
func (c *conn) next(ctx context.Context) bool {
	line, err := c.readLine(c.opts.MaxLine)
	if c.setInCommand(true) && err != nil {
		err = errShutdown
	}
	defer c.setInCommand(false)
	switch {
	case errors.Is(err, errLineTooLong):
		return c.send(c.refuse(lineTooLong))
	case errors.Is(err, errBareLineEnd):
		return c.send(c.refuse(bareLineEnd))
	case err != nil:
		return c.lost(err)
	}
	if !c.trusted {
		if c.commands++; c.commands > c.opts.UnauthenticatedCommands {
			return c.send(fixed(authenticateFirst))
		}
	}
	if strings.ContainsFunc(line, isControl) {
		return c.send(c.refuse(invalidArguments))
	}
	verb, arg, _ := strings.Cut(line, " ")
	return c.dispatch(ctx, strings.ToUpper(verb), strings.TrimSpace(arg))
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// lost says what can still be said to a client that is not heard any more, and
// always returns false. It does not linger: there was nothing left to read.
func (c *conn) lost(err error) bool {
	var r Reply
	switch {
	case errors.Is(err, errShutdown):
		r = fixed(shuttingDown)
	case errors.Is(err, os.ErrDeadlineExceeded):
		r = fixed(timedOut)
	default:
		return false
	}
	if _, err := c.w.Write(r.appendTo(nil)); err == nil {
		_ = c.w.Flush()
	}
	return false
}

// readLine reads a line without its end. The rest of an overlong one is thrown
// away, so that it cannot be taken for a command.
func (c *conn) readLine(limit int) (string, error) {
	var long []byte
	size := 0
	for {
		part, err := c.r.ReadSlice('\n')
		size += len(part)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", noEOF(err, size)
		}
		if size > limit+maxDiscard {
			return "", io.ErrUnexpectedEOF
		}
		if size <= limit && (err != nil || long != nil) {
			long = append(long, part...)
		}
		switch {
		case err != nil:
			continue
		case size > limit:
			return "", errLineTooLong
		case long != nil:
			return c.trimLine(string(long))
		}
		return c.trimLine(string(part))
	}
}

func (c *conn) trimLine(line string) (string, error) {
	if s, ok := strings.CutSuffix(line, "\r\n"); ok {
		return s, nil
	}
	if c.opts.LineEnds == ConvertBare {
		return strings.TrimSuffix(line, "\n"), nil
	}
	return "", errBareLineEnd
}

// noEOF tells a connection closed within a line from one closed between lines.
func noEOF(err error, read int) error {
	if read > 0 && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// refuse is the counted reply to a command of wrong form or order.
func (c *conn) refuse(text string) Reply { return c.count(fixed(text)) }

// count turns a refusal into the last word when there have been too many.
func (c *conn) count(r Reply) Reply {
	if c.refusals++; c.refusals >= c.opts.MaxErrors {
		return fixed(tooManyErrors)
	}
	return r
}

// send puts a reply into the buffer, and reports whether the dialogue goes on.
func (c *conn) send(r Reply) bool {
	if _, err := c.w.Write(r.appendTo(nil)); err != nil {
		return false
	}
	if !r.ends() {
		return true
	}
	flushed := c.w.Flush() == nil
	switch {
	case r.Reset:
		if t, ok := c.tcp.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	case flushed:
		c.linger()
	}
	return false
}

// linger lets the client read the last reply: closing a socket with unread
// input resets it, and the reset overtakes the reply.
func (c *conn) linger() {
	half, ok := c.stream.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.mu.Lock()
	_ = c.tcp.SetReadDeadline(time.Now().Add(time.Second))
	c.mu.Unlock()
	_, _ = io.CopyN(io.Discard, c.tcp, 256<<10)
}

// handshake puts TLS over the connection.
func (c *conn) handshake(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, c.opts.HandshakeTimeout)
	defer cancel()
	if !c.disarm() {
		return false
	}
	t := tls.Server(c.tcp, c.opts.TLSConfig)
	if err := t.HandshakeContext(ctx); err != nil {
		return false
	}
	c.stream = t
	return true
}

// disarm leaves the deadline to the handshake's context.
func (c *conn) disarm() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted && !c.inCommand {
		return false
	}
	return c.tcp.SetDeadline(time.Time{}) == nil
}
