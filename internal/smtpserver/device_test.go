package smtpserver_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// TestOldDevices: what a device does that RFC 5321 does not let it do is refused, and is
// let through where the caller wants it. Sources: field reports of printers, scanners,
// NAS and IIS.
func TestOldDevices(t *testing.T) {
	const hello = "S: 220 test ready\nC: HELO me\nS: 250 test\n"
	for name, tt := range map[string]struct {
		strict, tolerant string
		quirks           smtpserver.Quirks
	}{
		"HELO without a name": {"S: 220 test ready\nC: HELO\nS: 501 5.5.4 Invalid domain name", "S: 220 test ready\nC: HELO\nS: 250 test\nC: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>",
			smtpserver.QuirkHelloName},
		"EHLO with blanks in its name": {"S: 220 test ready\nC: EHLO my printer\nS: 501 5.5.4 Invalid domain name", "S: 220 test ready\nC: EHLO my printer\nS: 250-test Hello my printer\nS: 250 STARTTLS",
			smtpserver.QuirkHelloName},
		"path without brackets": {hello + "C: MAIL FROM:a@b SIZE=5\nS: 501 5.5.4 Invalid arguments",
			hello + "C: MAIL FROM:a@b SIZE=5\nS: 250 2.1.0 from <a@b>\nC: RCPT TO: c@d\nS: 250 2.1.5 to <c@d>\nC: RCPT TO:c@d>\nS: 501 5.5.4 Invalid arguments\nC: RCPT TO:\nS: 501 5.5.4 Invalid arguments",
			smtpserver.QuirkNoBrackets | smtpserver.QuirkPathBlanks},
		"no hello": {"S: 220 test ready\nC: MAIL FROM:<a@b>\nS: 503 5.5.2 Send hello first\nC: AUTH TEST c2VjcmV0\nS: 503 5.5.2 Send hello first",
			"S: 220 test ready\nC: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes\nC: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>", smtpserver.QuirkNoHello},
		"tabs": {hello + "C: NOOP\tx\nS: 501 5.5.4 Invalid arguments", "S: 220 test ready\nC: HELO\tme\t\nS: 250 test\nC: MAIL\tFROM:\t<a@b>\tSIZE=5\t\nS: 250 2.1.0 from <a@b>\nC: NOOP \x01\nS: 501 5.5.4 Invalid arguments",
			smtpserver.QuirkTabs | smtpserver.QuirkPathBlanks},
		"a semicolon after the path": {hello + "C: MAIL FROM:<a@b>;\nS: 501 5.5.4 Invalid arguments",
			hello + "C: MAIL FROM:<a@b>; SIZE=5\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<c@d>;\nS: 250 2.1.5 to <c@d>\nC: RCPT TO:<c@d>x\nS: 501 5.5.4 Invalid arguments", smtpserver.QuirkSemicolon},
		"blanks in the brackets": {hello + "C: MAIL FROM:< a@b >\nS: 501 5.1.7 Invalid address", hello + "C: MAIL FROM:< a@b >\nS: 250 2.1.0 from <a@b>", smtpserver.QuirkPathBlanks},
		"SIZE that is not a number": {hello + "C: MAIL FROM:<a@b> SIZE=big\nS: 501 5.5.4 Invalid arguments",
			hello + "C: MAIL FROM:<a@b> SIZE=big BODY=8BITMIME\nS: 250 2.1.0 from <a@b>\nC: RSET\nS: 250 2.0.0 Resetting\nC: MAIL FROM:<a@b> SIZE= 12\nS: 250 2.1.0 from <a@b>\nC: RSET\nS: 250 2.0.0 Resetting\nC: MAIL FROM:<a@b> SIZE\nS: 250 2.1.0 from <a@b>",
			smtpserver.QuirkSize},
		"SIZE over the limit is no quirk": {hello + "C: MAIL FROM:<a@b> SIZE=157286401\nS: 552 5.3.4 Message size exceeds fixed maximum message size", hello + "C: MAIL FROM:<a@b> SIZE=157286401\nS: 552 5.3.4 Message size exceeds fixed maximum message size", 0},
		"AUTH twice": {hello + "C: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes\nC: AUTH TEST c2VjcmV0\nS: 503 5.5.1 Bad sequence of commands", hello + "C: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes\nC: AUTH TEST c2VjcmV0\nS: 235 2.7.0 yes",
			smtpserver.QuirkAuthAgain},
		"AUTH in a transaction": {hello + "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: AUTH TEST c2VjcmV0\nS: 503 5.5.1 Bad sequence of commands", hello + "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: AUTH TEST c2VjcmV0\nS: 503 5.5.1 Bad sequence of commands", 0},
		"MAIL again after an error": {hello + "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: MAIL FROM:<c@d>\nS: 503 5.5.2 Sender already specified",
			hello + "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<x@y>\nS: 250 2.1.5 to <x@y>\nC: MAIL FROM:<c@d>\nS: 250 2.1.0 from <c@d>\nC: DATA\nS: 503 5.5.2 Need rcpt command",
			smtpserver.QuirkMailAgain},
		"base64 without padding": {hello + "C: AUTH TEST eA\nS: 501 5.5.2 Cannot decode response", hello + "C: AUTH TEST eA\nS: 535 5.7.3 no: x\nC: AUTH TEST\nS: 334␠\nC: eA=\nS: 535 5.7.3 no: x", smtpserver.QuirkUnpadded},
		"what is not base64":     {hello + "C: AUTH TEST e?\nS: 501 5.5.2 Cannot decode response", hello + "C: AUTH TEST e?\nS: 501 5.5.2 Cannot decode response", 0},
		"name in AUTH LOGIN":     {hello + "C: AUTH LOGIN eA==\nS: 504 5.7.4 Unrecognized authentication type", hello + "C: auth login eA==\nS: 504 5.7.4 Unrecognized authentication type", smtpserver.QuirkAuthLogin | smtpserver.QuirkLowerCase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serve(t, smtpserver.Options{}, nil).dial(t).dialogue(tt.strict)
			h := serve(t, smtpserver.Options{Tolerant: true}, nil)
			c := h.dial(t)
			c.dialogue(tt.tolerant + "\nC: QUIT\nS: 221 2.0.0 bye")
			c.wantClosed()
			h.close(t)
			if got := h.box.quirks; len(got) != 1 || got[0] != tt.quirks {
				t.Errorf("quirks %v; want %v", got, tt.quirks)
			}
		})
	}
}

// TestNoHelloAroundSTARTTLS: neither before it nor after it.
func TestNoHelloAroundSTARTTLS(t *testing.T) {
	h := serve(t, smtpserver.Options{TLSConfig: certificate(t)}, nil)
	h.dial(t).dialogue("S: 220 test ready\nC: STARTTLS\nS: 503 5.5.2 Send hello first")
	h = serve(t, smtpserver.Options{TLSConfig: certificate(t), Tolerant: true}, nil)
	c := h.dial(t)
	c.want("220 test ready")
	c.startTLS(trustAll)
	c.dialogue("C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>")
}

// A web page can make the browser of a client that is admitted by its address send a
// POST to this port, with commands in it.
func TestHTTPIsNotSpoken(t *testing.T) {
	for _, verb := range []string{"GET", "POST", "PUT", "CONNECT", "OPTIONS", "HEAD", "DELETE", "PATCH", "TRACE", "PRI"} {
		h, told := watched(t, smtpserver.Options{Tolerant: true}, nil)
		c := h.dial(t)
		c.write(verb + " / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nEHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\r\nx\r\n.\r\n")
		c.want("220 test ready", "554 5.5.1 SMTP is spoken here, not HTTP")
		c.wantClosed()
		if got := next(t, told); got.Cause != smtpserver.CauseHTTP || got.LastVerb != "?" {
			t.Errorf("%s: %+v", verb, got)
		}
		h.close(t)
		if len(h.box.all()) > 0 {
			t.Errorf("%s carried a message", verb)
		}
	}
}

func TestPipelineThatWasNotOffered(t *testing.T) {
	h := serve(t, smtpserver.Options{Tolerant: true, LineEnds: smtpserver.ConvertBare}, nil)
	c := h.dial(t)
	c.write("HELO me\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nbare\n.\r\nQUIT\n")
	c.want("220 test ready", "250 test", "250 2.1.0 from <a@b>", "250 2.1.5 to <c@d>", "354 go")
	_ = c.conn.Close()
	h.close(t)
	if len(h.box.all()) != 0 {
		t.Error("a dot after a bare LF ended the content")
	}
	if got := fmt.Sprint(h.box.quirks); got != "[bare-lf,pipelined,no-quit]" && got != "[bare-lf,pipelined]" {
		t.Errorf("quirks %v", got)
	}
}

func TestCommandsBetweenMessagesAreCounted(t *testing.T) {
	const message = "C: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<c@d>\nS: 250 2.1.5 to <c@d>\nC: DATA\nS: 354 go\nC: .\nS: 250 2.0.0 took 0 octets\n"
	const noop = "C: NOOP\nS: 250 2.0.0 OK\n"
	h := serve(t, smtpserver.Options{MaxCommands: 5}, nil)
	c := h.dial(t)
	c.dialogue("S: 220 test ready\nC: HELO me\nS: 250 test\n" + noop + message + noop + noop + message + noop + noop + noop + noop + noop + "C: RSET")
	c.want("421 4.7.0 Too many commands without a message, closing transmission channel")
	c.wantClosed()
	// Those between chunks count too, and the chunks do not.
	c = h.dial(t)
	c.dialogue("S: 220 test ready\nC: HELO me\nS: 250 test\nC: MAIL FROM:<a@b>\nS: 250 2.1.0 from <a@b>\nC: RCPT TO:<c@d>\nS: 250 2.1.5 to <c@d>")
	for range 9 {
		c.dialogue("C: BDAT 0\nS: 250 2.6.0 CHUNK received OK, 0 octets")
	}
	c.dialogue(noop + "C: NOOP")
	c.want("421 4.7.0 Too many commands without a message, closing transmission channel")
	c.wantClosed()
	if got := len(h.box.all()); got != 2 {
		t.Errorf("stored %d messages", got)
	}
}

// trusting admits its client by the address.
type trusting struct{ *session }

func (s trusting) Greeting(ctx context.Context) smtpserver.Reply {
	s.peer.Trust()
	return s.session.Greeting(ctx)
}

func TestAdmittedClientMayTakeItsTime(t *testing.T) {
	box := &mailbox{}
	h := start(t, box, smtpserver.Options{UnauthenticatedCommands: 1, NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
		return trusting{&session{box: box, peer: p}}
	}})
	h.dial(t).dialogue("S: 220 test ready\nC: NOOP\nS: 250 2.0.0 OK\nC: NOOP\nS: 250 2.0.0 OK\nC: NOOP\nS: 250 2.0.0 OK")
}
