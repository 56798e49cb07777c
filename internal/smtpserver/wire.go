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
	errLineEndless = errors.New("smtpserver: line does not end")
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

// wire is the octets of one connection: lines and replies, TLS, deadlines. Only mu's
// fields are touched by other goroutines than the connection's.
type wire struct {
	opts    *Options
	tcp     net.Conn
	stream  net.Conn // tcp, or TLS over it
	r       *bufio.Reader
	w       *bufio.Writer
	cutoff  time.Time // when a client that is not trusted is cut off; zero for another
	began   [2]byte   // the first octets of the connection
	grammar grammar
	broken  Broken // of which Cause says whether the session is

	mu          sync.Mutex // guards what follows and the read deadline
	inCommand   bool       // a command or content is being handled
	interrupted bool
}

func newWire(o *Options, nc net.Conn) *wire {
	w := &wire{opts: o, grammar: grammar{tolerant: o.Tolerant}, tcp: nc, stream: nc, cutoff: time.Now().Add(o.UnauthenticatedTimeout)}
	w.r = bufio.NewReaderSize(readerFunc(w.read), readBuffer)
	w.w = bufio.NewWriterSize(writerFunc(w.write), writeBuffer)
	return w
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// read is where the connection waits for its client. All replies are sent
// before it does, which is what pipelining asks for (RFC 2920 3.2): they are
// held back as long as there is more input, and no longer.
func (w *wire) read(p []byte) (int, error) {
	if err := w.w.Flush(); err != nil {
		return 0, err
	}
	if err := w.armRead(); err != nil {
		return 0, err
	}
	n, err := w.stream.Read(p)
	if w.began[0] == 0 {
		copy(w.began[:], p[:n])
	}
	return n, err
}

func (w *wire) armRead() error {
	deadline := time.Now().Add(w.opts.IdleTimeout)
	if !w.cutoff.IsZero() && w.cutoff.Before(deadline) {
		deadline = w.cutoff
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interrupted && !w.inCommand {
		return errShutdown
	}
	return w.tcp.SetReadDeadline(deadline)
}

func (w *wire) write(p []byte) (int, error) {
	if err := w.tcp.SetWriteDeadline(time.Now().Add(w.opts.IdleTimeout)); err != nil {
		return 0, err
	}
	return w.stream.Write(p)
}

// interrupt ends the connection at its next wait for a command.
func (w *wire) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.interrupted = true
	if !w.inCommand {
		_ = w.tcp.SetReadDeadline(time.Unix(1, 0))
	}
}

func (w *wire) setInCommand(in bool) (interrupted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inCommand = in
	return w.interrupted
}

// lost says what can still be said to a client that is not heard any more, and
// always returns false. It does not linger: there was nothing left to read.
func (w *wire) lost(err error) bool {
	w.endRead(err, false)
	var r Reply
	switch {
	case errors.Is(err, errShutdown):
		r = fixed(shuttingDown)
	case errors.Is(err, os.ErrDeadlineExceeded):
		r = fixed(timedOut)
	default:
		return false
	}
	if _, err := w.w.Write(r.appendTo(nil)); err == nil {
		_ = w.w.Flush()
	}
	return false
}

// readLine reads a line without its end. The rest of an overlong one is thrown
// away, so that it cannot be taken for a command.
func (w *wire) readLine(limit int) (string, error) {
	var long []byte
	size := 0
	for {
		part, err := w.r.ReadSlice('\n')
		size += len(part)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", noEOF(err, size)
		}
		if size > limit+maxDiscard {
			return "", errLineEndless
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
			return w.trimLine(string(long))
		}
		return w.trimLine(string(part))
	}
}

func (w *wire) trimLine(line string) (string, error) {
	if s, ok := strings.CutSuffix(line, "\r\n"); ok {
		return s, nil
	}
	if w.opts.LineEnds == ConvertBare {
		w.grammar.quirks |= QuirkBareLF
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

// send puts a reply into the buffer, and reports whether the dialogue goes on.
func (w *wire) send(r Reply) bool {
	if _, err := w.w.Write(r.appendTo(nil)); err != nil {
		w.end(CauseLost, err)
		return false
	}
	if !r.ends() {
		return true
	}
	if r.breaks != "" {
		w.end(r.breaks, nil)
	}
	flushed := w.w.Flush() == nil
	switch {
	case r.Reset:
		if t, ok := w.tcp.(interface{ SetLinger(int) error }); ok {
			_ = t.SetLinger(0)
		}
	case flushed:
		w.linger()
	}
	return false
}

// linger lets the client read the last reply: closing a socket with unread
// input resets it, and the reset overtakes the reply.
func (w *wire) linger() {
	half, ok := w.stream.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	w.mu.Lock()
	_ = w.tcp.SetReadDeadline(time.Now().Add(time.Second))
	w.mu.Unlock()
	_, _ = io.CopyN(io.Discard, w.tcp, 256<<10)
}

// handshake puts TLS over the connection.
func (w *wire) handshake(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, w.opts.HandshakeTimeout)
	defer cancel()
	if !w.disarm() {
		return false
	}
	under := &tlsTransport{Conn: w.tcp}
	t := tls.Server(under, w.opts.TLSConfig)
	// A goroutine of its own: the stack that a handshake needs is not what the
	// connection keeps.
	done := make(chan error, 1)
	go func() { done <- t.HandshakeContext(ctx) }()
	if err := <-done; err != nil {
		w.endHandshake(err, under.offer)
		return false
	}
	w.stream, under.offer = t, nil
	return true
}

// disarm leaves the deadline to the handshake's context.
func (w *wire) disarm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interrupted && !w.inCommand {
		return false
	}
	return w.tcp.SetDeadline(time.Time{}) == nil
}
