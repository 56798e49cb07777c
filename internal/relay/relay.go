// Package relay is the part of smtpsend that other programs and devices speak SMTP
// to. It takes their mail into the outbox, and a courier in the same process submits
// it to Exchange Online.
//
//  1. A port accepts a connection, and internal/smtpserver reads its commands. A
//     session answers them.
//  2. AUTH asks the users file (package users). MAIL asks who the client is and
//     whether it may submit (package admission), and which mailbox submits for its
//     sender (package sender).
//  3. The content gets a Received field and what sendmail adds, loses Bcc, and goes into
//     the outbox. The client hears 250 when it is on disk, and not before.
//  4. What the sender can put right is refused for good (5yz), at MAIL or RCPT where
//     that is known by then. Trouble of ours, or of Microsoft's, is never its fault:
//     the message is kept in the outbox, or the client is asked to try again (4yz)
//     when the outbox cannot take it.
//
// The settings file is read at the start and again by Reload. A connection goes on
// with a new file: each AUTH and MAIL goes by the one that is in force then, and what
// began with MAIL ends by the same.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/relay/budget"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/upstream"
)

// Options say what a relay needs. Outbox, Read and Hostname are required.
type Options struct {
	Outbox *outbox.Outbox
	// Read reads the settings file: at the start and for each Reload.
	Read func(ctx context.Context) (*relayfile.File, error)
	// Inherited are the sockets that the service manager opened, by name. The relay takes
	// those that the file names, and closes them.
	Inherited map[string][]net.Listener
	// CertificateDir is where the self-made certificate is kept.
	CertificateDir string
	// Hostname is said in greetings and in Received where the file has none.
	Hostname string
	// Domain completes senders without one where the file has none.
	Domain string
	// Mailbox submits for every sender that no rule is for; zero: none.
	Mailbox address.Address
	// Resolve turns recipients that have no domain, or that of this host, into those that
	// a server may know. Its error is for the client, in words: one that wraps
	// localname.ErrUnknown is the client's to put right, another is this host's. Nil: they
	// are refused.
	Resolve func([]address.Address) ([]address.Address, error)
	// Reencode is what leaves in 7 bits, unless a client's entry says otherwise.
	Reencode readymessage.Reencode
	// Logger gets the audit line of each message and of each refusal.
	Logger *slog.Logger
	// Warn is told what an operator should know, and nothing stops for. It is called
	// concurrently.
	Warn func(string)
	// Refused is told of each refusal and of each session that broke, and Visited of each
	// session that is over. They are called concurrently, by the goroutine that serves the
	// client, and must not wait.
	Refused func(event.Refusal)
	Visited func(event.Visit)
	// Learning, when not nil, admits clients that the file does not know.
	Learning *Learning
	// Grace is how long those may go on who are in the middle of a message when the
	// relay ends: 30 s.
	Grace time.Duration
	Now   func() time.Time // nil: time.Now

	sleep func(context.Context, time.Duration) error // tests: how a wrong password waits
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Refused == nil {
		o.Refused = func(event.Refusal) {}
	}
	if o.Visited == nil {
		o.Visited = func(event.Visit) {}
	}
	o.Inherited = maps.Clone(o.Inherited) // what is taken is taken once
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	return o
}

// Relay takes mail. Its methods are safe for concurrent use.
type Relay struct {
	opts   Options
	used   *budget.Budgets
	known  *upstream.Known
	rules  atomic.Pointer[rules] // in force
	broken chan error            // the outbox's, at most one

	accepting   chan struct{} // holds one for each message on its way into the outbox
	connections atomic.Int64
	troubled    atomic.Bool // the outbox takes nothing, and a warning said so
	checks      sync.Map    // addresses of connections of Check

	reloading sync.Mutex // one at a time; guards what follows
	ports     map[string]*port
	removed   []*port          // whose clients may still be there
	spare     map[string]*port // inherited, and in no file that holds
	run       context.Context  // of Run; nil before it
	ended     bool
	serving   sync.WaitGroup
}

// New makes a relay of a settings file that holds, and opens its listeners: when it
// returns, clients can connect, and wait for Run. Errors are those of Options.Read, of
// the users file, of certificates and of the listeners.
func New(ctx context.Context, o Options) (*Relay, error) {
	o = o.withDefaults()
	r := &Relay{
		opts: o, used: budget.New(o.Now), known: upstream.New(o.Outbox, o.Now), ports: map[string]*port{}, spare: map[string]*port{},
		broken: make(chan error, 1), accepting: make(chan struct{}, mostAccepted),
	}
	err := operator.Intake(ctx, o.Outbox, Source, o.Now().Add(-24*time.Hour), r.used.Count)
	if err == nil {
		err = r.Reload(ctx)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Run serves until ctx ends, and then lets those finish who are in the middle of a
// message, for Options.Grace at most, or Learning.Grace when the cause is ErrTimeOver. It returns nil then. Any other error is that of
// the outbox, which takes nothing more: the process has to end. A relay runs once, and
// its listeners are closed when Run returns.
func (r *Relay) Run(ctx context.Context) error {
	r.reloading.Lock()
	if r.ended { // Close was faster, and nothing may be started any more
		r.reloading.Unlock()
		return nil
	}
	r.run = context.WithoutCancel(ctx)
	for _, p := range r.ports {
		r.start(p)
	}
	r.reloading.Unlock()
	var err error
	grace := r.opts.Grace
	select {
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), ErrTimeOver) && r.opts.Learning != nil {
			grace = r.opts.Learning.Grace
		}
	case err = <-r.broken:
	}
	r.end(grace)
	return err
}

// Close ends the relay as the end of Run's context does, and returns when all clients
// are gone. It is for a relay that does not run, too.
func (r *Relay) Close() { r.end(r.opts.Grace) }

func (r *Relay) end(grace time.Duration) {
	r.reloading.Lock()
	r.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var ending sync.WaitGroup
	for _, p := range append(slices.Collect(maps.Values(r.ports)), r.removed...) {
		ending.Go(func() { p.shutdown(ctx) })
	}
	for _, p := range r.spare {
		_ = p.socket.Close()
	}
	for _, sockets := range r.opts.Inherited {
		for _, socket := range sockets {
			_ = socket.Close()
		}
	}
	r.reloading.Unlock()
	ending.Wait()
	r.serving.Wait()
}

// fail ends the relay because of the outbox.
func (r *Relay) fail(err error) {
	select {
	case r.broken <- err:
	default:
	}
}

// ErrEnded says that a relay that has ended was to reload.
var ErrEnded = errors.New("the relay has ended")

// Connections is how many clients are connected.
func (r *Relay) Connections() int { return int(r.connections.Load()) }

// Addr is where a listener of the settings file listens, by the address that the file
// has; nil when there is none. Its port is the real one where the file says 0.
func (r *Relay) Addr(address string) net.Addr {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	for _, p := range r.ports {
		if p.entry.Load().Address.String() == address {
			return p.socket.Addr()
		}
	}
	return nil
}
