package smtpserver

import (
	"context"
	"strings"
)

// dispatch answers one command, and reports whether another may follow.
func (c *conn) dispatch(ctx context.Context, verb, arg string) bool {
	c.wire.broken.LastVerb = verb
	switch verb {
	case "EHLO", "HELO":
		return c.wire.send(c.hello(ctx, arg, verb == "EHLO"))
	case "STARTTLS":
		return c.startTLS(ctx, arg)
	case "AUTH":
		return c.auth(ctx, arg)
	case "MAIL":
		return c.wire.send(c.mail(ctx, arg))
	case "RCPT":
		return c.wire.send(c.rcpt(ctx, arg))
	case "DATA":
		return c.data(ctx, arg)
	case "BDAT":
		return c.bdat(ctx, arg)
	case "RSET":
		c.reset()
		return c.wire.send(Say(250, "2.0.0 Resetting"))
	case "NOOP":
		return c.wire.send(Say(250, "2.0.0 OK"))
	case "VRFY":
		return c.wire.send(Say(252, "2.1.5 Cannot VRFY user"))
	case "HELP":
		return c.wire.send(Say(214, "This server supports the following commands:",
			"HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH BDAT"))
	case "QUIT":
		return c.wire.send(c.session.Quit(ctx).ThenClose())
	}
	c.wire.broken.LastVerb = "?"
	if isHTTP(verb, arg) {
		return c.wire.send(fixed(spokeHTTP).ThenClose().breaking(CauseHTTP))
	}
	return c.wire.send(c.refuse(unrecognized))
}

// maxHelloName is how much of a name is kept. A domain has 255 octets (RFC 5321 4.5.3.1.2).
const maxHelloName = 512

// isHTTP reports the first line of a request (RFC 9112 3). A web page can make a browser
// send one here, and it may hold commands: those of a client that its address admits.
func isHTTP(verb, arg string) bool {
	switch verb {
	case "GET", "POST", "PUT", "CONNECT", "OPTIONS", "HEAD", "DELETE", "PATCH", "TRACE", "PRI":
		return true
	}
	return strings.Contains(strings.ToUpper(arg), " HTTP/")
}

// mayGoOn reports that the client has said hello, or need not.
func (c *conn) mayGoOn() bool { return c.greeted || c.wire.grammar.allow(QuirkNoHello) }

func (c *conn) hello(ctx context.Context, name string, extended bool) Reply {
	isName := name != "" && !strings.Contains(name, " ")
	if !isName && !c.wire.grammar.allow(QuirkHelloName) {
		return c.refuse(invalidDomain)
	}
	r := c.session.Hello(ctx, name, extended)
	if r.positive() {
		c.greeted, c.helloName = true, strings.Clone(name[:min(len(name), maxHelloName)])
		c.reset() // RFC 5321 4.1.4: EHLO acts as RSET
	}
	return r
}

func (c *conn) reset() {
	c.tx = nil
	c.session.Reset()
}

// startTLS follows RFC 3207 4.2: whatever was learnt in clear is forgotten, and
// what was sent along with the command must not be read as if it had come
// through TLS (CVE-2011-0411). An honest client cannot have sent anything.
func (c *conn) startTLS(ctx context.Context, arg string) bool {
	switch {
	case c.opts.TLSConfig == nil:
		return c.wire.send(c.refuse(unrecognized))
	case arg != "":
		return c.wire.send(c.refuse(invalidArguments))
	case c.wire.stream != c.wire.tcp:
		return c.wire.send(c.refuse(badSequence))
	case !c.mayGoOn():
		return c.wire.send(c.refuse(helloFirst))
	case c.wire.r.Buffered() > 0:
		return c.wire.send(fixed(injected).ThenClose().breaking(CauseInjected))
	}
	r := c.session.StartTLS(ctx)
	if !c.wire.send(r) || r.Code != 220 {
		return !r.ends()
	}
	if err := c.wire.w.Flush(); err != nil {
		c.wire.end(CauseLost, err)
		return false
	}
	if !c.wire.handshake(ctx) {
		return false
	}
	c.greeted, c.helloName = false, ""
	c.reset()
	return true
}

func (c *conn) mail(ctx context.Context, arg string) Reply {
	if !c.mayGoOn() {
		return c.refuse(helloFirst)
	}
	if c.tx != nil {
		if !c.wire.grammar.allow(QuirkMailAgain) {
			return c.refuse(mailTwice)
		}
		c.reset()
	}
	m, refusal := c.wire.grammar.parseMail(arg)
	if refusal != "" {
		return c.refuse(refusal)
	}
	if m.Size > c.opts.MaxMessageBytes {
		return fixed(tooLarge)
	}
	r := c.session.Mail(ctx, m)
	if r.positive() {
		c.tx = &transaction{mail: m}
		c.trust()
	}
	return r
}

func (c *conn) rcpt(ctx context.Context, arg string) Reply {
	if c.tx == nil {
		return c.refuse(needMail)
	}
	rc, refusal := c.wire.grammar.parseRcpt(arg, c.tx.mail.UTF8)
	if refusal != "" {
		return c.refuse(refusal)
	}
	if c.tx.recipients >= c.opts.MaxRecipients {
		return fixed(tooManyRecipients)
	}
	r := c.session.Rcpt(ctx, rc)
	if r.positive() {
		c.tx.recipients++
	}
	return r
}
