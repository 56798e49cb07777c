package smtpserver

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
)

var (
	errCancelled = errors.New("smtpserver: authentication cancelled")
	errBase64    = errors.New("smtpserver: response is not base64")
)

// auth is RFC 4954 4, with and without initial response.
func (c *conn) auth(ctx context.Context, arg string) bool {
	mechanism, text, hasInitial := strings.Cut(arg, " ")
	switch {
	case !c.mayGoOn():
		return c.wire.send(c.refuse(helloFirst))
	case c.tx != nil, c.authenticated && !c.wire.grammar.allow(QuirkAuthAgain):
		return c.wire.send(c.refuse(badSequence))
	case mechanism == "":
		return c.wire.send(c.refuse(invalidArguments))
	}
	var initial []byte
	var unread, failure error
	if hasInitial {
		initial, unread = c.wire.grammar.decodeInitial(text)
		if strings.EqualFold(mechanism, "LOGIN") {
			c.wire.grammar.quirks |= QuirkAuthLogin
		}
	}
	c.authenticated = false // until the session says so again
	r := c.session.Auth(ctx, strings.ToUpper(mechanism), initial, func(challenge []byte) ([]byte, error) {
		// An initial response that is not base64 matters only to a session that
		// has a use for it: one that refuses the mechanism does not look at it.
		if failure == nil {
			failure = unread
		}
		if failure != nil {
			return nil, failure
		}
		var response []byte
		response, failure = c.challenge(challenge)
		return response, failure
	})
	return c.authDone(r, failure)
}

func (c *conn) authDone(r Reply, failure error) bool {
	switch {
	case errors.Is(failure, errCancelled):
		return c.wire.send(c.refuse(cancelled))
	case errors.Is(failure, errBase64):
		return c.wire.send(c.refuse(invalidBase64))
	case errors.Is(failure, errLineTooLong):
		return c.wire.send(c.refuse(lineTooLong))
	case errors.Is(failure, errBareLineEnd):
		return c.wire.send(c.refuse(bareLineEnd))
	case failure != nil:
		return c.wire.lost(failure)
	case r.Code == 235:
		c.authenticated = true
		c.trust()
		return c.wire.send(r)
	case r.Code/100 == 5 && !r.ends():
		return c.wire.send(c.count(r))
	}
	return c.wire.send(r)
}

// challenge sends a 334 and reads the response.
func (c *conn) challenge(text []byte) ([]byte, error) {
	// An empty challenge is "334 " with the blank (RFC 4954 4), which clients
	// split at.
	line := "334 " + base64.StdEncoding.EncodeToString(text) + "\r\n"
	if !c.wire.send(Reply{Raw: []byte(line)}) {
		return nil, errShutdown
	}
	response, err := c.wire.readLine(c.opts.MaxResponse)
	if err != nil {
		return nil, err
	}
	if response == "*" {
		return nil, errCancelled
	}
	return c.wire.grammar.decode(response)
}

// decode reads base64 (RFC 4648 4).
func (g *grammar) decode(text string) ([]byte, error) {
	out, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		return out, nil
	}
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	if out, err = base64.RawStdEncoding.DecodeString(text); err == nil && g.allow(QuirkUnpadded) {
		return out, nil
	}
	return nil, errBase64
}

func (g *grammar) decodeInitial(text string) ([]byte, error) {
	if text == "=" {
		return []byte{}, nil
	}
	out, err := g.decode(strings.TrimSpace(text))
	if err == nil && out == nil {
		out = []byte{}
	}
	return out, err
}
