package fault

import (
	"fmt"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Point is where a fault acts: a stage's name, or one of the constants.
type Point string

// The points that are not a stage.
const (
	PointSMTPHandshake Point = "smtp-handshake"
	PointHTTPHandshake Point = "http-handshake"
	PointHelloClear    Point = "ehlo-clear" // keywords of EHLO before TLS
	PointHelloTLS      Point = "ehlo-tls"
	PointContentStart  Point = "content-start"
	PointContentKept   Point = "content-kept"
	PointTokenDate     Point = "token-date"
	PointTokenGrant    Point = "token-grant" // a token that is granted
)

// Codes of the catalogue that are acted out rather than said.
const (
	ConnectionClosed  = string(smtp.FaultConnectionClosed)
	ConnectionTimeout = string(smtp.FaultConnectionTimeout)
	TLSUntrusted      = string(smtp.FaultTLSUntrusted)
	TLSIntercepted    = string(smtp.FaultTLSIntercepted)
	TLSHostname       = string(smtp.FaultTLSHostname)
	TLSExpired        = string(smtp.FaultTLSExpired)
	TLSVersion        = string(smtp.FaultTLSVersion)
	TLSNotSpoken      = string(smtp.FaultTLSNotSpoken)
	TLSFailure        = string(smtp.FaultTLSFailure)
	StartTLSMissing   = string(smtp.FaultStartTLSMissing)
	XOAUTH2Missing    = string(smtp.FaultXOAUTH2Missing)
	NotSMTP           = string(smtp.FaultNotSMTP)
	NotExchange       = string(smtp.FaultNotExchange)
	TokenNotJSON      = string(smtp.FaultTokenNotJSON)
	ClockSkew         = string(smtp.FaultClockSkew)
)

// Behaviours that no catalogue has, because a client sees no name for them.
const (
	Slow             = "slow"
	ReplyLost        = "reply-lost"
	ContentCut       = "content-cut"
	HalfReply        = "half-reply"
	ConnectionReset  = "connection-reset"
	TokenThrottled   = "token-throttled"
	TokenUnavailable = "token-unavailable"
	TokenEmpty       = "token-empty"
	TokenMissing     = "token-missing"
	TokenCut         = "token-cut"
	ExpiresInString  = "expires-in-string"
	TokenShort       = "token-short"
	TokenExpired     = "token-expired"
	Garbles8Bit      = "garbles-8bit"
)

// always are the behaviours that a sandbox has unless it is told otherwise, since
// Exchange Online is reported to have them.
func always() []string { return []string{Garbles8Bit} }

// behaviour is something acted out, at a stage that Fault.Stage can change
// unless it is fixed to a point.
type behaviour struct {
	name, about string
	stage       smtp.Stage
	point       Point // "" is the stage
}

func behaviours() []behaviour {
	const token = smtp.StageToken
	return []behaviour{
		{ConnectionClosed, "closes the connection without a reply", smtp.StageGreeting, ""},
		{ConnectionTimeout, "never replies", smtp.StageGreeting, ""},
		{ConnectionReset, "resets the connection", smtp.StageGreeting, ""},
		{Slow, "replies after delay=", smtp.StageContent, ""},
		{HalfReply, "sends half a reply line and closes", smtp.StageContent, ""},
		{ReplyLost, "accepts the content and closes without a reply", smtp.StageContent, Point(smtp.StageContent)},
		{ContentCut, "closes the connection when the content begins", smtp.StageContent, PointContentStart},
		{Garbles8Bit, "garbles text in 8 bits within multiparts, and header fields; always, unless --without", smtp.StageContent, PointContentKept},
		{NotSMTP, "sends a greeting that is not SMTP", smtp.StageGreeting, Point(smtp.StageGreeting)},
		{NotExchange, "greets as another SMTP server", smtp.StageGreeting, Point(smtp.StageGreeting)},
		{StartTLSMissing, "does not offer STARTTLS", smtp.StageEHLO, PointHelloClear},
		{XOAUTH2Missing, "does not offer AUTH XOAUTH2", smtp.StageEHLO, PointHelloTLS},
		{TLSNotSpoken, "continues without TLS after STARTTLS", smtp.StageStartTLS, Point(smtp.StageStartTLS)},
		{TLSUntrusted, "has a certificate of an unknown authority", smtp.StageStartTLS, PointSMTPHandshake},
		{TLSIntercepted, "has a certificate of an inspecting proxy", smtp.StageStartTLS, PointSMTPHandshake},
		{TLSHostname, "has a certificate for another name", smtp.StageStartTLS, PointSMTPHandshake},
		{TLSExpired, "has an expired certificate", smtp.StageStartTLS, PointSMTPHandshake},
		{TLSVersion, "speaks TLS 1.1 at most", smtp.StageStartTLS, PointSMTPHandshake},
		{TLSFailure, "breaks off the handshake", smtp.StageStartTLS, PointSMTPHandshake},
		{ClockSkew, "has a clock two hours ahead", token, PointTokenDate},
		{TokenNotJSON, "answers the token request with a page and 200", token, ""},
		{TokenThrottled, "answers the token request with 429", token, ""},
		{TokenUnavailable, "answers the token request with 503", token, ""},
		{TokenEmpty, "answers the token request with 200 and nothing", token, ""},
		{TokenMissing, "answers the token request with 200 and no access_token", token, ""},
		{TokenCut, "breaks off in the middle of the token", token, PointTokenGrant},
		{ExpiresInString, "sends expires_in as a string", token, PointTokenGrant},
		{TokenShort, "grants tokens of 10 minutes, as a tenant's policy may", token, PointTokenGrant},
		{TokenExpired, "grants tokens that expired an hour ago", token, PointTokenGrant},
	}
}

// resolve finds where a fault acts, and refuses options that have no meaning
// there. It returns nil without an error for a tenant that is broken from the
// start.
func resolve(f Fault) (*armed, error) {
	if f.Name == Slow && f.Delay == 0 {
		f.Delay = 2 * time.Second
	}
	a, err := locate(f)
	switch {
	case a == nil || err != nil:
	case f.Mailbox != "" && !knowsMailbox(a.point):
		return nil, fmt.Errorf("mailbox: it happens before a mailbox is named")
	case f.Delay > 0 && !isPoint(smtp.Stage(a.point)):
		return nil, fmt.Errorf("delay: it happens at once")
	}
	return a, err
}

func locate(f Fault) (*armed, error) {
	if slices.ContainsFunc(tenant.Setups(), func(s tenant.Setup) bool { return s.Name == f.Name }) {
		if f != (Fault{Name: f.Name}) {
			return nil, fmt.Errorf("takes no options: it applies from the start")
		}
		return nil, nil
	}
	list := behaviours()
	if i := slices.IndexFunc(list, func(b behaviour) bool { return b.name == f.Name }); i >= 0 {
		return resolveBehaviour(f, list[i])
	}
	entry, ok := diagnosis.Lookup(f.Name)
	if !ok {
		return nil, fmt.Errorf("unknown name")
	}
	if !entry.ServerCan || entry.Sample == "" || len(entry.Stages) == 0 {
		return nil, fmt.Errorf("no server can cause it")
	}
	stage := f.Stage
	if stage == "" {
		stage = entry.Stages[0]
	}
	if (stage == smtp.StageToken) != (entry.Token != nil) || !isPoint(stage) {
		return nil, fmt.Errorf("cannot happen at stage %q", stage)
	}
	return &armed{Fault: f, point: Point(stage), entry: entry}, nil
}

func resolveBehaviour(f Fault, b behaviour) (*armed, error) {
	a := &armed{Fault: f, point: b.point}
	switch {
	case f.Stage == "" || f.Stage == b.stage:
		f.Stage = b.stage
	case b.point == PointSMTPHandshake && f.Stage == smtp.StageToken:
		a.point = PointHTTPHandshake
		return a, nil
	case b.point != "" || !isPoint(f.Stage) || (b.stage == smtp.StageToken):
		return nil, fmt.Errorf("cannot happen at stage %q", f.Stage)
	}
	if a.point == "" {
		a.point = Point(f.Stage)
	}
	return a, nil
}

func isPoint(stage smtp.Stage) bool {
	switch stage {
	case smtp.StageGreeting, smtp.StageEHLO, smtp.StageStartTLS, smtp.StageAuth, smtp.StageMail,
		smtp.StageRcpt, smtp.StageData, smtp.StageContent, smtp.StageQuit, smtp.StageToken:
		return true
	}
	return false
}

// knowsMailbox reports a point after a mailbox was named, by AUTH.
func knowsMailbox(point Point) bool {
	switch smtp.Stage(point) {
	case smtp.StageGreeting, smtp.StageEHLO, smtp.StageStartTLS, smtp.StageToken:
		return false
	}
	return point == PointContentStart || point == PointContentKept || isPoint(smtp.Stage(point))
}

// About says in a line what a fault does, for help texts; "" for an
// unknown name.
func About(name string) string {
	for _, s := range tenant.Setups() {
		if s.Name == name {
			return s.About
		}
	}
	for _, b := range behaviours() {
		if b.name == name {
			return b.about
		}
	}
	if e, ok := diagnosis.Lookup(name); ok {
		return e.Title
	}
	return ""
}
