package relayfile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/spelling"
)

// Policy is who may submit by a listener. On a Unix socket the uid of the peer takes
// the place of its address. The truth table is in package admission.
type Policy string

// The policies.
const (
	PolicyIP        Policy = "ip"          // who comes from a client's network
	PolicyAuth      Policy = "auth"        // who signs in as a client's user
	PolicyIPOrAuth  Policy = "ip-or-auth"  // either
	PolicyIPAndAuth Policy = "ip-and-auth" // who signs in as a client's user, from that client's network
)

var policies = []string{string(PolicyIP), string(PolicyAuth), string(PolicyIPOrAuth), string(PolicyIPAndAuth)}

// Policies are all policies, in the order of the manual.
func Policies() []Policy { return []Policy{PolicyIP, PolicyAuth, PolicyIPOrAuth, PolicyIPAndAuth} }

// ByAddress reports that the address, or the uid, is enough.
func (p Policy) ByAddress() bool { return p == PolicyIP || p == PolicyIPOrAuth }

// ByUser reports that the user is enough.
func (p Policy) ByUser() bool { return p == PolicyAuth || p == PolicyIPOrAuth }

func readPolicy(text string) (Policy, string) {
	if slices.Contains(policies, text) {
		return Policy(text), ""
	}
	return "", notOneOf(text, policies)
}

// Scheme is the protocol of a listener.
type Scheme string

// The schemes, each with the port that a listener has when none is written.
const (
	SchemeSMTP     Scheme = "smtp"     // 25: no TLS
	SchemeSTARTTLS Scheme = "starttls" // 587: TLS by STARTTLS, and AUTH after it
	SchemeSMTPS    Scheme = "smtps"    // 465: TLS first
	SchemeUnix     Scheme = "unix"     // a Unix socket; no TLS
)

var (
	schemes = []string{string(SchemeSMTP), string(SchemeSTARTTLS), string(SchemeSMTPS), string(SchemeUnix)}
	ports   = []uint16{25, 587, 465}
)

// Endpoint is where a listener is.
type Endpoint struct {
	Scheme Scheme
	Addr   netip.AddrPort // of TCP; port 0 is any that is free
	Path   string         // of a Unix socket, absolute
}

// IsUnix reports a Unix socket.
func (e Endpoint) IsUnix() bool { return e.Scheme == SchemeUnix }

// IsLoopback reports that only this host can connect: a Unix socket, or a loopback
// address.
func (e Endpoint) IsLoopback() bool { return e.IsUnix() || e.Addr.Addr().IsLoopback() }

// String is the endpoint as the file has it.
func (e Endpoint) String() string {
	if e.IsUnix() {
		return string(e.Scheme) + "://" + e.Path
	}
	return string(e.Scheme) + "://" + e.Addr.String()
}

// maxSocketPath is what the smallest sockaddr_un of a system we run on holds.
const maxSocketPath = 103

func readEndpoint(text string) (Endpoint, string) {
	scheme, rest, ok := strings.Cut(text, "://")
	i := slices.Index(schemes, scheme)
	switch {
	case !ok:
		return Endpoint{}, "must begin with smtp://, starttls://, smtps:// or unix://"
	case i < 0:
		return Endpoint{}, notOneOf(scheme, schemes)
	case Scheme(scheme) == SchemeUnix:
		e := Endpoint{Scheme: SchemeUnix, Path: rest}
		switch {
		case !path.IsAbs(rest) || path.Clean(rest) != rest:
			return Endpoint{}, "must name the socket by a full path: unix:///run/smtpsend/relay.sock"
		case len(rest) > maxSocketPath:
			return Endpoint{}, fmt.Sprintf("has a path of %d octets, at most %d", len(rest), maxSocketPath)
		}
		return e, ""
	}
	addr, reason := readAddrPort(rest, ports[i])
	return Endpoint{Scheme: Scheme(scheme), Addr: addr}, reason
}

// readAddrPort reads HOST, HOST:PORT, [IPV6] and [IPV6]:PORT.
func readAddrPort(text string, port uint16) (netip.AddrPort, string) {
	host, portText := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), ""
	switch _, err := netip.ParseAddr(text); {
	case err == nil && strings.Contains(text, ":"):
		return netip.AddrPort{}, "needs brackets around an IPv6 address: [" + text + "]"
	case strings.Contains(text, ":") && !strings.HasSuffix(text, "]"):
		if host, portText, err = net.SplitHostPort(text); err != nil {
			return netip.AddrPort{}, "is not HOST:PORT"
		}
		n, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			return netip.AddrPort{}, fmt.Sprintf("has a port that is not a number up to 65535: %q", portText)
		}
		port = uint16(n)
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "", "*":
		return netip.AddrPort{}, "must say where to listen: 127.0.0.1 for this host alone, 0.0.0.0 for every address of IPv4, [::] for every one of IPv6"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.IsMulticast() {
		return netip.AddrPort{}, "must have an IP address of this host, or localhost"
	}
	return netip.AddrPortFrom(addr.Unmap(), port), ""
}

// TLSVersion is one of crypto/tls.
type TLSVersion uint16

var tlsVersions = []string{"1.0", "1.1", "1.2", "1.3"}

// DefaultTLSMin is the least TLS that clients must have where tls_min is absent (RFC 9325
// section 3.1.1). Versions below it come with old cipher suites, and with a warning.
const DefaultTLSMin TLSVersion = tls.VersionTLS12

// String is the version as the file has it, such as "1.2".
func (v TLSVersion) String() string { return tlsVersions[v-tls.VersionTLS10] }

// MarshalText is String.
func (v TLSVersion) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what the file may have.
func (v *TLSVersion) UnmarshalText(text []byte) error {
	read, reason := readTLSVersion(string(text))
	if reason != "" {
		return errors.New("TLS version " + reason)
	}
	*v = read
	return nil
}

func readTLSVersion(text string) (TLSVersion, string) {
	if i := slices.Index(tlsVersions, text); i >= 0 {
		return TLSVersion(tls.VersionTLS10 + i), ""
	}
	return 0, notOneOf(text, tlsVersions)
}

// EightBit is how octets above 127 leave.
type EightBit string

// The ways.
const (
	EightBitEncode EightBit = ""     // in 7 bits, as sendmail's do; written "encode"
	EightBitKeep   EightBit = "keep" // as they came
)

func readEightBit(text string) (EightBit, string) {
	switch text {
	case "encode":
		return EightBitEncode, ""
	case string(EightBitKeep):
		return EightBitKeep, ""
	}
	return "", notOneOf(text, []string{"encode", string(EightBitKeep)})
}

// Sender is what a rule is for: an address, a domain, or the null reverse-path, which
// is the zero value and is written <>.
type Sender struct{ address.Pattern }

// IsNull reports a rule for the null reverse-path.
func (s Sender) IsNull() bool { return s.IsZero() }

// String is the sender as the file has it.
func (s Sender) String() string {
	if s.IsNull() {
		return nullPath
	}
	return s.Pattern.String()
}

const nullPath = "<>"

// notOneOf is the reason for a word that is not one of those that are known.
func notOneOf(word string, known []string) string {
	reason := "must be one of " + strings.Join(known, ", ")
	if near := spelling.Nearest(strings.ToLower(word), known); near != "" {
		reason += "; is " + near + " meant?"
	}
	return reason
}
