package relay

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/relay/event"
)

// maxReceived is how many Received fields a message may have (RFC 5321 6.3 says at least
// 100).
const maxReceived = 100

// maxReturns is how often a message may have been here before: once, because a mailbox may
// forward to where a second client sends it on.
const maxReturns = 1

// received is the value of the trace field (RFC 5321 4.4) of a message. Of what the client
// said only a cleaned name in HELO is in it, and a recipient that is the only one.
func (t *transaction) received() string {
	s := t.session
	var b strings.Builder
	fmt.Fprintf(&b, "from %s (%s) by %s %s with %s (client %s)", cleaned(s.peer.HelloName()), literal(s.now()), t.rules.hostname, s.relay.mark(), t.protocol(), t.client.Name)
	if to := t.given; len(to) == 1 && mimetext.IsASCII(to[0]) && strings.Contains(to[0], "@") {
		fmt.Fprintf(&b, " for <%s>", to[0])
	}
	if state := s.peer.TLS(); state != nil { // RFC 8314 4.3
		fmt.Fprintf(&b, " tls %s (%s)", tls.CipherSuiteName(state.CipherSuite), tls.VersionName(state.Version))
	}
	return b.String() + "; " + s.relay.opts.Now().Format(time.RFC1123Z)
}

// mark is this relay's own, by the tag of its outbox.
func (r *Relay) mark() string { return "(smtpsend " + string(r.opts.Outbox.Tag()) + ")" }

// loops says why a message goes round, by its Received fields: it was here too often, or
// everywhere. It is empty for others.
func (r *Relay) loops(values []string) (why string) {
	returns := 0
	for _, v := range values {
		if strings.Contains(strings.Join(strings.Fields(v), " "), r.mark()) {
			returns++
		}
	}
	switch {
	case returns > maxReturns:
		return "it was here before"
	case len(values) > maxReceived:
		return fmt.Sprintf("it has more than %d Received fields", maxReceived)
	}
	return ""
}

// protocol is the word after "with" (RFC 3848, RFC 6531 4.3).
func (t *transaction) protocol() string {
	s := t.session
	word := "SMTP"
	switch {
	case t.mail.UTF8:
		word = "UTF8SMTP"
	case s.extended:
		word = "ESMTP"
	}
	if word == "SMTP" {
		return word
	}
	if s.peer.TLS() != nil {
		word += "S"
	}
	if s.who.User != "" {
		word += "A"
	}
	return word
}

// literal is where the client is: its address as a literal (RFC 5321 4.1.3).
func literal(who event.Session) string {
	switch {
	case who.Unix:
		return who.Place()
	case who.Address.Is6():
		return "[IPv6:" + who.Address.WithZone("").String() + "]"
	}
	return "[" + who.Place() + "]"
}

// maxHello is how many octets of a name in HELO are written.
const maxHello = 100

// cleaned is a name in HELO without what could mean something in the field.
func cleaned(name string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune(".-_:[]", c):
			return c
		}
		return '?'
	}, name[:min(len(name), maxHello)])
	if clean == "" {
		return "unknown"
	}
	return clean
}
