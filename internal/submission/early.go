package submission

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// errEarly is the cause when the server said something that nothing was asked
// for: whose reply the next one is, nobody knows then.
var errEarly = errors.New("server replied to what was not sent yet")

// earlyTime is how long a TLS record that has begun to arrive may take to turn
// out to hold a reply.
const earlyTime = 100 * time.Millisecond

// heardEarly ends a transaction in which the server speaks, or leaves, before
// it has the final dot. Its words cannot be the reply to what it did not get:
// with a stray 451 behind the 354 taken for that reply, a message that the
// server stores would be submitted again, and with a stray 250 one that it
// refuses would be lost. So the connection is cut before the dot, after which a
// refusal is true and everything else can be tried again. Words that arrive
// later than this look around cannot be told from the reply.
func (s *Session) heardEarly(t *transaction, d *dotWriter) error {
	if !d.heard.Load() && !s.spoken() {
		return nil
	}
	return s.early(t)
}

// early reads what was said before the final dot.
func (s *Session) early(t *transaction) error {
	defer s.cut()
	s.broken = true
	if err := s.wire.conn.SetReadDeadline(time.Now().Add(pendingTime)); err != nil {
		return s.fail(smtp.StageContent, err)
	}
	r, err := s.wire.read()
	if err != nil {
		return s.fail(smtp.StageContent, err)
	}
	if r.Negative() {
		t.settle(provisional, smtp.StageContent, r)
		return s.refuse(&Error{Stage: smtp.StageContent, Reply: r})
	}
	return s.fail(smtp.StageContent, &Error{Reply: r, Err: errEarly})
}

// listen hears the server while d writes content of the given size, and ends the
// writing when it speaks or leaves: a server that refuses the content has often
// stopped to read it. Content that the socket's buffers take needs none of that.
// stop must be called before anything else reads.
func (s *Session) listen(d *dotWriter, size int64) (stop func()) {
	if size <= buffered || s.wire.conn.SetReadDeadline(time.Time{}) != nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := s.wire.br.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			d.heard.Store(true)
			_ = s.wire.conn.SetWriteDeadline(past)
		}
	}()
	return func() {
		_ = s.wire.conn.SetReadDeadline(past)
		<-done
	}
}

// buffered is what can be written to a connection whose other end reads nothing.
const buffered = 64 << 10

// past is a deadline that ends reading or writing at once.
var past = time.Unix(1, 0)

// heardBetween ends a session in which the server speaks, or leaves, between two
// transactions: usually a 421 because it was idle too long.
func (s *Session) heardBetween() error {
	if !s.spoken() {
		return nil
	}
	defer s.cut()
	if err := s.wire.conn.SetReadDeadline(time.Now().Add(pendingTime)); err != nil {
		return s.fail(smtp.StageMail, err)
	}
	r, err := s.wire.read()
	if err != nil {
		return s.fail(smtp.StageMail, err)
	}
	return s.fail(smtp.StageMail, &Error{Reply: r, Err: errEarly})
}

// ask is wire.command for a command within a transaction. A reply that is there
// before the command is none to it, but for 421, which may come at any time (RFC
// 5321 3.8).
func (s *Session) ask(command string) (smtp.Reply, error) {
	if !s.wire.audible(past) {
		return s.wire.command(s.opts.Timeouts.Command, command)
	}
	if err := s.wire.limit(pendingTime); err != nil {
		return smtp.Reply{}, err
	}
	r, err := s.wire.read()
	if err == nil && r.Code != 421 {
		err = errEarly
	}
	return r, err
}

// spoken reports whether something was said, or the connection ended, that
// nobody has read.
func (s *Session) spoken() bool {
	return s.wire.audible(past) || (pending(s.raw) && s.wire.audible(time.Now().Add(earlyTime)))
}

// audible reports whether what arrives until then holds words, or is the end of
// the connection, rather than something of TLS's own such as a new ticket. With
// then in the past it is about what was read from the socket already, which may
// still lie in crypto/tls: that reads a record and what follows it at once.
func (w *wire) audible(then time.Time) bool {
	if w.conn.SetReadDeadline(then) != nil {
		return true
	}
	_, err := w.br.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// pending reports whether something has arrived on conn that was not read yet,
// its end included. Where that cannot be told without waiting it reports false.
func pending(conn net.Conn) bool {
	if b, ok := conn.(*bufferedConn); ok {
		return b.br.Buffered() > 0 || pending(b.Conn)
	}
	return arrived(conn)
}
