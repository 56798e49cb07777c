// Package submission submits mail objects to a message submission server
// (RFC 6409), as a mailbox that an access token stands for. One submission goes
// so:
//
//  1. The token is asked for and, at the same time, the connection made: a cold
//     token costs no time when its request is shorter than the handshake.
//  2. Greeting, EHLO, STARTTLS, TLS handshake, EHLO, AUTH XOAUTH2. Every stage
//     has a name, a time limit of its own and an error that keeps the server's
//     words (Error).
//  3. MAIL, all RCPT and DATA in one write where the server offers PIPELINING
//     (RFC 2920), their replies read one by one.
//  4. The content, dot-stuffed, then the final dot. When the content itself
//     fails (a file that shrank), the connection is cut and the data never
//     ended, so that no server accepts a truncated message.
//  5. The reply to the final dot decides. When it does not come, the outcome is
//     in doubt, and nothing in doubt is submitted again.
//  6. QUIT, whose reply is not waited for: it can change nothing.
//
// A Session serves one mailbox and any number of messages, one after another. A
// Sender opens sessions as needed and tries again what deserves it; Submit is a
// Sender for one message. Each
// recipient gets one outcome (RFC 5321 3.3: a transaction may be accepted for
// some), gathered in a Receipt.
//
// Time limits are those of RFC 5321 4.5.3.2. The caller's deadline bounds all
// up to the final dot; the reply to the dot keeps its own ten minutes, because
// giving up there is what makes doubt. A context that ends cuts the connection
// wherever it is.
package submission

import (
	"context"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/smtpsend/smtpsend/internal/secret"
)

// Security says how the connection is protected.
type Security int

// The zero value is the safe one.
const (
	StartTLS    Security = iota // STARTTLS required (RFC 3207)
	ImplicitTLS                 // TLS from the first octet (RFC 8314)
	Plaintext                   // none, for a server on this host only
)

// Token is an access token on its way to AUTH.
type Token struct {
	Access    secret.String
	FromCache bool      // whether it was fetched by an earlier run or message
	Expires   time.Time // zero when it is not known
}

// TokenSource gives access tokens. It is called from one goroutine at a time
// for each session, from several for several sessions.
type TokenSource interface {
	// Token returns a token, asking the token endpoint when it has none.
	Token(ctx context.Context) (Token, error)
	// Invalidate says that the server refused token, so that it is not given again.
	Invalidate(token Token)
}

// Timeouts are the limits of single steps. The zero value of a field is the
// default named behind it.
type Timeouts struct {
	Dial    time.Duration // TCP connection, proxy included: 30 s, since a second address may have to be tried
	Command time.Duration // greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT: 5 min (RFC 5321 4.5.3.2.1 to .3)
	Data    time.Duration // reply to DATA: 2 min (4.5.3.2.4)
	Block   time.Duration // each write of content: 3 min (4.5.3.2.5)
	Dot     time.Duration // reply to the final dot: 10 min (4.5.3.2.6)
	Idle    time.Duration // a Sender's session without a message: 90 s
	Session time.Duration // a Sender's session in all: 10 min
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Dial, 30 * time.Second}, {&t.Command, 5 * time.Minute}, {&t.Data, 2 * time.Minute},
		{&t.Block, 3 * time.Minute}, {&t.Dot, 10 * time.Minute},
		{&t.Idle, idleLimit}, {&t.Session, sessionLimit},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return t
}

// Options says where and as whom to submit. Host, Port, Mailbox and Tokens are
// required; the zero value of every other field is the default.
type Options struct {
	Host     string      // name or address of the server
	Port     int         // TCP port
	Security Security    // STARTTLS unless told
	Mailbox  string      // the XOAUTH2 user: the mailbox to submit as
	Tokens   TokenSource // where the access token comes from

	RootCAs *x509.CertPool // nil: the system's
	// FirstRoots, when set, are some of the others and tried before them, which
	// are then loaded only for a server whose certificate does not pass with these.
	FirstRoots *x509.CertPool
	// LoadRoots, when set, gives RootCAs once TLS begins: reading the system's
	// roots takes longer than making the connection.
	LoadRoots    func() (*x509.CertPool, error)
	EHLOName     string   // "": the connection's own address literal, never this host's name
	Proxy        *url.URL // nil: none; http, https (CONNECT) or socks5
	IPFamily     string   // "" or "any", "ipv4", "ipv6"
	NoPipelining bool     // one command at a time, as a way out
	AllOrNone    bool     // submit nothing when a recipient is refused
	Slots        Slots    // nil: connections are not limited
	Timeouts     Timeouts

	// Trace, when set, gets each line of the dialogue without credentials and
	// content, with "C: " or "S: " before it.
	Trace func(line string)
}

func (o Options) trace(line string) {
	if o.Trace != nil {
		o.Trace(line)
	}
}
