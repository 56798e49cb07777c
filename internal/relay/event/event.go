// Package event is what a relay tells of its clients: each refusal when it is said, and
// each session when it is over. Those who keep, list or learn from it import this, and
// not the relay. Texts that a client chose (Hello, User, Mail, Rcpt, Senders, Authors) are
// as it sent them, cut at MaxText octets: whoever shows them makes them printable first.
package event

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Limits of what an event holds.
const (
	MaxText = 320 // octets of a text that a client chose
	MaxSeen = 50  // senders, authors or domains of a Visit
)

// Code says why something was refused. Each is one of the catalogue of failures. Those of
// packages admission and sender are made by CodeOf.
type Code string

// The codes of refusals that the relay makes itself.
const (
	ProxyHeader        Code = "relay-proxy-header"         // a proxy's connection without a valid header of the PROXY protocol
	ProxyBusy          Code = "relay-proxy-busy"           // too many of a proxy's connections wait for that
	PeerUnknown        Code = "relay-peer-unknown"         // the system does not say whose program is on a Unix socket
	TLSRequired        Code = "relay-tls-required"         // AUTH is needed, and TLS before it
	AuthInClear        Code = "relay-auth-in-clear"        // AUTH without TLS where that is not permitted; see Refusal.Exposed
	AuthNotOffered     Code = "relay-auth-not-offered"     // no user would help here
	AuthMechanism      Code = "relay-auth-mechanism"       // neither LOGIN nor PLAIN
	AuthWrong          Code = "relay-auth-wrong"           // name or password
	AuthLater          Code = "relay-auth-later"           // too many wrong passwords
	ListenerRemoved    Code = "relay-listener-removed"     // the settings have no such listener any more, and the client is admitted by none
	TooLarge           Code = "relay-too-large"            // the message
	TooManyRecipients  Code = "relay-too-many-recipients"  // of one message
	BudgetUsedUp       Code = "relay-budget-used-up"       // the client's
	MailboxBlocked     Code = "relay-mailbox-blocked"      // by Exchange Online
	SenderHeld         Code = "relay-sender-held"          // Exchange Online refuses it, and the outbox holds its mail
	RecipientBad       Code = "relay-recipient-unreadable" // not an address
	RecipientLocal     Code = "relay-recipient-local"      // no domain, and no alias
	AliasesWrong       Code = "relay-aliases-wrong"        // an alias leads nowhere that mail can go
	RecipientElsewhere Code = "relay-recipient-elsewhere"  // the client may not write to its domain
	MessageBad         Code = "relay-message-unreadable"   // the content is not a message
	Loop               Code = "relay-loop"                 // it was here before
	OutboxFull         Code = "relay-outbox-full"          // the disk
	OutboxTrouble      Code = "relay-outbox-trouble"       // the outbox could not take it now
	SmartHost          Code = "relay-smart-host"           // the server that takes the mail in the learning mode did not
	SessionBroken      Code = "relay-session-broken"       // see Refusal.Broken
)

// Codes are all of them.
func Codes() []Code {
	return []Code{
		ProxyHeader, ProxyBusy, PeerUnknown, TLSRequired, AuthInClear, AuthNotOffered, AuthMechanism, AuthWrong, AuthLater, ListenerRemoved, TooLarge,
		TooManyRecipients, BudgetUsedUp, MailboxBlocked, SenderHeld, RecipientBad, RecipientLocal, AliasesWrong, RecipientElsewhere, MessageBad, Loop, OutboxFull, OutboxTrouble,
		SmartHost, SessionBroken,
	}
}

// CodeOf is the code of a reason of package admission or sender, or of a cause of package
// smtpserver.
func CodeOf[R ~string](reason R) Code {
	return Code("relay-" + strings.ReplaceAll(string(reason), "_", "-"))
}

// Stage is where in a session something was refused.
type Stage string

// The stages.
const (
	StageConnection Stage = "connection" // of sessions that are broken
	StageAuth       Stage = "AUTH"
	StageMail       Stage = "MAIL"
	StageRcpt       Stage = "RCPT"
	StageContent    Stage = "content"
)

// Session is who is at the other end, as far as it is known.
type Session struct {
	Time     time.Time // of the event; of a Visit, its end
	Listener string    // its address in the settings file
	Lowest   uint16    // TLS version that it takes, such as tls.VersionTLS12; 0: it has no TLS
	Unix     bool      // on a Unix socket: UID counts, and not Address
	Address  netip.Addr
	UID      uint32
	Hello    string // the name in HELO or EHLO
	TLS      TLS
	User     string // that signed in
	Client   string // of the settings file, as which it was admitted last
}

// Place is the address, or "uid 33".
func (s *Session) Place() string {
	if s.Unix {
		return "uid " + strconv.FormatUint(uint64(s.UID), 10)
	}
	if !s.Address.IsValid() {
		return "unknown"
	}
	return s.Address.String()
}

// TLS is that of a connection; the zero value has none.
type TLS struct{ Version, CipherSuite uint16 }

// IsZero reports a connection in clear.
func (t TLS) IsZero() bool { return t == TLS{} }

// String is "TLS 1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "" without TLS.
func (t TLS) String() string {
	if t.IsZero() {
		return ""
	}
	return tls.VersionName(t.Version) + " " + tls.CipherSuiteName(t.CipherSuite)
}

// Refusal is something that was refused, or a session that broke.
type Refusal struct {
	Session
	Stage   Stage
	Code    Code
	Mail    string // the reverse-path, from StageMail on; "" = the null reverse-path
	Rcpt    string // at StageRcpt
	Name    string // that wanted to sign in, at StageAuth
	Exposed bool   // a password was sent without TLS
	Reply   string // that the client got: code, enhanced code and text
	// Broken is set for SessionBroken alone.
	Broken *smtpserver.Broken
}

// Entry is the code of the catalogue's entry: that of the way in which a session broke,
// where it did.
func (r *Refusal) Entry() Code {
	if r.Code == SessionBroken && r.Broken != nil {
		return CodeOf(r.Broken.Cause)
	}
	return r.Code
}

// Visit is a session that is over. Those that were turned away before there was one
// (too many connections, a handshake that failed) are a Refusal alone.
type Visit struct {
	Session
	Began      time.Time
	Learned    bool              // admitted by the learning mode, and not by the settings file
	Senders    []string          // in MAIL, "" for the null reverse-path; each once, at most MaxSeen
	Authors    []string          // addresses in From of the messages that were read, in the same way
	Domains    []string          // of recipients, accepted or not, in lower case, in the same way
	Messages   int               // that were taken
	Recipients int               // of these
	Octets     int64             // of these, as they were sent
	Largest    int64             // of one of them
	Refusals   int               // events of this session
	Quirks     smtpserver.Quirks // what the client did that RFC 5321 forbids
	Broken     *smtpserver.Broken
}

// Took adds a message that was taken.
func (v *Visit) Took(recipients int, octets int64) {
	v.Messages++
	v.Recipients += recipients
	v.Octets += octets
	v.Largest = max(v.Largest, octets)
}

// See adds a text to a list of a Visit, unless it is there, or the list is full.
func See(list *[]string, text string) {
	text = Cut(text)
	if len(*list) < MaxSeen && !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

// Cut is a text of at most MaxText octets. It does not keep what it was cut from.
func Cut(text string) string { return strings.Clone(text[:min(len(text), MaxText)]) }
