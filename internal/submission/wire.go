package submission

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// wire is the dialogue on one connection: lines out, replies in, both traced.
// After an error the stream is out of step and the connection of no use.
type wire struct {
	conn  net.Conn // the TLS connection once there is one
	br    *bufio.Reader
	bw    *bufio.Writer
	trace func(string)
	veil  *veil // from AUTH on
}

// newWire starts a dialogue over conn. The write buffer holds a whole MAIL
// group of a usual size, so that it leaves in one packet.
func newWire(conn net.Conn, trace func(string)) *wire {
	return &wire{conn: conn, br: bufio.NewReader(conn), bw: bufio.NewWriterSize(conn, 32<<10), trace: trace}
}

// limit bounds all reading and writing from now on.
func (w *wire) limit(d time.Duration) error { return w.conn.SetDeadline(time.Now().Add(d)) }

// put buffers one command. What could break out of its line is a bug of the
// caller, caught here all the same.
func (w *wire) put(command string) error { return w.putAs(command, command) }

// putAs is put, with shown in the trace in place of the command.
func (w *wire) putAs(command, shown string) error {
	if strings.ContainsAny(command, "\r\n\x00") {
		return fmt.Errorf("command holds a line break or NUL: %q", shown)
	}
	w.trace("C: " + shown)
	_, err := w.bw.WriteString(command + "\r\n")
	return err
}

// read reads one reply. Nothing that this package keeps, shows or reports of a
// server's words comes in by another way, so here the credential is taken out
// of them.
func (w *wire) read() (smtp.Reply, error) {
	r, err := smtp.Read(w.br)
	var syntax *smtp.SyntaxError
	if errors.As(err, &syntax) {
		return r, &smtp.SyntaxError{Line: w.veil.hide(syntax.Line)}
	}
	if err != nil {
		return r, err
	}
	r = w.veil.hideReply(r)
	for i, line := range r.Lines {
		sep := "-"
		if i == len(r.Lines)-1 {
			sep = " "
		}
		w.trace(fmt.Sprintf("S: %d%s%s", r.Code, sep, line))
	}
	return r, nil
}

// roundTrip sends what is buffered and reads one reply.
func (w *wire) roundTrip() (smtp.Reply, error) {
	if err := w.bw.Flush(); err != nil {
		return smtp.Reply{}, err
	}
	return w.read()
}

// command sends one command and reads its reply within d.
func (w *wire) command(d time.Duration, line string) (smtp.Reply, error) {
	if err := w.limit(d); err != nil {
		return smtp.Reply{}, err
	}
	if err := w.put(line); err != nil {
		return smtp.Reply{}, err
	}
	return w.roundTrip()
}
