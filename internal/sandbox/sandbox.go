// Package sandbox is a stand-in for Microsoft Entra ID and Exchange Online on
// loopback: a token endpoint over HTTPS and a submission server with STARTTLS
// and XOAUTH2, as strict as the real ones and with their words. Nothing that a
// client sends it leaves the machine.
//
// [Start] makes a certificate authority, a signing key, a tenant, an application
// and its secret, all random, and listens on two ports, random unless told
// otherwise and on loopback only; so nothing of it can be relied upon elsewhere.
// [Sandbox.WriteEnv] writes settings with which every verb of smtpsend works
// against it.
//
// The tenant holds the domain contoso.example, in which by default every address
// is a mailbox that the application may send as. A scenario of package tenant
// describes other tenants. A fault of package fault makes one thing go wrong by
// its code in the catalogue of package diagnosis, at the stage and with the words
// that the catalogue has for it.
//
// The parts are packages of their own: [tenant] who may do what, [accesstoken]
// what Entra ID signs and Exchange verifies, [fault] what goes wrong, [entraid]
// the token endpoint, [keyring] and [assertion] the credentials that it takes,
// [idissuer] and [azurehost] who else gives tokens, [wallet] all three together,
// [graph] how an application renews its certificates,
// [exchangeonline] the submission service, [inbox] what was
// accepted. This package makes certificates, listens, and puts them together; the
// inbox is on the port of the token endpoint, there also without TLS.
package sandbox

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
	"github.com/smtpsend/smtpsend/internal/sandbox/entraid"
	"github.com/smtpsend/smtpsend/internal/sandbox/exchangeonline"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/graph"
	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Options describe a sandbox. The zero value is a healthy one on random ports.
type Options struct {
	SMTPAddr, HTTPAddr string // host:port on loopback; "" is 127.0.0.1:0

	HVE      bool             // the submission service is High Volume Email
	Scenario *tenant.Scenario // nil: tenant.DefaultScenario(), or tenant.HVEScenario()
	Faults   []fault.Fault
	Without  []string     // names of faults that it would have anyway: garbles-8bit
	Logger   *slog.Logger // nil: discards

	ImplicitTLS   bool            // TLS from the first octet on the SMTP port, which Exchange does not offer
	SigningKey    *rsa.PrivateKey // of the tokens; nil: made at start (some 0.1 s)
	TokenLifetime time.Duration   // 0: random, 60 to 90 minutes, as Entra's
	RetryAfter    time.Duration   // in Entra's 429; 0: 60 s
	IdleTimeout   time.Duration   // of SMTP; 0: 5 minutes, as Exchange's
	MaxLine       int             // octets in a command line; 0: 32 KiB. 512 acts as Dovecot's submission service

	// Limits of a mailbox. 0 is what is said here, a negative number no limit.
	Connections       int // at once, else 432 after the content; 0: 3
	SendAsDenied      int // refusals until the sender is throttled; 0: 10
	MessagesPerMinute int // beyond it the reply to the content is delayed; 0: no limit (Exchange: 30)
	RecipientsPerDay  int // beyond it 554 5.2.0; 0: no limit (Exchange: 10,000)
	// TimeScale makes the minutes and days of these limits, and the scenario's
	// propagation delay, pass that many times faster; 0: 1.
	TimeScale float64

	MaxMessages int // kept; the oldest go first; 0: 100,000

	Certificates []*x509.Certificate // registered on the first application
	ArcKeys      string              // as in wallet.Options

	SMTPHook exchangeonline.Hook // may answer in the submission service's place
	// TokenHook, when not nil, may answer a token request (returns true).
	TokenHook func(w http.ResponseWriter, r *http.Request) bool

	// GraphDelay is how many token requests with a certificate that Graph added are
	// refused, until the directory has told the token endpoint.
	GraphDelay int
	// GraphHook, when not nil, may answer a request to Graph (returns true).
	GraphHook func(w http.ResponseWriter, r *http.Request) bool
}

// Stats counts what the sandbox has seen since its start.
type Stats struct {
	TokenRequests int64 // POSTs to the token endpoint, refused ones included
	Connections   int64 // TCP connections to the SMTP port
	Auths         int64 // AUTH commands, refused ones included
	Accepted      int64 // messages
}

// Sandbox is a running stand-in. Its methods are safe for concurrent use.
type Sandbox struct {
	opts     Options
	log      *slog.Logger
	tenant   *tenant.Tenant
	faults   *fault.Set
	certs    *authority
	inbox    *inbox.Inbox
	endpoint *entraid.Endpoint
	wallet   *wallet.Wallet
	graph    *graph.Graph
	service  *exchangeonline.Service

	smtp         *smtpserver.Server
	smtpListener net.Listener
	http         *http.Server
	httpListener net.Listener

	wg       sync.WaitGroup // the two servers
	handling sync.RWMutex   // held for reading by each HTTP handler
	cancel   context.CancelFunc
	closed   sync.Once
}

// Start starts a sandbox. The end of ctx stops it; Close is to be called in any
// case. A listen address that is not on loopback is refused.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	s := &Sandbox{opts: o, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	if err := s.listen(ctx); err != nil {
		return nil, errors.Join(err, s.inbox.Close())
	}
	s.wallet.SetURL(s.URL())
	ctx, s.cancel = context.WithCancel(ctx)
	s.serve(ctx)
	context.AfterFunc(ctx, func() { _ = s.http.Close() })
	return s, nil
}

func (s *Sandbox) build() error {
	scenario := s.opts.Scenario
	if scenario == nil {
		scenario = tenant.DefaultScenario()
		if s.opts.HVE {
			scenario = tenant.HVEScenario()
		}
	}
	var err error
	if s.faults, err = fault.NewSet(s.opts.Faults, s.opts.Without); err != nil {
		return err
	}
	if s.tenant, err = tenant.New(scenario, s.faults.Setups(), s.opts.TimeScale); err != nil {
		return err
	}
	tokens, err := accesstoken.NewIssuer(s.opts.SigningKey)
	if err != nil {
		return err
	}
	if s.certs, err = newAuthority(); err != nil {
		return err
	}
	if s.inbox, err = inbox.New(s.opts.MaxMessages); err != nil {
		return err
	}
	issuer := idissuer.New(s.opts.SigningKey)
	s.endpoint = entraid.New(entraid.Options{
		Tenant: s.tenant, Faults: s.faults, Tokens: tokens, Issuer: issuer, Logger: s.log,
		TokenLifetime: s.opts.TokenLifetime, RetryAfter: s.opts.RetryAfter, Hook: s.opts.TokenHook,
	})
	s.wallet = wallet.New(wallet.Options{
		Tenant: s.tenant, Issuer: issuer, Mint: s.endpoint.Mint, Certificates: s.opts.Certificates, ArcKeys: s.opts.ArcKeys,
	})
	s.graph = graph.New(graph.Options{Tenant: s.tenant, Tokens: tokens, Delay: s.opts.GraphDelay, Hook: s.opts.GraphHook})
	s.service = exchangeonline.New(exchangeonline.Options{
		Tenant: s.tenant, Faults: s.faults, Tokens: tokens, Inbox: s.inbox, Logger: s.log, HVE: s.opts.HVE,
		Limits: s.opts.limits(), Hook: s.opts.SMTPHook,
	})
	return nil
}

func (o *Options) limits() exchangeonline.Limits {
	return exchangeonline.Limits{
		Connections: o.Connections, SendAsDenied: o.SendAsDenied,
		MessagesPerMinute: o.MessagesPerMinute, RecipientsPerDay: o.RecipientsPerDay, TimeScale: o.TimeScale,
	}
}

// recipients is how many a transaction may have.
func (o *Options) recipients() int {
	if o.HVE {
		return exchange.HVERecipientsPerMessage
	}
	return exchange.RecipientsPerMessage
}

func (s *Sandbox) listen(ctx context.Context) error {
	var err error
	if s.smtpListener, err = listenLoopback(ctx, s.opts.SMTPAddr); err != nil {
		return fmt.Errorf("listening for SMTP: %w", err)
	}
	if s.httpListener, err = listenLoopback(ctx, s.opts.HTTPAddr); err != nil {
		_ = s.smtpListener.Close()
		return fmt.Errorf("listening for HTTPS: %w", err)
	}
	return nil
}

func (s *Sandbox) serve(ctx context.Context) {
	s.smtp = smtpserver.New(smtpserver.Options{
		NewSession:      s.service.NewSession,
		TLSConfig:       s.certs.config(s.faultAt(fault.PointSMTPHandshake)),
		ImplicitTLS:     s.opts.ImplicitTLS,
		IdleTimeout:     s.opts.IdleTimeout,
		MaxLine:         s.opts.MaxLine,
		MaxRecipients:   s.opts.recipients(),
		MaxMessageBytes: s.service.MaxSize(),
		MaxConnections:  20_000,
	})
	s.http = s.newHTTPServer(ctx)
	s.wg.Go(func() { _ = s.smtp.Serve(ctx, s.smtpListener) })
	s.wg.Go(func() {
		_ = s.http.Serve(&sniffListener{s.httpListener, s.certs.config(s.faultAt(fault.PointHTTPHandshake))})
	})
}

// faultAt returns a function that names the fault that acts at point, "" for none.
func (s *Sandbox) faultAt(point fault.Point) func() string {
	return func() string {
		f, _, _ := s.faults.Take(point, "")
		return f.Name
	}
}

// Close ends the sandbox and forgets all mail. No goroutine, socket or file of
// it is left.
func (s *Sandbox) Close() error {
	var err error
	s.closed.Do(func() {
		s.cancel()
		err = errors.Join(s.smtp.Close(), s.http.Close())
		s.wg.Wait()
		s.handling.Lock() // no handler runs any more
		defer s.handling.Unlock()
		err = errors.Join(err, s.inbox.Close(), s.wallet.Close())
	})
	return err
}

// SMTPAddr is host:port of the submission server.
func (s *Sandbox) SMTPAddr() string { return s.smtpListener.Addr().String() }

// URL is "https://host:port" of the token endpoint, API and inbox.
func (s *Sandbox) URL() string { return "https://" + s.httpListener.Addr().String() }

// CAPEM is the certificate of the authority that both servers' certificates
// come from.
func (s *Sandbox) CAPEM() []byte { return s.certs.pem }

// Credentials are all by which a client can prove who it is, which may change while the
// sandbox runs.
func (s *Sandbox) Credentials() *wallet.Wallet { return s.wallet }

// Faults are the faults of the sandbox, which may change while it runs.
func (s *Sandbox) Faults() *fault.Set { return s.faults }

// Inbox is where the sandbox keeps what it accepted.
func (s *Sandbox) Inbox() *inbox.Inbox { return s.inbox }

// Messages returns what was accepted and is still kept, the oldest first.
func (s *Sandbox) Messages() []inbox.Message { return s.inbox.Messages() }

// Raw returns the octets of a message as the client sent them, dots removed;
// false when there is none of that id.
func (s *Sandbox) Raw(id string) ([]byte, bool) { return s.inbox.Raw(id) }

// Stats returns the counters.
func (s *Sandbox) Stats() Stats {
	seen := s.service.Stats()
	return Stats{
		TokenRequests: s.endpoint.Requests(),
		Connections:   seen.Connections,
		Auths:         seen.Auths,
		Accepted:      seen.Accepted,
	}
}
