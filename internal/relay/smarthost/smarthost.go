// Package smarthost hands messages on to another server while their client waits: each
// command and the content go to the server when they come, and the client gets the
// server's replies. So a client hears 250 after the server's 250 alone, and nothing is
// kept on the way.
//
// It is for the time of a move, when the devices already speak to the relay and the old
// smart host still delivers. TLS is used when the server offers it, and its certificate
// is not looked at, as between hosts of one site (RFC 3207 4.1); there is no AUTH.
package smarthost

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/internal/wire"
)

// The time limits of RFC 5321 4.5.3.2, and that of a connection.
const (
	dialTime    = 30 * time.Second
	commandTime = 5 * time.Minute
	dataTime    = 2 * time.Minute
	blockTime   = 3 * time.Minute
	dotTime     = 10 * time.Minute
	quitTime    = 5 * time.Second
)

// Host is the server. It may be used concurrently.
type Host struct {
	Addr  string // host:port
	Hello string // our name in EHLO
}

// Message is one that is handed on, over a connection of its own. It is not safe for
// concurrent use.
type Message struct {
	host       *Host
	wire       *wire.Wire
	extensions map[string]bool // in capitals
	stop       func() bool     // ends the watch over the context
	ended      bool            // QUIT may be said
}

// Begin connects and sends MAIL. The message is nil when the reply is not positive.
func (h *Host) Begin(ctx context.Context, m smtpserver.Mail) (*Message, smtpserver.Reply) {
	out, err := h.connect(ctx)
	if err != nil {
		return nil, h.unanswered(err, "4.4.1", "cannot be reached")
	}
	r, err := out.wire.Command(commandTime, "MAIL FROM:<"+m.ReversePath+">"+out.mailParameters(m))
	reply := h.answer(r, err)
	if reply.Code/100 != 2 {
		out.ended = err == nil
		out.Close()
		return nil, reply
	}
	return out, reply
}

// connect says EHLO, with TLS when the server has it.
func (h *Host) connect(ctx context.Context) (*Message, error) {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, "tcp", h.Addr)
	if err != nil {
		return nil, err
	}
	m := &Message{host: h, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}
	if err := m.greet(conn); err != nil {
		m.stop()
		return nil, errors.Join(err, conn.Close())
	}
	return m, nil
}

func (m *Message) greet(conn net.Conn) error {
	m.wire = wire.New(conn, func(string) {})
	if err := m.wire.Limit(commandTime); err != nil {
		return err
	}
	greeting, err := m.wire.Read()
	if err = positive(greeting, err); err != nil {
		return err
	}
	if err := m.hello(); err != nil {
		return err
	}
	if !m.extensions["STARTTLS"] {
		return nil
	}
	r, err := m.wire.Command(commandTime, "STARTTLS")
	if err = positive(r, err); err != nil {
		return err
	}
	over := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})
	if err := over.SetDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	if err := over.Handshake(); err != nil {
		return err
	}
	m.wire = wire.New(over, func(string) {})
	return m.hello()
}

// hello says EHLO, or HELO to a server that does not know it.
func (m *Message) hello() error {
	m.extensions = map[string]bool{}
	r, err := m.wire.Command(commandTime, "EHLO "+m.host.Hello)
	if err == nil && r.Permanent() {
		r, err = m.wire.Command(commandTime, "HELO "+m.host.Hello)
		return positive(r, err)
	}
	if err = positive(r, err); err != nil {
		return err
	}
	for _, line := range r.Lines[min(1, len(r.Lines)):] {
		word, _, _ := strings.Cut(line, " ")
		m.extensions[strings.ToUpper(word)] = true
	}
	return nil
}

// positive is the error of a reply that refuses.
func positive(r smtp.Reply, err error) error {
	if err == nil && !r.Positive() {
		err = fmt.Errorf("it said %q", r)
	}
	return err
}

// mailParameters are those that the client gave and the server knows.
func (m *Message) mailParameters(mail smtpserver.Mail) string {
	var text string
	if mail.Body != "" && m.extensions["8BITMIME"] && mail.Body != "BINARYMIME" {
		text += " BODY=" + mail.Body
	}
	if mail.UTF8 && m.extensions["SMTPUTF8"] {
		text += " SMTPUTF8"
	}
	if m.extensions["DSN"] {
		text += parameters(mail.Params, "RET", "ENVID")
	}
	return text
}

func parameters(given map[string]string, names ...string) (text string) {
	for _, name := range names {
		if given[name] != "" {
			text += " " + name + "=" + given[name]
		}
	}
	return text
}

// Rcpt sends RCPT.
func (m *Message) Rcpt(rc smtpserver.Rcpt) smtpserver.Reply {
	command := "RCPT TO:<" + rc.ForwardPath + ">"
	if m.extensions["DSN"] {
		command += parameters(rc.Params, "NOTIFY", "ORCPT")
	}
	r, err := m.wire.Command(commandTime, command)
	return m.host.answer(r, err)
}

// ErrContent is wrapped by the error of a content that could not be read.
var ErrContent = errors.New("smarthost: reading the content")

// Content sends DATA and the content, octet for octet, whose lines end with CRLF. The
// reply is the server's last one. An error is that of content, and wraps ErrContent; the
// server does not have the message then.
func (m *Message) Content(content io.Reader) (smtpserver.Reply, error) {
	r, err := m.wire.Command(dataTime, "DATA")
	switch {
	case err == nil && r.Positive(): // without the content, of which the client must not hear yes
		return m.host.outOfPlace(r), nil
	case err != nil || !r.Intermediate():
		return m.host.answer(r, err), nil
	}
	dot := textproto.NewWriter(m.wire.Out()).DotWriter()
	source := &source{in: content}
	if _, err := io.Copy(limited{m.wire, dot}, source); err != nil {
		_ = m.wire.Conn().Close() // before a dot is sent
		if source.err != nil {
			return smtpserver.Reply{}, fmt.Errorf("%w: %w", ErrContent, source.err)
		}
		return m.host.answer(smtp.Reply{}, err), nil
	}
	err = m.wire.Limit(dotTime)
	if err == nil {
		err = dot.Close()
	}
	if err == nil {
		r, err = m.wire.RoundTrip()
	}
	m.ended = err == nil
	return m.host.answer(r, err), nil
}

// Close ends the connection. A message whose content was not sent is not taken.
func (m *Message) Close() {
	if m.ended && m.wire.Limit(quitTime) == nil && m.wire.Put("QUIT") == nil {
		_ = m.wire.Flush() // for its manners: the outcome is known, and no one waits for the reply
	}
	m.stop()
	_ = m.wire.Conn().Close()
}

// source keeps the error of a reader.
type source struct {
	in  io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// limited gives each block of content its own time.
type limited struct {
	wire *wire.Wire
	to   io.Writer
}

func (l limited) Write(p []byte) (int, error) {
	if err := l.wire.Limit(blockTime); err != nil {
		return 0, err
	}
	return l.to.Write(p)
}

// answer is the server's reply as the client gets it. When there is none, and when the
// server leaves, the client is asked to try again.
func (h *Host) answer(r smtp.Reply, err error) smtpserver.Reply {
	switch {
	case err != nil:
		return h.unanswered(err, "4.4.2", "does not answer")
	case r.Code == 421 || r.Intermediate():
		return h.outOfPlace(r)
	}
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		lines[i] = clean(line)
	}
	return smtpserver.Say(r.Code, lines...)
}

// outOfPlace is for a reply of the server that does not answer the client.
func (h *Host) outOfPlace(r smtp.Reply) smtpserver.Reply {
	return smtpserver.Say(451, fmt.Sprintf("4.4.2 the smart host %s said: %s", h.Addr, clean(r.String())))
}

func (h *Host) unanswered(err error, enhanced, what string) smtpserver.Reply {
	return smtpserver.Say(451, fmt.Sprintf("%s the smart host %s %s, try again later: %s", enhanced, h.Addr, what, clean(err.Error())))
}

// maxLine is how much of a line the client gets (RFC 5321 4.5.3.1.5).
const maxLine = 480

// clean is a text as a line of a reply can have it.
func clean(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, text[:min(len(text), maxLine)])
}
