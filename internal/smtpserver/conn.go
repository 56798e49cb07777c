package smtpserver

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

// conn is the state of one connection's dialogue.
type conn struct {
	opts    *Options
	wire    *wire
	session Session

	client        string // clientnet.Key
	greeted       bool   // HELO or EHLO was accepted
	helloName     string
	authenticated bool
	trusted       bool // authenticated, or a MAIL was accepted
	tx            *transaction
	commands      int // before trusted
	unaccepted    int // commands since the last content that was accepted
	refusals      int // counted ones
	told          bool
}

// transaction is what has been accepted since MAIL.
type transaction struct {
	mail       Mail
	recipients int
}

func newConn(o *Options, nc net.Conn) *conn { return &conn{opts: o, wire: newWire(o, nc)} }

// trust is for a client that is authenticated, or whose MAIL was accepted.
func (c *conn) trust() {
	c.trusted, c.wire.cutoff = true, time.Time{}
}

func (c *conn) serve(ctx context.Context) {
	defer c.tellBroken() // when there was no session; else it was told before Logout
	if c.opts.ImplicitTLS && !c.wire.handshake(ctx) {
		return
	}
	c.session = c.opts.NewSession(ctx, &Peer{c})
	defer c.logout()
	greeting := c.session.Greeting(ctx)
	if greeting.Code != 220 {
		greeting.Close = true
	}
	if !c.wire.send(greeting) {
		return
	}
	for c.next(ctx) {
	}
}

// logout is the session's last call.
func (c *conn) logout() {
	c.tellBroken()
	c.session.Logout()
}

// tellBroken tells once of a session that was broken.
func (c *conn) tellBroken() {
	if c.opts.Broken != nil && c.wire.broken.Cause != "" && !c.told {
		c.told = true
		c.opts.Broken(&Peer{c}, c.wire.broken)
	}
}

// next reads and answers one command, and reports whether another may follow.
func (c *conn) next(ctx context.Context) bool {
	line, err := c.wire.readLine(c.opts.MaxLine)
	if c.wire.setInCommand(true) && err != nil {
		err = errShutdown
	}
	defer c.wire.setInCommand(false)
	switch {
	case errors.Is(err, errLineTooLong):
		return c.wire.send(c.refuse(lineTooLong))
	case errors.Is(err, errBareLineEnd):
		return c.wire.send(c.refuse(bareLineEnd))
	case err != nil:
		return c.wire.lost(err)
	}
	if refusal := c.countCommand(); refusal != "" {
		return c.wire.send(fixed(refusal).breaking(CauseCommands))
	}
	if strings.Contains(line, "\t") && c.wire.grammar.allow(QuirkTabs) {
		line = strings.TrimLeft(strings.ReplaceAll(line, "\t", " "), " ")
	}
	if strings.ContainsFunc(line, isControl) {
		return c.wire.send(c.refuse(invalidArguments))
	}
	verb, arg, _ := strings.Cut(line, " ")
	upper := strings.ToUpper(verb)
	if upper != verb {
		c.wire.grammar.quirks |= QuirkLowerCase
	}
	if c.wire.r.Buffered() > 0 {
		c.wire.grammar.quirks |= QuirkPipelined
	}
	return c.dispatch(ctx, upper, strings.TrimSpace(arg))
}

// countCommand counts a command, and returns the refusal when there were too many.
func (c *conn) countCommand() (refusal string) {
	if c.unaccepted++; c.opts.MaxCommands > 0 && c.unaccepted > c.opts.MaxCommands {
		return tooManyCommands
	}
	if c.trusted {
		return ""
	}
	if c.commands++; c.commands > c.opts.UnauthenticatedCommands {
		return authenticateFirst
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// refuse is the counted reply to a command of wrong form or order.
func (c *conn) refuse(text string) Reply {
	c.wire.broken.LastRefusal = text
	return c.count(fixed(text))
}

// count turns a refusal into the last word when there have been too many.
func (c *conn) count(r Reply) Reply {
	if c.refusals++; c.refusals >= c.opts.MaxErrors {
		return fixed(tooManyErrors).breaking(CauseErrors)
	}
	return r
}
