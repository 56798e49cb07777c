package submission

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mailobject"
)

// mailDSN is what MAIL has of a wish for notifications (RFC 3461 4.3, 4.4), ""
// where the server offers none.
func (s *Session) mailDSN(d mailobject.DSN) string {
	if _, ok := s.offers("DSN"); !ok {
		return ""
	}
	var params string
	if d.Return != "" {
		params += " RET=" + d.Return
	}
	if d.EnvelopeID != "" {
		params += " ENVID=" + xtext(d.EnvelopeID)
	}
	return params
}

func (s *Session) rcptCommand(m *mailobject.Mail, path string) string {
	cmd := "RCPT TO:<" + path + ">"
	if _, ok := s.offers("DSN"); ok && m.Envelope.DSN.Notify != "" {
		cmd += " NOTIFY=" + m.Envelope.DSN.Notify // RFC 3461 4.1
	}
	return cmd
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
