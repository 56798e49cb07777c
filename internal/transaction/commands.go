package transaction

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// commands are MAIL and RCPT for one mail object, with the parameters that the
// server offers.
type commands struct {
	ext  session.Extensions
	mail *mailobject.Mail
}

func (p *Pipeline) commands(m *mailobject.Mail) commands {
	return commands{ext: p.session.Extensions(), mail: m}
}

// from is MAIL. It has SIZE, BODY and SMTPUTF8 only where offered and needed:
// Exchange has been seen to advertise SMTPUTF8 and refuse it (502 5.3.3).
func (c commands) from() string {
	cmd := "MAIL FROM:<" + c.mail.Envelope.ReversePath + ">"
	if _, ok := c.ext.Offers("SIZE"); ok {
		cmd += " SIZE=" + strconv.FormatInt(c.mail.Content.Size(), 10)
	}
	if _, ok := c.ext.Offers("8BITMIME"); ok && c.mail.Content.EightBit() {
		cmd += " BODY=8BITMIME"
	}
	if c.mail.NeedsSMTPUTF8() {
		cmd += " SMTPUTF8"
	}
	if _, ok := c.ext.Offers("DSN"); !ok {
		return cmd
	}
	if d := c.mail.Envelope.DSN; d.Return != "" { // RFC 3461 4.3
		cmd += " RET=" + d.Return
	}
	if d := c.mail.Envelope.DSN; d.EnvelopeID != "" { // RFC 3461 4.4
		cmd += " ENVID=" + xtext(d.EnvelopeID)
	}
	return cmd
}

// to is RCPT for one forward-path.
func (c commands) to(path string) string {
	cmd := "RCPT TO:<" + path + ">"
	if _, ok := c.ext.Offers("DSN"); ok && c.mail.Envelope.DSN.Notify != "" {
		cmd += " NOTIFY=" + c.mail.Envelope.DSN.Notify // RFC 3461 4.1
	}
	return cmd
}

// putGroup buffers the commands up to DATA. With AllOrNone it ends before DATA,
// after which there is no way to take back an accepted RCPT but to cut the
// connection.
func (p *Pipeline) putGroup(t *transaction) error {
	if t.reset = p.reset; t.reset {
		p.reset = false
		if err := p.wire.Put("RSET"); err != nil {
			return err
		}
	}
	if err := p.putEnvelope(t); err != nil {
		return err
	}
	if p.o.AllOrNone {
		return nil
	}
	return p.wire.Put("DATA")
}

// putEnvelope buffers MAIL and every RCPT.
func (p *Pipeline) putEnvelope(t *transaction) error {
	c := p.commands(t.mail)
	if err := p.wire.Put(c.from()); err != nil {
		return err
	}
	for _, path := range t.to {
		if err := p.wire.Put(c.to(path)); err != nil {
			return err
		}
	}
	return nil
}

// xtext is the encoding of RFC 3461 4: "+" and hexadecimal digits for "+", "="
// and what is not printable.
func xtext(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Faults that only a transaction meets; each is the code of a catalogue entry.
const (
	faultTooLarge        smtp.Fault = "message-too-large"
	faultSMTPUTF8Missing smtp.Fault = "smtputf8-missing"
	faultEightBitMissing smtp.Fault = "8bitmime-missing"
)

// acceptable checks what the server said that it cannot take, before it has to
// say so again (RFC 1870 6.1, RFC 6531 3.1, RFC 6152 3).
func (c commands) acceptable() *session.Error {
	if limit, ok := c.ext.SizeLimit(); ok && c.mail.Content.Size() > limit {
		return &session.Error{Stage: smtp.StageMail, Fault: faultTooLarge,
			Err: fmt.Errorf("content of %d octets exceeds the server's limit of %d", c.mail.Content.Size(), limit)}
	}
	if _, ok := c.ext.Offers("SMTPUTF8"); c.mail.NeedsSMTPUTF8() && !ok {
		return &session.Error{Stage: smtp.StageMail, Fault: faultSMTPUTF8Missing,
			Err: errors.New("an address is not ASCII and the server does not offer SMTPUTF8")}
	}
	if _, ok := c.ext.Offers("8BITMIME"); c.mail.Content.EightBit() && !ok {
		return &session.Error{Stage: smtp.StageMail, Fault: faultEightBitMissing,
			Err: errors.New("the content has octets above 127 and the server does not offer 8BITMIME")}
	}
	return nil
}
