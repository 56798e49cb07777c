// Package exchangeonline is a stand-in for the submission service of Exchange
// Online, smtp.office365.com: what it says at each stage, whom it lets in, what it
// counts, and what it does to content. The stream is package smtpserver's.
//
// As the real service does, it says yes to MAIL, RCPT and DATA and refuses, when
// it refuses, after the content. What it accepts goes into an inbox.
package exchangeonline

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Hook may answer in the service's place, before everything else, at each stage
// from greeting to quit. A reply's code decides even where Raw hides it; at
// content, which is asked when all of it is there, 2yz keeps the mail. It is
// called concurrently.
type Hook func(ctx context.Context, stage smtp.Stage, mailbox string) (smtpserver.Reply, bool)

// Options describe a service. All but Limits and Hook are required.
type Options struct {
	Tenant *tenant.Tenant
	Faults *fault.Set
	Tokens *accesstoken.Issuer // which verifies
	Inbox  *inbox.Inbox
	Logger *slog.Logger

	HVE    bool // it is High Volume Email
	Limits Limits
	Hook   Hook // may be nil
}

// Service is a running stand-in. Its methods are safe for concurrent use.
type Service struct {
	opts   Options
	tenant *tenant.Tenant
	faults *fault.Set
	tokens *accesstoken.Issuer
	inbox  *inbox.Inbox
	log    *slog.Logger
	limits *limits

	connections, auths, accepted atomic.Int64
}

// New returns a service.
func New(o Options) *Service {
	return &Service{
		opts: o, tenant: o.Tenant, faults: o.Faults, tokens: o.Tokens, inbox: o.Inbox, log: o.Logger,
		limits: newLimits(o.Limits),
	}
}

// NewSession is the one of smtpserver.Options.
func (s *Service) NewSession(_ context.Context, p *smtpserver.Peer) smtpserver.Session {
	s.connections.Add(1)
	return &session{service: s, peer: p, frontEnd: newFrontEnd()}
}

// Stats counts what a service has seen since New.
type Stats struct {
	Connections int64 // TCP connections
	Auths       int64 // AUTH commands, refused ones included
	Accepted    int64 // messages
}

// Stats returns the counters.
func (s *Service) Stats() Stats {
	return Stats{Connections: s.connections.Load(), Auths: s.auths.Load(), Accepted: s.accepted.Load()}
}
