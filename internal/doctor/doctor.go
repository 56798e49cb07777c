// Package doctor looks at everything that a submission needs, one thing after
// another, and names the one cause of a failure. One examination goes so:
//
//  1. The settings, which the caller has loaded, and the proxy if there is one.
//  2. Names and TCP connections of both hosts, IPv4 and IPv6 by themselves.
//  3. TLS of the token endpoint, with issuer and expiry of its certificate.
//  4. The greeting, EHLO, STARTTLS with its certificate and EHLO again, on a
//     connection that is then kept for step 7.
//  5. The client's credential, and a token, asked for anew: what a cache holds is not
//     believed. A token that comes from elsewhere needs no token endpoint.
//  6. The clock, by the Date of the endpoint's answer, and the token's claims.
//  7. AUTH as the mailbox, MAIL and RCPT, then RSET.
//  8. If asked for, a test message: Exchange decides about Send As, size and
//     quota only when it has the content.
//
// A check whose ground is missing is skipped. Both halves, token and server, are
// looked at even when one of them is broken, but one cause is explained only:
// that of the first broken check. Where the server's answer cannot tell (535
// 5.7.3), the report lists what remains, the likeliest by the token's claims
// first, each with the way to tell it from the others; nothing is guessed.
//
// Each check ends within its limit. The report holds neither secret nor token.
package doctor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Status is how a check ended.
type Status string

// The statuses of a check.
const (
	OK      Status = "ok"
	Warn    Status = "warn"    // worth knowing, and not in the way
	Failed  Status = "failed"  // nothing goes on from here
	Skipped Status = "skipped" // its ground is missing, or it was not asked for
)

// Check is one thing that was looked at.
type Check struct {
	Name   string   `json:"name"`
	Status Status   `json:"status"`
	Seen   string   `json:"seen"`            // in a line
	Notes  []string `json:"notes,omitempty"` // what more there is to say
	// Code is what the catalogue calls the failure or the warning; "" when there is none.
	Code  string        `json:"code,omitempty"`
	Needs string        `json:"needs,omitempty"` // the check whose failure, or absence, is why this one was skipped
	Took  time.Duration `json:"-"`
	Limit time.Duration `json:"-"` // within which it ends; 0 for those that only look at what is there

	symptom diagnosis.Symptom
	cause   *session.Error
	finding *diagnosis.Finding
}

// NewCheck is a check that the caller made itself, such as the one of the
// settings. A finding may go with it.
func NewCheck(name string, status Status, seen string, f *diagnosis.Finding, notes ...string) Check {
	c := Check{Name: name, Status: status, Seen: seen, Notes: notes, finding: f}
	if f != nil {
		c.Code = f.Code
	}
	return c
}

// Suspect is one of several causes that the server's answer cannot tell apart.
type Suspect struct {
	Cause string        `json:"cause"`
	Look  []string      `json:"look,omitempty"` // commands that show whether it is this one
	Tell  string        `json:"tell"`           // what they show then
	Fix   diagnosis.Fix `json:"fix"`
}

// Report is what an examination found. It holds no secret and no token.
type Report struct {
	Healthy bool      `json:"healthy"`
	InDoubt bool      `json:"in_doubt,omitempty"` // the test message's final dot was sent and no reply came
	Started time.Time `json:"started"`
	Checks  []Check   `json:"checks"`
	// Broken is the name of the check that Finding explains, Proof what was seen
	// there. Both are empty, and Finding is nil, when nothing failed.
	Broken   string              `json:"broken,omitempty"`
	Proof    string              `json:"proof,omitempty"`
	Finding  *diagnosis.Finding  `json:"finding,omitempty"`
	Suspects []Suspect           `json:"suspects,omitempty"`
	Warnings []diagnosis.Finding `json:"warnings,omitempty"` // of checks that are not in the way
	Dialogue []string            `json:"dialogue,omitempty"` // the lines with the SMTP server, without credentials

	cause *session.Error
}

// Cause returns the error of the broken check; nil when nothing failed, or
// when it failed before any connection.
func (r *Report) Cause() *session.Error { return r.cause }

// Limits of the checks. Exchange and Entra answer within a second or two; what
// takes longer than these is as good as no answer.
const (
	DefaultLimit      = 20 * time.Second // of a check
	DefaultTokenLimit = 30 * time.Second // the token's, which tries again by itself
	DefaultMailLimit  = 2 * time.Minute  // the test message's, whose content Exchange converts before it replies
)

// Options say what to look at. Settings, Token, Session and From are required.
type Options struct {
	// Settings is the check of the settings. When it failed, nothing else can be
	// looked at.
	Settings Check
	// Credential looks at what proves the client; nil for nothing.
	Credential func(context.Context) (Credential, error)
	// Token asks for tokens. Its HTTPClient has to be set, with an
	// *http.Transport, so that its proxy and certificates are those in use.
	Token entra.Options
	// Session leads to the server, as the mailbox. Its Tokens, Slots and
	// Timeouts are not used.
	Session session.Options
	// ReversePath is the mailbox's address where Session.Mailbox is a name and no
	// address; "" is Session.Mailbox.
	ReversePath string
	From        string // bare address in From of the test message
	SendTo      string // bare address that gets the test message; "" for none
	// TenantID is the tenant of the settings, a GUID or a domain.
	TenantID string
	HVE      bool            // the service is High Volume Email
	Ends     []expiry.Found  // what ends by itself; see SayEnds
	Facts    diagnosis.Facts // for the commands

	Limit, TokenLimit, MailLimit time.Duration // 0: the defaults

	// Each, when not nil, is told of each check as it ends.
	Each func(Check)
}

func (o Options) withDefaults() Options {
	if o.ReversePath == "" {
		o.ReversePath = o.Session.Mailbox
	}
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Limit, DefaultLimit}, {&o.TokenLimit, DefaultTokenLimit}, {&o.MailLimit, DefaultMailLimit}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return o
}

// Examine goes through all checks. It ends early when ctx does; the checks that
// were not reached are then missing from the report.
func Examine(ctx context.Context, o Options) *Report {
	o = o.withDefaults()
	report := &Report{Started: time.Now()}
	record := &record{each: o.Each, facts: o.Facts, report: report, state: map[string]Status{}}
	record.add(o.Settings)
	route, endpoint, dialogue := newRoute(o, record), newEndpoint(o, record), &dialogue{o: o, record: record}
	authenticate := func(ctx context.Context) {
		cause := dialogue.authenticate(ctx, endpoint.access)
		if isRefusal(cause) && record.claims != nil && len(record.claims.Roles) == 0 {
			endpoint.askGraph(ctx)
		}
	}
	for _, step := range []func(context.Context){
		route.proxies, route.names, route.connections, endpoint.handshake, dialogue.greet,
		endpoint.credential, endpoint.fetchToken, endpoint.compareClocks, endpoint.readClaims, authenticate, dialogue.envelope, dialogue.testMessage,
	} {
		if ctx.Err() != nil {
			break
		}
		step(ctx)
	}
	if dialogue.session != nil {
		dialogue.session.Close()
	}
	report.Dialogue = dialogue.lines.lines
	verdict := verdict{o: o, record: record, clock: &endpoint.clock, graph: endpoint.graph}
	verdict.conclude(ctx)
	return report
}

// said is the server's reply, else the cause. The kilobytes of Exchange's store
// driver are left to the finding.
func said(e *session.Error) string {
	if !e.Reply.IsZero() {
		return diagnosis.Short(e.Reply.String())
	}
	if e.Err != nil {
		return e.Err.Error()
	}
	return string(e.Fault)
}

// failure makes an error of the network or of the token endpoint one that the
// catalogue can be asked about.
func failure(stage smtp.Stage, err error) *session.Error {
	var done *session.Error
	if errors.As(err, &done) {
		return done
	}
	return &session.Error{Stage: stage, Fault: diagnosis.FaultOf(err), Err: err}
}

// transport is the one of the token endpoint's client.
func transport(o entra.Options) *http.Transport {
	if o.HTTPClient != nil {
		if t, ok := o.HTTPClient.Transport.(*http.Transport); ok {
			return t
		}
	}
	return &http.Transport{DisableKeepAlives: true}
}
