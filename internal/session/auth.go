package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// longLine is the length of a command line that every server takes (RFC 5321
// 4.5.3.1.4), CRLF included. Exchange takes a whole token in one line; Dovecot's
// submission service does not.
const longLine = 512

// offersMechanism is the error for a server that does not offer XOAUTH2.
func (l *link) offersMechanism() error {
	mechanisms, _ := l.ext.Offers("AUTH")
	if !slices.Contains(strings.Fields(strings.ToUpper(mechanisms)), xoauth2.Mechanism) {
		return &Error{Fault: smtp.FaultXOAUTH2Missing, Err: fmt.Errorf("server does not offer AUTH XOAUTH2 (offered: %s)", orNone(mechanisms))}
	}
	return nil
}

// authenticate runs XOAUTH2. To Exchange, and where it fits, the initial
// response goes with the command, which saves a turn; otherwise, and after a
// server found the line too long (500 or 501), it answers an empty challenge
// (RFC 4954 4).
func (l *link) authenticate(ctx context.Context, token *bearer.Prefetch) error {
	if err := l.offersMechanism(); err != nil {
		return err
	}
	auth := bearer.NewAuth(l.o.Mailbox, token.Wait)
	if l.o.Security == Plaintext && l.o.Proxy == nil && loopback.Addr(l.raw.RemoteAddr()) {
		auth.AllowPlaintext()
	}
	_, response, err := auth.Start(ctx, l.tls)
	if err != nil {
		return err
	}
	l.token = auth.Token()
	l.wire.Redact(l.token.Access.Reveal(), response)
	long := len("AUTH XOAUTH2 \r\n")+base64.StdEncoding.EncodedLen(len(response)) > longLine
	r, err := l.exchangeAuth(auth, response, l.exchange || !long)
	tooLong := r.Code == 500 || r.Code == 501
	if err == nil && long && l.exchange && tooLong {
		auth = bearer.NewAuth(l.o.Mailbox, token.Wait)
		if _, _, err := auth.Start(ctx, true); err != nil {
			return err
		}
		if second, err := l.exchangeAuth(auth, nil, false); err == nil {
			r = second
		}
	}
	if err != nil {
		return err
	}
	if r.Code != 235 {
		return &Error{Reply: r, Result: auth.Result()}
	}
	return nil
}

// maxChallenges is how many challenges an exchange has at most: one for the
// token, one with an error result, one that the mechanism does not know, and
// whose answer gives up.
const maxChallenges = 3

// exchangeAuth sends AUTH and answers challenges until another reply comes.
func (l *link) exchangeAuth(auth *bearer.Auth, response []byte, oneLine bool) (smtp.Reply, error) {
	if err := l.wire.Limit(l.o.Timeouts.Command); err != nil {
		return smtp.Reply{}, err
	}
	command := "AUTH " + xoauth2.Mechanism
	if oneLine {
		command += " " + base64.StdEncoding.EncodeToString(response)
	}
	if err := l.wire.PutAs(command, redact("AUTH "+xoauth2.Mechanism+" ", len(command)-len("AUTH XOAUTH2 "))); err != nil {
		return smtp.Reply{}, err
	}
	r, err := l.wire.RoundTrip()
	for n := 1; err == nil && r.Code == 334; n++ {
		if n > maxChallenges {
			return smtp.Reply{}, Unexpected(r)
		}
		var line string
		line, err = answer(auth, r)
		if err != nil {
			return smtp.Reply{}, err
		}
		if err := l.wire.PutAs(line, redact("", len(line))); err != nil {
			return smtp.Reply{}, err
		}
		r, err = l.wire.RoundTrip()
	}
	return r, err
}

// answer is the line that answers a challenge; a challenge that the mechanism
// does not know is answered by cancelling (RFC 4954 4), upon which the server
// refuses.
func answer(auth *bearer.Auth, r smtp.Reply) (string, error) {
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Text()))
	if err != nil {
		return "*", nil
	}
	response, err := auth.Next(challenge)
	if errors.Is(err, xoauth2.ErrUnexpectedChallenge) {
		return "*", nil
	}
	return base64.StdEncoding.EncodeToString(response), err
}

// redact is what the trace has in place of a line that carries a credential.
func redact(prefix string, n int) string {
	if n <= 0 {
		return strings.TrimSpace(prefix)
	}
	return fmt.Sprintf("%s[redacted, %d octets]", prefix, n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
