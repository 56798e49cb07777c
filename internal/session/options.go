package session

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
)

// Security says how the connection is protected.
type Security int

// The zero value is the safe one.
const (
	StartTLS    Security = iota // STARTTLS required (RFC 3207)
	ImplicitTLS                 // TLS from the first octet (RFC 8314)
	Plaintext                   // none, for a server on this host only
)

// Timeouts are the limits of single steps. The zero value of a field is the
// default named after it.
type Timeouts struct {
	Dial    time.Duration // TCP connection, proxy included: 30 s, since a second address may have to be tried
	Command time.Duration // greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT: 5 min (RFC 5321 4.5.3.2.1 to .3)
	Data    time.Duration // reply to DATA: 2 min (4.5.3.2.4)
	Block   time.Duration // each write of content: 3 min (4.5.3.2.5)
	Dot     time.Duration // reply to the final dot: 10 min (4.5.3.2.6)
	Fresh   time.Duration // silence of the server after which content does not go with MAIL: 30 s
	Idle    time.Duration // a session that waits for a further message: 90 s
	Session time.Duration // a session in all: 10 min
}

// The life of a session. Exchange's front ends cut idle sessions after some
// five minutes and old ones after some twenty; a session that ends before that
// by our own hand never ends within a message.
const (
	idleLimit    = 90 * time.Second
	sessionLimit = 10 * time.Minute
)

// WithDefaults returns t with the default in every field that is zero.
func (t Timeouts) WithDefaults() Timeouts {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Dial, 30 * time.Second}, {&t.Command, 5 * time.Minute}, {&t.Data, 2 * time.Minute},
		{&t.Block, 3 * time.Minute}, {&t.Dot, 10 * time.Minute},
		{&t.Fresh, 30 * time.Second}, {&t.Idle, idleLimit}, {&t.Session, sessionLimit},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return t
}

// Slots hands out the right to have a connection.
type Slots interface {
	// Acquire waits until mailbox may have one more connection, and returns what
	// gives it back. Its error is that of ctx, or wraps ErrNoSlots.
	Acquire(ctx context.Context, mailbox string) (release func(), err error)
}

// ErrNoSlots is wrapped by an error of Slots that keeps no session from being
// made: without slots the server has a limit of its own.
var ErrNoSlots = errors.New("the lock files for connections cannot be used")

// Options says where and as whom to submit. Host, Port, Mailbox and Tokens are
// required, or Socket alone; the zero value of every other field is the default.
type Options struct {
	// Socket is the path of a Unix socket of a relay on this host, in place of Host and
	// Port. The relay knows its client by the user at the other end: there is no TLS and
	// no AUTH.
	Socket   string
	Host     string        // name or address of the server
	Port     int           // TCP port
	Security Security      // STARTTLS unless told
	Mailbox  string        // the XOAUTH2 user: the mailbox to submit as
	Tokens   bearer.Source // where the access token comes from

	RootCAs *x509.CertPool // nil: the system's
	// LoadRoots, when set, gives RootCAs. It is called, at most once a session, while
	// the connection is made: reading the system's roots takes some 15 ms. It may be
	// called by several goroutines.
	LoadRoots    func() (*x509.CertPool, error)
	EHLOName     string   // "": the connection's own address literal, never this host's name
	Proxy        *url.URL // nil: none; http, https (CONNECT) or socks5
	IPFamily     string   // "" or "any", "ipv4", "ipv6"
	NoPipelining bool     // one command at a time, as a way out
	NoChunking   bool     // DATA in any case, as a way out
	AllOrNone    bool     // submit nothing when a recipient is refused
	Recipients   int      // in a transaction, at most; 0: what Exchange Online takes
	Slots        Slots    // nil: connections are not limited
	Timeouts     Timeouts

	// Chunking remembers, for all sessions that share it, that BDAT does not work
	// with this server. nil: for one Sender.
	Chunking *Chunking

	// Trace, when set, gets each line of the dialogue without credentials and
	// content, with "C: " or "S: " before it.
	Trace func(line string)
}

// Chunking is what a process has learnt of a server's BDAT. The zero value trusts
// its EHLO reply. It is safe for concurrent use.
type Chunking struct{ failed atomic.Bool }

// Fail says that BDAT did not work: from now on content goes by DATA.
func (c *Chunking) Fail() { c.failed.Store(true) }

// Failed reports whether it did not.
func (c *Chunking) Failed() bool { return c.failed.Load() }

// Address is the server's host:port, or its socket.
func (o Options) Address() string {
	if o.Socket != "" {
		return o.Socket
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
}

func (o Options) trace(line string) {
	if o.Trace != nil {
		o.Trace(line)
	}
}
