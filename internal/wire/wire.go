// Package wire is the dialogue with a server on one connection: commands out,
// replies in, each with its time limit, both traced. What came without being
// asked for can be heard before anything is read (Audible, Spoken). From AUTH on
// the credential is taken out of all that the server says (Redact): a server
// that quotes the command it does not like must not put a token into a log.
package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Wire is the dialogue on one connection. After an error the stream is out of
// step and the connection of no use. It is not safe for concurrent use, but for
// Heard.
type Wire struct {
	conn       net.Conn
	in         *bufio.Reader
	out        *bufio.Writer
	trace      func(string)
	credential *credential // from AUTH on
	heardAt    time.Time   // the last reply
}

// New starts a dialogue over conn: a TCP connection, or the TLS connection over
// it. The write buffer holds a whole MAIL group of a usual size, so that it
// leaves in one packet. trace gets each line with "C: " or "S: " before it; it may be nil.
func New(conn net.Conn, trace func(line string)) *Wire {
	return &Wire{conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriterSize(conn, 32<<10), trace: trace}
}

// Over goes on over conn, TLS over the connection so far. What was received before and
// not read is dropped: anyone on the way may have sent it (RFC 3207 6).
func (w *Wire) Over(conn net.Conn) {
	w.conn = conn
	w.in.Reset(conn)
	w.out.Reset(conn)
}

// Conn returns the connection, for its deadlines and its end.
func (w *Wire) Conn() net.Conn { return w.conn }

// Out returns the buffer of what goes to the server, for what is not a command.
func (w *Wire) Out() *bufio.Writer { return w.out }

// Unread returns how many octets have been received and were not read yet.
func (w *Wire) Unread() int { return w.in.Buffered() }

// Limit bounds all reading and writing from now on.
func (w *Wire) Limit(d time.Duration) error { return w.conn.SetDeadline(time.Now().Add(d)) }

// Put buffers one command. What could break out of its line is a bug of the
// caller, caught here all the same.
func (w *Wire) Put(command string) error { return w.PutAs(command, command) }

// PutAs is Put, with shown in the trace in place of the command.
func (w *Wire) PutAs(command, shown string) error {
	// Each is looked for by itself, which is many times faster in a command as long as AUTH.
	if strings.Contains(command, "\r") || strings.Contains(command, "\n") || strings.Contains(command, "\x00") {
		return fmt.Errorf("command holds a line break or NUL: %q", shown)
	}
	if w.trace != nil {
		w.trace("C: " + shown)
	}
	_, err := w.out.WriteString(command + "\r\n")
	return err
}

// Flush sends what is buffered.
func (w *Wire) Flush() error { return w.out.Flush() }

// Read reads one reply. Nothing that is kept, shown or reported of a server's
// words comes in by another way, so here the credential is taken out of them.
// Its errors are those of smtp.Read.
func (w *Wire) Read() (smtp.Reply, error) {
	r, err := smtp.Read(w.in)
	var syntax *smtp.SyntaxError
	if errors.As(err, &syntax) {
		return r, &smtp.SyntaxError{Line: w.credential.hide(syntax.Line)}
	}
	if err != nil {
		return r, err
	}
	w.heardAt = time.Now()
	r = w.credential.hideReply(r)
	if w.trace != nil {
		w.traceReply(r)
	}
	return r, nil
}

func (w *Wire) traceReply(r smtp.Reply) {
	for i, line := range r.Lines {
		sep := "-"
		if i == len(r.Lines)-1 {
			sep = " "
		}
		w.trace("S: " + strconv.Itoa(int(r.Code)) + sep + line)
	}
}

// Quiet returns for how long the server has said nothing.
func (w *Wire) Quiet() time.Duration { return time.Since(w.heardAt) }

// RoundTrip sends what is buffered and reads one reply.
func (w *Wire) RoundTrip() (smtp.Reply, error) {
	if err := w.Flush(); err != nil {
		return smtp.Reply{}, err
	}
	return w.Read()
}

// Command sends one command and reads its reply within d.
func (w *Wire) Command(d time.Duration, line string) (smtp.Reply, error) {
	if err := w.Limit(d); err != nil {
		return smtp.Reply{}, err
	}
	if err := w.Put(line); err != nil {
		return smtp.Reply{}, err
	}
	return w.RoundTrip()
}

// Redact hides token, and response, the SASL response made of it, in whatever the
// server says from now on.
func (w *Wire) Redact(token string, response []byte) { w.credential = newCredential(token, response) }
