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

	helloName     string
	authenticated bool
	trusted       bool // authenticated, or a MAIL was accepted
	tx            *transaction
	commands      int // before trusted
	refusals      int // counted ones
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
	defer c.wire.tcp.Close()
	if c.opts.ImplicitTLS && !c.wire.handshake(ctx) {
		return
	}
	c.session = c.opts.NewSession(ctx, &Peer{c})
	defer c.session.Logout()
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
	if !c.trusted {
		if c.commands++; c.commands > c.opts.UnauthenticatedCommands {
			return c.wire.send(fixed(authenticateFirst))
		}
	}
	if strings.ContainsFunc(line, isControl) {
		return c.wire.send(c.refuse(invalidArguments))
	}
	verb, arg, _ := strings.Cut(line, " ")
	return c.dispatch(ctx, strings.ToUpper(verb), strings.TrimSpace(arg))
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// refuse is the counted reply to a command of wrong form or order.
func (c *conn) refuse(text string) Reply { return c.count(fixed(text)) }

// count turns a refusal into the last word when there have been too many.
func (c *conn) count(r Reply) Reply {
	if c.refusals++; c.refusals >= c.opts.MaxErrors {
		return fixed(tooManyErrors)
	}
	return r
}
