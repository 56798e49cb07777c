package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// Errors that the reader given to Session.Content returns, besides io.EOF and
// those of the connection.
var (
	ErrTooLarge  = errors.New("smtpserver: content exceeds the size limit")
	ErrBareLines = errors.New("smtpserver: content has a lone CR or LF")
	ErrAborted   = errors.New("smtpserver: client gave the content up")
)

// Session answers one connection's commands. All methods are called by one
// goroutine, in the order of the protocol; ctx ends when the server is closed.
// A reply with a 2yz code (354 for Data, 235 for Auth) moves the dialogue on;
// any other leaves it where it was.
type Session interface {
	// Greeting is the first line; a code other than 220 closes the connection.
	Greeting(ctx context.Context) Reply
	// Hello answers HELO (extended is false) and EHLO, whose keywords are the
	// lines after the first.
	Hello(ctx context.Context, name string, extended bool) Reply
	// StartTLS answers before the handshake; 220 starts it.
	StartTLS(ctx context.Context) Reply
	// Auth answers AUTH; 235 authenticates. initial is nil when the client
	// sent no initial response, or one that is not base64, which challenge then
	// fails with; it is empty when the client sent "=". challenge sends a 334
	// and returns the decoded response; after its error Auth should return at
	// once, its reply is not used. With Options.Tolerant it may be called again
	// after 235; whatever it answers then replaces what was before.
	Auth(ctx context.Context, mechanism string, initial []byte, challenge func([]byte) ([]byte, error)) Reply
	// Mail and Rcpt answer parsed commands. SIZE= is already checked.
	Mail(ctx context.Context, m Mail) Reply
	Rcpt(ctx context.Context, r Rcpt) Reply
	// Data answers DATA, or the first BDAT, where 354 is not sent.
	Data(ctx context.Context) Reply
	// Content reads the content, dots removed, and answers its end. Only after
	// io.EOF has the client sent all of it: with any other error nothing must
	// be kept, and the reply is not used. A reply given before io.EOF is sent
	// after the rest has been read and thrown away, unless it closes.
	Content(ctx context.Context, r io.Reader) Reply
	// Reset ends the transaction: RSET, EHLO, STARTTLS, after Content.
	Reset()
	// Quit answers QUIT, after which the connection is closed.
	Quit(ctx context.Context) Reply
	// Logout is the last call.
	Logout()
}

// Mail is a MAIL command.
type Mail struct {
	ReversePath string            // "" is the null reverse-path; may lack a domain
	Size        int64             // SIZE= in octets, 0 when absent
	Body        string            // BODY= in upper case, "" when absent
	UTF8        bool              // SMTPUTF8
	Params      map[string]string // AUTH, RET, ENVID by upper-case name, as sent
}

// Rcpt is a RCPT command.
type Rcpt struct {
	ForwardPath string            // never empty; may lack a domain
	Params      map[string]string // NOTIFY, ORCPT by upper-case name, as sent
}

// Peer is the client at the other end. Its methods are for the session's
// goroutine.
type Peer struct{ conn *conn }

// RemoteAddr is the client's address, as the listener's connection says it: that of
// a client before a proxy, or of a local user, where the listener knows it.
func (p *Peer) RemoteAddr() net.Addr { return p.conn.wire.tcp.RemoteAddr() }

// TLS returns the state of TLS, nil while the connection is in clear.
func (p *Peer) TLS() *tls.ConnectionState {
	t, ok := p.conn.wire.stream.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}

// HelloName is the argument of the last HELO or EHLO, at most 512 octets of it, "" before
// it, and for one that had none.
func (p *Peer) HelloName() string { return p.conn.helloName }

// Quirks are those of the client up to now. All are known in Logout.
func (p *Peer) Quirks() Quirks { return p.conn.wire.grammar.quirks }

// Trust is for a client that is admitted without AUTH, by its address for example:
// the limits for those who are not authenticated end, as after AUTH.
func (p *Peer) Trust() { p.conn.trust() }
