package smtpserver

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"

	"github.com/smtpsend/smtpsend/internal/smtpserver/places"
)

// Cause says why a session ended in another way than by QUIT or by its Session.
type Cause string

// The causes. With each is said which of Broken's fields tells more.
const (
	CauseHandshake          Cause = "handshake-failed"         // Err, Offer; also a handshake that took too long
	CauseTLSExpected        Cause = "tls-expected"             // the client spoke in clear where TLS comes first
	CauseTLSUnexpected      Cause = "tls-unexpected"           // the client began with TLS where STARTTLS, or nothing, was offered
	CauseIdle               Cause = "idle-too-long"            // Options.IdleTimeout
	CauseUnauthenticated    Cause = "not-admitted-in-time"     // Options.UnauthenticatedTimeout
	CauseCommands           Cause = "too-many-commands"        // Options.UnauthenticatedCommands, MaxCommands
	CauseErrors             Cause = "too-many-errors"          // Options.MaxErrors; LastRefusal
	CauseConnections        Cause = "too-many-connections"     // Options.MaxConnections
	CauseAddressConnections Cause = "too-many-of-this-address" // Options.MaxPerAddress
	CauseInjected           Cause = "data-after-starttls"      // what RFC 3207 forbids
	CauseHTTP               Cause = "spoke-http"               // a request of a browser, which a web page can fill with commands
	CauseLine               Cause = "endless-line"             // a line that did not end within its limit and 1 MiB
	CauseContentSize        Cause = "endless-content"          // content that did not end within twice its limit
	CauseContentCut         Cause = "content-cut"              // Err: closed, lost or silent inside content
	CauseChunk              Cause = "malformed-chunk"          // a BDAT that cannot be read
	CauseClosed             Cause = "closed-without-quit"      // the client closed; usual for some devices when Accepted is not 0
	CauseLost               Cause = "connection-lost"          // Err: a reset, a failed write, half a command
)

// Causes are all causes.
func Causes() []Cause {
	return []Cause{
		CauseHandshake, CauseTLSExpected, CauseTLSUnexpected, CauseIdle, CauseUnauthenticated, CauseCommands, CauseErrors, CauseConnections,
		CauseAddressConnections, CauseInjected, CauseHTTP, CauseLine, CauseContentSize, CauseContentCut, CauseChunk, CauseClosed, CauseLost,
	}
}

// Broken is a session that ended in another way than by QUIT, by a reply of its
// Session that closes, or by the end of the server.
type Broken struct {
	Cause Cause
	Err   error // of the connection, nil where this package ended the session
	// Offer is what the client offered in a TLS handshake that failed, nil when it
	// offered nothing.
	Offer *Offer
	// LastVerb is the last command's, "" before the first, "?" for one that is unknown.
	LastVerb string
	// LastRefusal is the last refusal of this package's own, with its code.
	LastRefusal string
	Accepted    int // contents that were answered with 2yz
}

// Offer is what a client can do in TLS (RFC 8446 4.1.2).
type Offer struct {
	Versions     []uint16 // such as tls.VersionTLS10, the highest first
	CipherSuites []uint16 // at most 100, in the client's order
	ServerName   string   // "" when it named none
}

// maxOffered bounds what is kept of a client's lists.
const maxOffered = 100

// tlsTransport is the connection under TLS. It keeps what the client offered until
// the handshake is over.
type tlsTransport struct {
	net.Conn
	offer *Offer
}

// noting is a copy of config that notes what each client offers.
func noting(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	noted := config.Clone()
	noted.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if t, ok := hello.Conn.(*tlsTransport); ok {
			t.offer = &Offer{
				Versions:     append([]uint16(nil), hello.SupportedVersions[:min(len(hello.SupportedVersions), maxOffered)]...),
				CipherSuites: append([]uint16(nil), hello.CipherSuites[:min(len(hello.CipherSuites), maxOffered)]...),
				ServerName:   hello.ServerName,
			}
		}
		if config.GetConfigForClient == nil {
			return nil, nil
		}
		return config.GetConfigForClient(hello)
	}
	return noted
}

// end is what is known of how a session ends, the first time that it is. A connection
// that this server closed is not broken.
func (w *wire) end(cause Cause, err error) {
	if w.broken.Cause == "" && !errors.Is(err, net.ErrClosed) {
		w.broken.Cause, w.broken.Err = cause, err
	}
}

// endHandshake names a handshake that failed.
func (w *wire) endHandshake(err error, offer *Offer) {
	cause := CauseHandshake
	if _, clear := errors.AsType[tls.RecordHeaderError](err); clear && offer == nil {
		cause = CauseTLSExpected
	}
	w.broken.Offer = offer
	w.end(cause, err)
}

// endRead names the error of a read between commands, or inside content.
func (w *wire) endRead(err error, inContent bool) {
	began := w.began[0] == recordHandshake && w.began[1] == 3 && w.stream == w.tcp
	switch {
	case errors.Is(err, errShutdown), errors.Is(err, ErrAborted): // the client goes on after the second
	case began:
		w.end(CauseTLSUnexpected, err)
	case inContent:
		w.end(CauseContentCut, err)
	case errors.Is(err, os.ErrDeadlineExceeded) && w.cutoff.IsZero():
		w.end(CauseIdle, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.end(CauseUnauthenticated, err)
	case errors.Is(err, errLineEndless):
		w.end(CauseLine, nil)
	case errors.Is(err, io.EOF):
		w.grammar.quirks |= QuirkNoQuit
		w.end(CauseClosed, nil)
	default:
		w.end(CauseLost, err)
	}
}

// recordHandshake begins a TLS record with a handshake (RFC 8446 5.1).
const recordHandshake = 0x16

// full are the causes of a connection that finds no place.
var full = map[places.Answer]Cause{places.Full: CauseConnections, places.TooMany: CauseAddressConnections}
