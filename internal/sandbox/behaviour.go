package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// Points are where a fault acts: a stage's name, or one of these.
const (
	pointSMTPHandshake = "smtp-handshake"
	pointHTTPHandshake = "http-handshake"
	pointHelloClear    = "ehlo-clear" // keywords of EHLO before TLS
	pointHelloTLS      = "ehlo-tls"
	pointContentStart  = "content-start"
	pointContentKept   = "content-kept"
	pointTokenDate     = "token-date"
	pointTokenGrant    = "token-grant" // a token that is granted
)

// Codes of the catalogue that are acted out rather than said.
const (
	faultConnectionClosed  = string(diagnosis.FaultConnectionClosed)
	faultConnectionTimeout = string(diagnosis.FaultConnectionTimeout)
	faultTLSUntrusted      = string(diagnosis.FaultTLSUntrusted)
	faultTLSIntercepted    = string(diagnosis.FaultTLSIntercepted)
	faultTLSHostname       = string(diagnosis.FaultTLSHostname)
	faultTLSExpired        = string(diagnosis.FaultTLSExpired)
	faultTLSVersion        = string(diagnosis.FaultTLSVersion)
	faultTLSNotSpoken      = string(diagnosis.FaultTLSNotSpoken)
	faultTLSFailure        = string(diagnosis.FaultTLSFailure)
	faultStartTLSMissing   = string(diagnosis.FaultStartTLSMissing)
	faultXOAUTH2Missing    = string(diagnosis.FaultXOAUTH2Missing)
	faultNotSMTP           = string(diagnosis.FaultNotSMTP)
	faultNotExchange       = string(diagnosis.FaultNotExchange)
	faultTokenNotJSON      = string(diagnosis.FaultTokenNotJSON)
	faultClockSkew         = string(diagnosis.FaultClockSkew)
)

// Behaviours that no catalogue has, because a client sees no name for them.
const (
	faultSlow             = "slow"
	faultReplyLost        = "reply-lost"
	faultContentCut       = "content-cut"
	faultHalfReply        = "half-reply"
	faultConnectionReset  = "connection-reset"
	faultTokenThrottled   = "token-throttled"
	faultTokenUnavailable = "token-unavailable"
	faultTokenEmpty       = "token-empty"
	faultTokenMissing     = "token-missing"
	faultTokenCut         = "token-cut"
	faultExpiresInString  = "expires-in-string"
	faultTokenShort       = "token-short"
	faultTokenExpired     = "token-expired"
	faultGarbles8Bit      = "garbles-8bit"
)

// always are the behaviours that a sandbox has unless it is told otherwise, since
// Exchange Online is reported to have them.
func always() []string { return []string{faultGarbles8Bit} }

// behaviour is something acted out, at a stage that Fault.Stage can change
// unless it is fixed to a point.
type behaviour struct {
	name, about string
	stage       diagnosis.Stage
	point       string // "" is the stage
}

func behaviours() []behaviour {
	const token = diagnosis.StageToken
	return []behaviour{
		{faultConnectionClosed, "closes the connection without a reply", diagnosis.StageGreeting, ""},
		{faultConnectionTimeout, "never replies", diagnosis.StageGreeting, ""},
		{faultConnectionReset, "resets the connection", diagnosis.StageGreeting, ""},
		{faultSlow, "replies after delay=", diagnosis.StageContent, ""},
		{faultHalfReply, "sends half a reply line and closes", diagnosis.StageContent, ""},
		{faultReplyLost, "accepts the content and closes without a reply", diagnosis.StageContent, string(diagnosis.StageContent)},
		{faultContentCut, "closes the connection when the content begins", diagnosis.StageContent, pointContentStart},
		{faultGarbles8Bit, "garbles text in 8 bits within multiparts, and header fields; always, unless --without", diagnosis.StageContent, pointContentKept},
		{faultNotSMTP, "greets as no SMTP server does", diagnosis.StageGreeting, string(diagnosis.StageGreeting)},
		{faultNotExchange, "greets as another SMTP server", diagnosis.StageGreeting, string(diagnosis.StageGreeting)},
		{faultStartTLSMissing, "offers no STARTTLS", diagnosis.StageEHLO, pointHelloClear},
		{faultXOAUTH2Missing, "offers no AUTH XOAUTH2", diagnosis.StageEHLO, pointHelloTLS},
		{faultTLSNotSpoken, "goes on in clear after STARTTLS", diagnosis.StageStartTLS, string(diagnosis.StageStartTLS)},
		{faultTLSUntrusted, "has a certificate of an unknown authority", diagnosis.StageStartTLS, pointSMTPHandshake},
		{faultTLSIntercepted, "has a certificate of an inspecting proxy", diagnosis.StageStartTLS, pointSMTPHandshake},
		{faultTLSHostname, "has a certificate for another name", diagnosis.StageStartTLS, pointSMTPHandshake},
		{faultTLSExpired, "has an expired certificate", diagnosis.StageStartTLS, pointSMTPHandshake},
		{faultTLSVersion, "speaks TLS 1.1 at the most", diagnosis.StageStartTLS, pointSMTPHandshake},
		{faultTLSFailure, "breaks the handshake off", diagnosis.StageStartTLS, pointSMTPHandshake},
		{faultClockSkew, "has a clock two hours ahead", token, pointTokenDate},
		{faultTokenNotJSON, "answers the token request with a page and 200", token, ""},
		{faultTokenThrottled, "answers the token request with 429", token, ""},
		{faultTokenUnavailable, "answers the token request with 503", token, ""},
		{faultTokenEmpty, "answers the token request with 200 and nothing", token, ""},
		{faultTokenMissing, "answers the token request with 200 and no access_token", token, ""},
		{faultTokenCut, "breaks off in the middle of the token", token, pointTokenGrant},
		{faultExpiresInString, "sends expires_in as a string", token, pointTokenGrant},
		{faultTokenShort, "grants tokens of 10 minutes, as a tenant's policy may", token, pointTokenGrant},
		{faultTokenExpired, "grants tokens that expired an hour ago", token, pointTokenGrant},
	}
}

// resolve finds where a fault acts, and refuses options that have no meaning
// there. It returns nil without an error for a tenant that is broken from the
// start.
func resolve(f Fault) (*armed, error) {
	if f.Name == faultSlow && f.Delay == 0 {
		f.Delay = 2 * time.Second
	}
	a, err := locate(f)
	switch {
	case a == nil || err != nil:
	case f.Mailbox != "" && !knowsMailbox(a.point):
		return nil, fmt.Errorf("mailbox: it happens before a mailbox is named")
	case f.Delay > 0 && !isPoint(diagnosis.Stage(a.point)):
		return nil, fmt.Errorf("delay: it happens at once")
	}
	return a, err
}

func locate(f Fault) (*armed, error) {
	if slices.ContainsFunc(setups(), func(s setup) bool { return s.name == f.Name }) {
		if f != (Fault{Name: f.Name}) {
			return nil, fmt.Errorf("takes no options: it holds from the start")
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
	if (stage == diagnosis.StageToken) != (entry.Token != nil) || !isPoint(stage) {
		return nil, fmt.Errorf("cannot happen at stage %q", stage)
	}
	return &armed{Fault: f, point: string(stage), entry: entry}, nil
}

func resolveBehaviour(f Fault, b behaviour) (*armed, error) {
	a := &armed{Fault: f, point: b.point}
	switch {
	case f.Stage == "" || f.Stage == b.stage:
		f.Stage = b.stage
	case b.point == pointSMTPHandshake && f.Stage == diagnosis.StageToken:
		a.point = pointHTTPHandshake
		return a, nil
	case b.point != "" || !isPoint(f.Stage) || (b.stage == diagnosis.StageToken):
		return nil, fmt.Errorf("cannot happen at stage %q", f.Stage)
	}
	if a.point == "" {
		a.point = string(f.Stage)
	}
	return a, nil
}

func isPoint(stage diagnosis.Stage) bool {
	switch stage {
	case diagnosis.StageGreeting, diagnosis.StageEHLO, diagnosis.StageStartTLS, diagnosis.StageAuth, diagnosis.StageMail,
		diagnosis.StageRcpt, diagnosis.StageData, diagnosis.StageContent, diagnosis.StageQuit, diagnosis.StageToken:
		return true
	}
	return false
}

// knowsMailbox reports a point after a mailbox was named, by AUTH.
func knowsMailbox(point string) bool {
	switch diagnosis.Stage(point) {
	case diagnosis.StageGreeting, diagnosis.StageEHLO, diagnosis.StageStartTLS, diagnosis.StageToken:
		return false
	}
	return point == pointContentStart || point == pointContentKept || isPoint(diagnosis.Stage(point))
}

// AboutFault says in a line what a fault does, for help texts; "" for an
// unknown name.
func AboutFault(name string) string {
	for _, s := range setups() {
		if s.name == name {
			return s.about
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
