package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// serveSMTP is -bs: one SMTP session on standard input and output. A message is
// submitted before its client gets the reply to the final dot, and the reply is
// the one that the real server gave.
func (s *sendmail) serveSMTP(ctx context.Context) error {
	server := smtpserver.New(smtpserver.Options{
		NewSession: func(context.Context, *smtpserver.Peer) smtpserver.Session { return &pipeSession{sendmail: s} },
		LineEnds:   smtpserver.ConvertBare,
		// The client is the program that started us.
		UnauthenticatedTimeout: time.Hour, UnauthenticatedCommands: 1000,
	})
	pipe := &pipeConn{in: s.stdin, out: s.Replies(), closed: make(chan struct{})}
	err := server.Serve(ctx, &pipeListener{conn: pipe})
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// pipeListener gives one connection, and ends when that has ended.
type pipeListener struct {
	conn  *pipeConn
	given bool
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.conn.closed
	return nil, net.ErrClosed
}

func (l *pipeListener) Close() error   { return l.conn.Close() }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "standard input" }

// pipeConn is standard input and output as a connection. It has no deadlines: a
// person may sit at the other end.
type pipeConn struct {
	in     io.Reader
	out    io.Writer
	once   sync.Once
	closed chan struct{}

	judged, typed bool   // the first line has ended, and with LF alone
	crs           int    // CRs before the next octet
	buffer, left  []byte // converted; what of it is not handed on
}

// Read makes every line of a person, who cannot type CR, end with CRLF. A
// program is known by its first line: what it sends later with LF alone is
// content and must not end it, lest the content of one message become the next.
// CRs before an LF are one, for a program whose CRLF went through text mode.
func (c *pipeConn) Read(p []byte) (int, error) {
	for len(c.left) == 0 {
		n, err := c.read(p)
		c.buffer = c.lines(c.buffer[:0], p[:n])
		if err != nil {
			c.buffer = c.giveCRs(c.buffer)
		}
		if c.left = c.buffer; len(c.left) == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

// lines appends in to out with its line ends converted.
func (c *pipeConn) lines(out, in []byte) []byte {
	for _, b := range in {
		switch {
		case b == '\r':
			if c.crs++; c.crs == limits.CRs {
				out = c.giveCRs(out)
			}
			continue
		case b == '\n':
			if !c.judged {
				c.judged, c.typed = true, c.crs == 0
			}
			if c.typed || c.crs > 0 {
				c.crs = 1
			}
		}
		out = append(c.giveCRs(out), b)
	}
	return out
}

// giveCRs appends the CRs that were held back.
func (c *pipeConn) giveCRs(out []byte) []byte {
	for ; c.crs > 0; c.crs-- {
		out = append(out, '\r')
	}
	return out
}

// read can be ended by Close, which a read of standard input itself cannot.
func (c *pipeConn) read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		buffer := make([]byte, len(p))
		n, err := c.in.Read(buffer)
		done <- result{buffer[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.data), r.err
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *pipeConn) Write(p []byte) (int, error) { return c.out.Write(p) }

// Close ends Accept, and a Read that waits when a signal ends us.
func (c *pipeConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *pipeConn) LocalAddr() net.Addr              { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr             { return pipeAddr{} }
func (c *pipeConn) SetDeadline(time.Time) error      { return nil }
func (c *pipeConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pipeConn) SetWriteDeadline(time.Time) error { return nil }

// pipeSession answers the client of -bs.
type pipeSession struct {
	*sendmail
	order letter
}

func (p *pipeSession) Greeting(context.Context) smtpserver.Reply {
	return smtpserver.Say(220, hostName()+" ESMTP smtpsend")
}

// hostName is what the greeting says; only the program that called reads it.
func hostName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}

func (p *pipeSession) Hello(_ context.Context, _ string, extended bool) smtpserver.Reply {
	if !extended {
		return smtpserver.Say(250, hostName())
	}
	return smtpserver.Say(250, hostName(), "PIPELINING", fmt.Sprintf("SIZE %d", message.MaxRaw),
		"8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8")
}

func (p *pipeSession) StartTLS(context.Context) smtpserver.Reply {
	return smtpserver.Say(502, "5.5.1 There is no TLS on a pipe")
}

func (p *pipeSession) Auth(context.Context, string, []byte, func([]byte) ([]byte, error)) smtpserver.Reply {
	return smtpserver.Say(502, "5.5.1 No AUTH is needed on a pipe")
}

func (p *pipeSession) Mail(_ context.Context, m smtpserver.Mail) smtpserver.Reply {
	p.order = letter{sender: m.ReversePath, fullName: p.args.fullName, readFrom: p.args.readFrom}
	if _, err := p.order.told(); err != nil {
		return smtpserver.Say(553, "5.1.7 "+printable.Line(err.Error()))
	}
	p.order.dsn = message.DSN{Return: m.Params["RET"], EnvelopeID: m.Params["ENVID"]}
	if p.order.dsn.Check() != nil {
		p.order.dsn = message.DSN{}
	}
	return smtpserver.Say(250, "2.1.0 Sender OK")
}

func (p *pipeSession) Rcpt(_ context.Context, r smtpserver.Rcpt) smtpserver.Reply {
	list, err := message.ParseMailboxes("recipient", r.ForwardPath)
	if err == nil && len(list) != 1 {
		return smtpserver.Say(553, "5.1.3 A path is one address")
	}
	var paths []string
	if err == nil {
		paths, err = p.resolve(list)
	}
	if err != nil {
		return smtpserver.Say(550, "5.1.1 "+printable.Line(err.Error()))
	}
	p.order.recipients = append(p.order.recipients, paths...)
	if wish := (message.DSN{Notify: r.Params["NOTIFY"]}); wish.Check() == nil {
		p.order.dsn.Notify = wish.Notify
	}
	return smtpserver.Say(250, "2.1.5 Recipient OK")
}

func (p *pipeSession) Data(context.Context) smtpserver.Reply {
	return smtpserver.Say(354, "Start mail input; end with <CRLF>.<CRLF>")
}

// Content submits the message. One reply has to do for all recipients: when the
// server took the message for some of them it is positive, and names the others.
func (p *pipeSession) Content(ctx context.Context, r io.Reader) smtpserver.Reply {
	copied := &original{}
	defer copied.close()
	raw, err := message.ReadRaw(ctx, io.TeeReader(r, copied), message.RawOptions{Reencode: message.Reencode(p.cfg.Reencode)})
	if err != nil {
		return smtpserver.Say(554, "5.6.0 "+printable.Line(err.Error()))
	}
	defer raw.Close()
	mail, err := p.stamp(raw, p.order)
	if err != nil {
		return smtpserver.Say(554, "5.6.0 "+printable.Line(err.Error()))
	}
	defer mail.Close()
	if p.args.dryRun || p.cfg.NoMails {
		return smtpserver.Say(250, "2.0.0 Not submitted: SMTPSEND_NO_MAILS=1 or --dry-run")
	}
	if p.cfg.Queue == config.QueueAlways {
		return p.queueReply(ctx, mail)
	}
	view, receipt, err := p.submit(ctx, mail)
	if err != nil {
		return smtpserver.Say(451, "4.3.0 "+printable.Line(err.Error()))
	}
	p.toStderr().fallBack(ctx, p.cfg, mail.Mail, receipt, "sendmail", &view)
	switch {
	case view.ExitCode != exit.OK:
		p.toStderr().printReceipt(view)
		if receipt.Count(smtp.Accepted)+view.Queued > 0 {
			again := resubmission{sender: p.order.sender, fullName: p.order.fullName, dsn: p.order.dsn, args: p.args}
			p.keep(ctx, copied, again, &delivery{mail, view}, &exit.Error{Code: view.ExitCode, Err: errors.New(view.Summary)})
		}
	case view.OutboxID != "":
		p.printQueued(view)
	}
	return replyTo(view, receipt)
}

// queueReply puts the message into the outbox instead of submitting it.
func (p *pipeSession) queueReply(ctx context.Context, mail *stamped) smtpserver.Reply {
	qid, _, err := p.enqueue(ctx, p.cfg, mail.Mail, spool.Message{Mailbox: mail.mailbox, Source: "sendmail"})
	if err != nil {
		p.Errorf("%v", err)
		return smtpserver.Say(451, "4.3.0 "+printable.Line(err.Error()))
	}
	return smtpserver.Say(250, "2.0.0 queued as "+string(qid))
}

// replyTo is what the client hears.
func replyTo(view receiptView, r *submission.Receipt) smtpserver.Reply {
	switch accepted := r.Count(smtp.Accepted); {
	case r.AllAccepted():
		return smtpserver.Say(250, passedOn(r.Reply)...)
	case view.ExitCode == exit.OK:
		return smtpserver.Say(250, "2.0.0 queued as "+view.OutboxID)
	case accepted+view.Queued > 0:
		return smtpserver.Say(250, partly(view, accepted)...)
	case r.Count(smtp.InDoubt) > 0:
		// 4yz would make the client submit it again, perhaps a second time.
		return smtpserver.Say(554, "5.4.2 In doubt: the server may have the message, its reply to the final dot did not come")
	}
	said := refusal(r)
	transient := view.ExitCode == exit.TryAgain || view.ExitCode == exit.Interrupted
	code, enhanced := 554, "5.3.0"
	if transient {
		code, enhanced = 451, "4.3.0"
	}
	if (said.Permanent() && !transient) || (said.Transient() && transient && said.Code != 421) {
		return smtpserver.Say(said.Code, passedOn(said)...)
	}
	text := view.Summary
	if view.Finding != nil {
		text = view.Finding.Title
	}
	if view.said != "" {
		text += ": " + view.said
	}
	return smtpserver.Say(code, enhanced+" "+atMost(printable.Line(text), 400))
}

// partly are the lines of a reply that is right for some of the recipients.
func partly(view receiptView, accepted int) []string {
	lines := []string{fmt.Sprintf("2.0.0 Accepted for %d of %d", accepted, len(view.Recipients))}
	if view.Queued > 0 {
		lines = append(lines, fmt.Sprintf("2.0.0 Queued for %d as %s", view.Queued, view.OutboxID))
	}
	for _, rcpt := range view.Recipients {
		if rcpt.Outcome != smtp.Accepted && !(view.Queued > 0 && rcpt.Outcome.Open()) {
			lines = append(lines, printable.Line(fmt.Sprintf("2.0.0 %s: %s %s", rcpt.Outcome.Word(), rcpt.ForwardPath, rcpt.Reply)))
		}
	}
	return lines
}

// passedOn are the lines of a server's reply for another client, which may show
// them and need not take more than SMTP allows in a line.
func passedOn(r smtp.Reply) []string {
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		lines[i] = atMost(printable.Line(line), 400)
	}
	return lines
}

// refusal is the server's reply that decided, zero when none came.
func refusal(r *submission.Receipt) smtp.Reply {
	if e := r.Err(); e != nil && !e.Reply.IsZero() {
		return e.Reply
	}
	for _, rcpt := range r.Recipients {
		if !rcpt.Reply.IsZero() {
			return rcpt.Reply
		}
	}
	return smtp.Reply{}
}

func (p *pipeSession) Reset() { p.order = letter{} }

func (p *pipeSession) Quit(context.Context) smtpserver.Reply {
	return smtpserver.Say(221, "2.0.0 Bye")
}

func (p *pipeSession) Logout() {}
