package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
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
	faultConnectionClosed  = string(smtp.FaultConnectionClosed)
	faultConnectionTimeout = string(smtp.FaultConnectionTimeout)
	faultTLSUntrusted      = string(smtp.FaultTLSUntrusted)
	faultTLSIntercepted    = string(smtp.FaultTLSIntercepted)
	faultTLSHostname       = string(smtp.FaultTLSHostname)
	faultTLSExpired        = string(smtp.FaultTLSExpired)
	faultTLSVersion        = string(smtp.FaultTLSVersion)
	faultTLSNotSpoken      = string(smtp.FaultTLSNotSpoken)
	faultTLSFailure        = string(smtp.FaultTLSFailure)
	faultStartTLSMissing   = string(smtp.FaultStartTLSMissing)
	faultXOAUTH2Missing    = string(smtp.FaultXOAUTH2Missing)
	faultNotSMTP           = string(smtp.FaultNotSMTP)
	faultNotExchange       = string(smtp.FaultNotExchange)
	faultTokenNotJSON      = string(smtp.FaultTokenNotJSON)
	faultClockSkew         = string(smtp.FaultClockSkew)
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
	stage       smtp.Stage
	point       string // "" is the stage
}

func behaviours() []behaviour {
	const token = smtp.StageToken
	return []behaviour{
		{faultConnectionClosed, "closes the connection without a reply", smtp.StageGreeting, ""},
		{faultConnectionTimeout, "never replies", smtp.StageGreeting, ""},
		{faultConnectionReset, "resets the connection", smtp.StageGreeting, ""},
		{faultSlow, "replies after delay=", smtp.StageContent, ""},
		{faultHalfReply, "sends half a reply line and closes", smtp.StageContent, ""},
		{faultReplyLost, "accepts the content and closes without a reply", smtp.StageContent, string(smtp.StageContent)},
		{faultContentCut, "closes the connection when the content begins", smtp.StageContent, pointContentStart},
		{faultGarbles8Bit, "garbles text in 8 bits within multiparts, and header fields; always, unless --without", smtp.StageContent, pointContentKept},
		{faultNotSMTP, "greets as no SMTP server does", smtp.StageGreeting, string(smtp.StageGreeting)},
		{faultNotExchange, "greets as another SMTP server", smtp.StageGreeting, string(smtp.StageGreeting)},
		{faultStartTLSMissing, "offers no STARTTLS", smtp.StageEHLO, pointHelloClear},
		{faultXOAUTH2Missing, "offers no AUTH XOAUTH2", smtp.StageEHLO, pointHelloTLS},
		{faultTLSNotSpoken, "goes on in clear after STARTTLS", smtp.StageStartTLS, string(smtp.StageStartTLS)},
		{faultTLSUntrusted, "has a certificate of an unknown authority", smtp.StageStartTLS, pointSMTPHandshake},
		{faultTLSIntercepted, "has a certificate of an inspecting proxy", smtp.StageStartTLS, pointSMTPHandshake},
		{faultTLSHostname, "has a certificate for another name", smtp.StageStartTLS, pointSMTPHandshake},
		{faultTLSExpired, "has an expired certificate", smtp.StageStartTLS, pointSMTPHandshake},
		{faultTLSVersion, "speaks TLS 1.1 at the most", smtp.StageStartTLS, pointSMTPHandshake},
		{faultTLSFailure, "breaks the handshake off", smtp.StageStartTLS, pointSMTPHandshake},
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
	case f.Delay > 0 && !isPoint(smtp.Stage(a.point)):
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
	if (stage == smtp.StageToken) != (entry.Token != nil) || !isPoint(stage) {
		return nil, fmt.Errorf("cannot happen at stage %q", stage)
	}
	return &armed{Fault: f, point: string(stage), entry: entry}, nil
}

func resolveBehaviour(f Fault, b behaviour) (*armed, error) {
	a := &armed{Fault: f, point: b.point}
	switch {
	case f.Stage == "" || f.Stage == b.stage:
		f.Stage = b.stage
	case b.point == pointSMTPHandshake && f.Stage == smtp.StageToken:
		a.point = pointHTTPHandshake
		return a, nil
	case b.point != "" || !isPoint(f.Stage) || (b.stage == smtp.StageToken):
		return nil, fmt.Errorf("cannot happen at stage %q", f.Stage)
	}
	if a.point == "" {
		a.point = string(f.Stage)
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
func knowsMailbox(point string) bool {
	switch smtp.Stage(point) {
	case smtp.StageGreeting, smtp.StageEHLO, smtp.StageStartTLS, smtp.StageToken:
		return false
	}
	return point == pointContentStart || point == pointContentKept || isPoint(smtp.Stage(point))
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
