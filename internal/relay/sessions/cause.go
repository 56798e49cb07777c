package sessions

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
)

// Cause says in words why something was refused, or a session broke, and what helps: a
// sentence without a full stop, that names the client. Texts of the client are quoted
// and printable. The catalogue's entry of Refusal.Entry says more.
func Cause(r *event.Refusal) string {
	who := r.Place()
	if r.Broken != nil {
		return printable.Line(who + " " + brokenCause(r))
	}
	switch r.Code {
	case event.ProxyHeader, event.ProxyBusy, event.PeerUnknown:
		return printable.Line("a connection of " + who + " was closed: " + r.Reply)
	case event.TLSRequired:
		return who + " wanted to send without TLS where clients have to sign in: switch on TLS and a user name at the device, or admit it by address"
	case event.AuthInClear:
		return who + " " + inClear(r)
	case event.AuthNotOffered:
		return who + " wanted to sign in where no password is taken: switch off the user name at the device, or give it a client with a user and the listener the policy ip-or-auth"
	case event.AuthMechanism:
		return who + " wanted to sign in by another mechanism than LOGIN and PLAIN: set the device to one of them, with TLS"
	case event.AuthWrong:
		return wrongPassword(who, r.Name)
	case event.AuthLater:
		return fmt.Sprintf("%s wanted to sign in as %q after too many wrong passwords: correct the password at the device; it can sign in again in some minutes", who, r.Name)
	case event.CodeOf(admission.NotAllowedHere):
		return fmt.Sprintf("%s belongs to no client, and wanted to send as %s: if it is yours, add it to the clients with networks: [%s]%s", who, quoted(r.Mail), who, senders(r.Mail))
	case event.CodeOf(admission.AuthRequired):
		return fmt.Sprintf("%s wanted to send as %s without signing in: set a user name and a password at the device, or admit it by address", who, quoted(r.Mail))
	}
	return printable.Line(who + " was told: " + saying(r.Reply) + helps(r.Code))
}

// helps ends the sentence of a refusal whose reply is for a person at the device, who cannot
// change the settings.
func helps(code event.Code) string {
	switch code {
	case event.CodeOf(sender.NotAllowed):
		return "; set another sender at the device, or add this one to senders of the client"
	case event.CodeOf(sender.FromNotAllowed):
		return "; set another sender at the device, or add this one to senders of the client, or give the client mailbox and force: true"
	case event.RecipientElsewhere:
		return "; if it should, add the domain to recipient_domains of the client"
	}
	return ""
}

// inClear is a sign-in without TLS.
func inClear(r *event.Refusal) string {
	if r.Exposed {
		return "sent a password without TLS, which everyone on the network between could read: switch on TLS at the device, and then set another password"
	}
	return "began to sign in without TLS: switch on TLS at the device (STARTTLS), or admit it by address"
}

func wrongPassword(who, name string) string {
	text := fmt.Sprintf("%s signed in as %q, which the relay's users file does not have with this password", who, name)
	if strings.Contains(name, "@") {
		text += "; a mailbox and its password are not known to the relay"
	}
	return text + ": see the names with \"smtpsend relay user ls\""
}

// quoted is a reverse-path as people read it.
func quoted(path string) string {
	if path == "" {
		return "<>"
	}
	return fmt.Sprintf("%q", path)
}

// senders is the rest of a line for the settings file.
func senders(path string) string {
	if !strings.Contains(path, "@") {
		return ""
	}
	return fmt.Sprintf(" and senders: [%q]", path)
}

// saying is a reply without its codes.
func saying(reply string) string {
	parts := strings.SplitN(reply, " ", 3)
	isReply := len(parts) == 3 && len(parts[0]) == 3 && strings.Count(parts[1], ".") == 2
	if !isReply {
		return reply
	}
	return parts[2]
}
