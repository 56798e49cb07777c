package sessions

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// brokenCause says how a session broke, as what the client did.
func brokenCause(r *event.Refusal) string {
	b := r.Broken
	switch b.Cause {
	case smtpserver.CauseHandshake:
		return handshake(r)
	case smtpserver.CauseTLSExpected:
		return "spoke without TLS where TLS comes first: set it to SSL/TLS for this port, or to the port of a starttls:// listener"
	case smtpserver.CauseTLSUnexpected:
		return "began with TLS where the connection begins without: set it to STARTTLS for this port, or to the port of an smtps:// listener"
	case smtpserver.CauseIdle:
		return "was silent for longer than the listener's idle time" + after(b)
	case smtpserver.CauseUnauthenticated:
		return "did not sign in or send in time" + after(b)
	case smtpserver.CauseCommands:
		return "sent too many commands without a message" + after(b)
	case smtpserver.CauseErrors:
		return "sent too many commands that are wrong or out of place" + after(b)
	case smtpserver.CauseConnections:
		return "was turned away: the listener has as many connections as limits, connections, permits"
	case smtpserver.CauseAddressConnections:
		return "was turned away: it has as many connections as limits, connections_per_address, permits"
	case smtpserver.CauseInjected:
		return "sent more in the clear together with STARTTLS, which was thrown away: someone on the network may have added it"
	case smtpserver.CauseHTTP:
		return "sent a request of HTTP: a web page may have made a browser on it try to send mail, or a check of HTTP has the wrong port"
	case smtpserver.CauseLine:
		return "sent a command line without an end"
	case smtpserver.CauseContentSize:
		return "went on with a message far beyond the size that the listener takes"
	case smtpserver.CauseContentCut:
		return "went away inside a message, of which nothing was kept" + because(b.Err)
	case smtpserver.CauseChunk:
		return "sent a chunk (BDAT) that cannot be read"
	case smtpserver.CauseClosed:
		return closed(b)
	case smtpserver.CauseLost:
		return "was lost" + after(b) + because(b.Err)
	}
	return "ended its session otherwise than by QUIT" + after(b)
}

// closed is a connection that the client closed without QUIT.
func closed(b *smtpserver.Broken) string {
	switch {
	case b.Accepted > 0:
		return fmt.Sprintf("closed the connection without QUIT after %d %s, which %s kept", b.Accepted, plural(b.Accepted, "message", "messages"), plural(b.Accepted, "is", "are"))
	case b.LastVerb == "":
		return "connected, said nothing and closed: monitoring and port scans do that"
	}
	return "closed the connection without QUIT and without a message" + after(b)
}

// after says what the client sent last, and what it was told.
func after(b *smtpserver.Broken) string {
	var text string
	switch b.LastVerb {
	case "":
		text = "; it had sent nothing"
	case "?":
		text = "; its last command is not known here"
	default:
		text = fmt.Sprintf("; its last command was %s", b.LastVerb)
	}
	if b.LastRefusal != "" {
		text += fmt.Sprintf(", and the last refusal %q", b.LastRefusal)
	}
	return text
}

// because is the error of the connection, for people.
func because(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ": nothing came any more"
	}
	return ": " + err.Error()
}

// handshake says why one failed, by what the client offered.
func handshake(r *event.Refusal) string {
	offer, err := r.Broken.Offer, r.Broken.Err
	old, _ := errors.AsType[*net.OpError](err)
	switch {
	case offer != nil && len(offer.Versions) > 0 && slices.Max(offer.Versions) < lowest(r):
		best := version(slices.Max(offer.Versions))
		return fmt.Sprintf("offered TLS %s %s, and this listener takes %s or newer: give it a listener with tls_min: %q, or admit it by address without TLS", best, most(offer), version(lowest(r)), best)
	case offer != nil && !shares(offer, lowest(r)):
		return "offered no cipher suite that this listener has (" + suites(offer) + "): look for new firmware, or give it a listener with tls_min: \"1.0\", which has the old ones"
	case old != nil && old.Op == "remote error":
		return "ended the TLS handshake (" + old.Err.Error() + "): it may not trust the certificate; import it at the device, switch off its verification, or give the listener a certificate that it knows"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "did not come to the end of the TLS handshake in time"
	case errors.Is(err, io.EOF) && offer != nil:
		return "closed the connection in the TLS handshake: it may not trust the certificate, or miss a cipher suite"
	case errors.Is(err, io.EOF):
		return "closed the connection before it began the TLS handshake"
	}
	return "failed in the TLS handshake" + because(err)
}

// lowest is the version of TLS that the listener takes.
func lowest(r *event.Refusal) uint16 {
	if r.Lowest == 0 {
		return exchange.MinTLS
	}
	return r.Lowest
}

// version is one such as "1.2".
func version(v uint16) string { return strings.TrimPrefix(tls.VersionName(v), "TLS ") }

// most is "only" for a client that offered one version.
func most(o *smtpserver.Offer) string {
	if len(o.Versions) == 1 {
		return "only"
	}
	return "at most"
}

// shares reports whether the client offered a suite of a listener.
func shares(o *smtpserver.Offer, lowest uint16) bool {
	has := tls.CipherSuites()
	if lowest < exchange.MinTLS {
		has = append(has, tls.InsecureCipherSuites()...)
	}
	return slices.ContainsFunc(has, func(s *tls.CipherSuite) bool { return slices.Contains(o.CipherSuites, s.ID) })
}

// suites are the first that a client offered.
func suites(o *smtpserver.Offer) string {
	var names []string
	for _, id := range o.CipherSuites[:min(len(o.CipherSuites), 3)] {
		names = append(names, tls.CipherSuiteName(id))
	}
	if len(o.CipherSuites) > len(names) {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
