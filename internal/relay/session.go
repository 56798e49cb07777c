package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/smtpsend/smtpsend/internal/clientnet"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/listener"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/users"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// session answers one client.
type session struct {
	relay *Relay
	port  *port
	peer  *smtpserver.Peer
	who   admission.Peer

	extended bool // EHLO, not HELO
	isCheck  bool // the relay's own
	visit    event.Visit
	tx       *transaction // since MAIL
	stranger string       // that signed in with a password that no one looked at; see Learning
}

func newSession(p *port, peer *smtpserver.Peer) *session {
	s := &session{relay: p.relay, port: p, peer: peer, who: peerAt(peer.RemoteAddr())}
	s.visit.Began = s.relay.opts.Now()
	if at, ok := peer.RemoteAddr().(place); ok {
		at.connection.session = s
	}
	return s
}

// peerAt is who is at an address of a connection.
func peerAt(addr net.Addr) admission.Peer {
	if at, ok := addr.(place); ok {
		addr = at.Addr
	}
	switch a := addr.(type) {
	case listener.LocalUser:
		return admission.Peer{Unix: true, UID: uint32(a.UID)}
	case *net.UnixAddr:
		return admission.Peer{Unix: true, UID: noUID}
	}
	ap, _ := netip.ParseAddrPort(addr.String())
	return admission.Peer{Addr: ap.Addr().Unmap()}
}

// noUID is no one's (uid_t)-1.
const noUID = 1<<32 - 1

// rulesNow are the rules in force and what they say of this listener; gone when the file
// in force does not have it.
func (s *session) rulesNow() (r *rules, l *relayfile.Listener, gone bool) {
	r = s.relay.rules.Load()
	if l = r.listeners[s.port.key]; l != nil {
		return r, l, false
	}
	return r, s.port.entry.Load(), true
}

func (s *session) Greeting(context.Context) smtpserver.Reply {
	r, l, _ := s.rulesNow()
	if client, _ := r.table.Admit(l, s.who); client != nil || s.learns() {
		s.peer.Trust()
	}
	return smtpserver.Say(220, r.hostname+" ESMTP smtpsend")
}

func (s *session) Hello(_ context.Context, name string, extended bool) smtpserver.Reply {
	r, l, _ := s.rulesNow()
	s.extended = extended
	s.visit.Hello = event.Cut(name)
	if !extended {
		return smtpserver.Say(250, r.hostname)
	}
	lines := []string{r.hostname, "PIPELINING", fmt.Sprintf("SIZE %d", l.Limits.Size), "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING"}
	if l.Address.Scheme == relayfile.SchemeSTARTTLS && s.peer.TLS() == nil {
		lines = append(lines, "STARTTLS")
	}
	mayHelp := s.mayAuth(l) && r.table.OffersAuth(l, s.who)
	if mayHelp || s.learns() {
		lines = append(lines, "AUTH LOGIN PLAIN")
	}
	return smtpserver.Say(250, lines...)
}

// mayAuth reports that a password may be sent now.
func (s *session) mayAuth(l *relayfile.Listener) bool { return s.peer.TLS() != nil || l.AuthInClear() }

// StartTLS forgets what was said before (RFC 3207 4.2).
func (s *session) StartTLS(context.Context) smtpserver.Reply {
	s.who.User, s.stranger = "", ""
	return smtpserver.Say(220, "2.0.0 Ready to start TLS")
}

// errDialogue says that the dialogue of AUTH ended early; smtpserver has the reply.
var errDialogue = errors.New("relay: the dialogue of AUTH ended")

func (s *session) Auth(ctx context.Context, mechanism string, initial []byte, challenge func([]byte) ([]byte, error)) smtpserver.Reply {
	r, l, _ := s.rulesNow()
	s.who.User, s.stranger = "", ""
	offered := r.table.OffersAuth(l, s.who) && r.users != nil
	isKnown := mechanism == "LOGIN" || mechanism == "PLAIN"
	switch {
	case s.learns() && isKnown:
		return learnAuth(ctx, s, r, mechanism, initial, challenge)
	case !offered:
		return s.refuse(refusal{stage: event.StageAuth, code: event.AuthNotOffered, reply: 502, enhanced: "5.5.1",
			text: s.place() + " cannot sign in here: switch off the user name at the device, or give it a client with a user at the relay"})
	case !s.mayAuth(l):
		exposed := mechanism == "PLAIN" && len(initial) > 0
		return s.refuse(refusal{stage: event.StageAuth, code: event.AuthInClear, reply: 538, enhanced: "5.7.11", exposed: exposed,
			text: "Must issue a STARTTLS command first: switch on TLS at the device"})
	case !isKnown:
		return s.refuse(refusal{stage: event.StageAuth, code: event.AuthMechanism, reply: 504, enhanced: "5.5.4", text: "AUTH by LOGIN or PLAIN only"})
	}
	name, password, err := credentials(mechanism, initial, challenge)
	if errors.Is(err, errDialogue) {
		return smtpserver.Say(501, "5.5.2 Authentication ended")
	}
	if err == nil {
		name, err = checked(ctx, r.users, clientnet.Key(s.peer.RemoteAddr()), name, password)
	}
	return s.signedIn(name, err)
}

// credentials are the name and the password of a dialogue. The prompts of LOGIN are those
// that devices compare with. The error is errDialogue, or users.ErrWrong for what is not a
// name and a password.
func credentials(mechanism string, initial []byte, challenge func([]byte) ([]byte, error)) (name, password string, err error) {
	ask := func(prompt string) string {
		answer, e := challenge([]byte(prompt))
		if e != nil && err == nil {
			err = errDialogue
		}
		return string(answer)
	}
	if mechanism == "LOGIN" {
		name = string(initial)
		if initial == nil {
			name = ask("Username:")
		}
		if err == nil {
			password = ask("Password:")
		}
		return name, password, err
	}
	if initial == nil {
		initial = []byte(ask(""))
	}
	parts := bytes.Split(initial, []byte{0}) // RFC 4616: authorization identity, name, password
	switch {
	case err != nil:
		return "", "", err
	case len(parts) != 3:
		return "", "", users.ErrWrong
	case len(parts[0]) > 0 && !bytes.EqualFold(parts[0], parts[1]): // to act as another
		return string(parts[1]), "", users.ErrWrong
	}
	return string(parts[1]), string(parts[2]), nil
}

// checked asks the users file; name is as given after an error.
func checked(ctx context.Context, u *users.Users, client, name, password string) (string, error) {
	known, err := u.Check(ctx, client, name, password)
	if err != nil {
		return name, err
	}
	return known, nil
}

// signedIn answers AUTH.
func (s *session) signedIn(name string, err error) smtpserver.Reply {
	refused := refusal{stage: event.StageAuth, name: name}
	switch {
	case err == nil:
		s.who.User = name
		return smtpserver.Say(235, "2.7.0 Authentication successful")
	case errors.Is(err, users.ErrWrong):
		refused.code, refused.reply, refused.enhanced, refused.text = event.AuthWrong, 535, "5.7.8", "the user name or the password is wrong"
	default: // too many wrong ones, or the relay ends
		refused.code, refused.reply, refused.enhanced, refused.text = event.AuthLater, 454, "4.7.0", "too many wrong passwords from "+s.place()+": try again in some minutes"
	}
	return s.refuse(refused)
}

func (s *session) Reset() {
	if s.tx != nil {
		s.tx.end()
		s.tx = nil
	}
}

func (s *session) Quit(context.Context) smtpserver.Reply {
	s.isCheck = s.visit.Hello == "" && s.relay.isCheck(s.peer.RemoteAddr()) // while it waits for the reply
	return smtpserver.Say(221, "2.0.0 Bye")
}

func (s *session) Logout() {
	s.Reset()
	s.visit.Session = s.now()
	s.visit.Quirks = s.peer.Quirks()
	if s.isCheck {
		return
	}
	s.relay.opts.Visited(s.visit)
}

// now is the session for an event.
func (s *session) now() event.Session {
	e := s.visit.Session
	l := s.port.entry.Load()
	e.Time, e.Listener, e.Lowest = s.relay.opts.Now(), l.Address.String(), uint16(l.TLSMin)
	e.Unix, e.Address, e.UID, e.User = s.who.Unix, s.who.Addr, s.who.UID, event.Cut(cmp.Or(s.who.User, s.stranger))
	e.TLS = tlsOf(s.peer)
	return e
}

func tlsOf(peer *smtpserver.Peer) event.TLS {
	if state := peer.TLS(); state != nil {
		return event.TLS{Version: state.Version, CipherSuite: state.CipherSuite}
	}
	return event.TLS{}
}

// place is where the client is, for people.
func (s *session) place() string {
	e := s.now()
	return e.Place()
}

// sessionBroke is told by the server of sessions that ended otherwise than by QUIT.
func (p *port) sessionBroke(peer *smtpserver.Peer, b smtpserver.Broken) {
	if p.relay.isCheck(peer.RemoteAddr()) {
		return
	}
	s := &session{relay: p.relay, port: p, peer: peer, who: peerAt(peer.RemoteAddr())} // for those that never were one
	if at, ok := peer.RemoteAddr().(place); ok && at.connection.session != nil {
		s = at.connection.session
		s.visit.Broken = &b
	}
	s.logBroken(b)
	if b.Cause == smtpserver.CauseClosed && s.visit.Refusals > 0 {
		return // a client that hangs up after a refusal: the refusal is told
	}
	p.relay.opts.Refused(event.Refusal{Session: s.now(), Stage: event.StageConnection, Code: event.SessionBroken, Reply: b.LastRefusal, Broken: &b})
}

// refusal is what a session refuses, and why.
type refusal struct {
	stage          event.Stage
	code           event.Code
	reply          int
	enhanced, text string
	mail           string // at event.StageMail; later it is known
	rcpt, name     string
	exposed        bool
}

// refuse tells of a refusal and makes its reply, in one line of ASCII.
func (s *session) refuse(r refusal) smtpserver.Reply {
	text := line(r.enhanced + " " + r.text)
	e := event.Refusal{Session: s.now(), Stage: r.stage, Code: r.code, Mail: event.Cut(r.mail), Rcpt: event.Cut(r.rcpt), Name: event.Cut(r.name), Exposed: r.exposed,
		Reply: fmt.Sprintf("%d %s", r.reply, text)}
	if s.tx != nil {
		e.Mail = event.Cut(s.tx.mail.ReversePath)
	}
	s.visit.Refusals++
	s.logRefusal(&e)
	s.relay.opts.Refused(e)
	return smtpserver.Say(r.reply, text)
}

// maxReply is how much of a text goes into a reply, of whose line RFC 5321 4.5.3.1.5
// allows 512 octets.
const maxReply = 480

// line is a text as a reply can have it: one line of ASCII.
func line(text string) string {
	var b strings.Builder
	for _, c := range text {
		if b.Len() >= maxReply {
			break
		}
		if c < ' ' || c > '~' {
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}
