// Package diagnosis is the one catalogue of what can go wrong between a
// program and Exchange Online: for each known failure a stable code, how it is
// recognised, a sample of its text, its class, its cause, and ranked fixes with
// your own ids in the commands.
//
// Find takes a Symptom, which is what a stage of our own client saw (a reply, a
// refusal of the token endpoint, a fault of the network), and names it. Text that
// was pasted from another tool is read by internal/paste. Both use the same rules:
// files in catalogue/, one per theme, whose form is described in parse.go.
//
// The package is data and matching: it opens no connection and no file, keeps
// no state, and everything in it is safe for concurrent use.
package diagnosis

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/presented"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Class says what a failure means for the next attempt.
type Class string

// The classes. Transient and throttled failures pass by themselves, the others
// need someone to act.
const (
	ClassTransient     Class = "transient"     // try again after a pause
	ClassThrottled     Class = "throttled"     // a limit was met: slow down, keep the mail
	ClassPermanent     Class = "permanent"     // this mail object will not be accepted as it is
	ClassConfiguration Class = "configuration" // an administrator or a setting has to change; hold all mail
	ClassBlocked       Class = "blocked"       // Microsoft stopped the mailbox or the tenant; stop sending
)

// Scope says what of the mail waits for an administrator after a refusal of
// ClassConfiguration.
type Scope string

// The scopes. What a server says of one message or of one sender is no reason to stop
// the mail of all others.
const (
	ScopeMailbox Scope = ""        // all mail of the mailbox
	ScopeSender  Scope = "sender"  // what has the same From and reverse-path
	ScopeMessage Scope = "message" // this message
)

// Claims are the parts of an access token that tell why it may be refused.
// They are read without verification and serve diagnosis alone.
type Claims struct {
	Audience  string // aud; several are joined by a blank
	AppID     string // appid (v1 tokens) or azp (v2): the client id
	ObjectID  string // oid: the object id of the enterprise application
	TenantID  string // tid
	Scopes    string // scp: only tokens of users carry it
	AppIDACR  string // appidacr: "1" secret, "2" certificate
	IDType    string // idtyp: "app" where emitted
	TokenID   string // uti: names the token in Entra's logs
	Wanted    string // no claim: host of the resource that was asked for, when known
	HVE       bool   // no claim: it was shown to High Volume Email
	Roles     []string
	IssuedAt  time.Time // iat, zero when absent
	NotBefore time.Time // nbf
	Expires   time.Time // exp
}

// Symptom is what one stage saw. Fields that do not apply stay zero.
type Symptom struct {
	Stage smtp.Stage

	Code     int    // SMTP reply code
	Enhanced string // enhanced status code as sent, such as "5.7.139"
	// Text holds the lines of the reply joined by "\n", without reply codes; for
	// a token endpoint its error_description, or the start of a body that is not JSON.
	Text string

	HTTPStatus int    // status of the token endpoint
	OAuthError string // its "error", such as "invalid_client"
	AADSTS     []int  // its "error_codes"

	Fault  smtp.Fault  // what failed when no reply came
	Proxy  *ProxyError // what a proxy answered, nil for nothing
	Claims *Claims     // of the token that was used, when known
	Relay  bool        // our own relay said it, and no server of Microsoft's
	// Proof is what the client presented to the token endpoint, when known.
	Proof *presented.Proof
}

// Facts fill the placeholders of commands. What is empty is taken from the
// token's claims or the server's words, and else stays a visible <placeholder>.
type Facts struct {
	ClientID, TenantID string
	ObjectID           string // of the enterprise application, not of the app registration
	Mailbox            string // XOAUTH2 user=
	From               string // header From
	Recipient          string
	Server             string // host name of the SMTP server
	TokenURL           string
	Port               int    // its port
	MessageID          string // with its angle brackets
}

// Fix is one way out.
type Fix struct {
	Text     string   `json:"text"`               // what to do, a sentence
	Commands []string `json:"commands,omitempty"` // ready to paste, in order
	Who      string   `json:"who,omitempty"`      // who has the right to do it
}

// Finding is a named failure, ready to be shown.
type Finding struct {
	Code       string   `json:"code"`
	Class      Class    `json:"class"`
	Title      string   `json:"title"`
	Cause      string   `json:"cause"`
	Fixes      []Fix    `json:"fixes,omitempty"`       // the likeliest first
	ClientDoes string   `json:"client_does,omitempty"` // what smtpsend itself does about it
	ReadOn     []string `json:"read_on,omitempty"`     // URLs
	Sure       Sure     `json:"sure,omitempty"`        // how well the entry is founded
	Matched    []string `json:"matched,omitempty"`     // the words that it was recognised by
	Text       string   `json:"text,omitempty"`        // the server's words in full, tokens and secrets taken out; "" of what was pasted
}

// Transient reports whether the same attempt may work later without a change
// by anyone.
func (f Finding) Transient() bool { return f.Class == ClassTransient || f.Class == ClassThrottled }

// Known reports whether the catalogue has an entry for the failure.
func (f Finding) Known() bool { _, ok := Lookup(f.Code); return ok }
