package diagnosis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"reflect"
	"syscall"
)

// Fault is a failure without a reply: the network, TLS, a server that does not
// offer what is needed, a local file.
type Fault string

// The faults. Each is the code of an entry of the catalogue.
const (
	FaultDNSNotFound        Fault = "dns-not-found"
	FaultDNSFailure         Fault = "dns-failure"
	FaultConnectionRefused  Fault = "connection-refused"
	FaultConnectionTimeout  Fault = "connection-timeout"
	FaultConnectionClosed   Fault = "connection-closed"
	FaultNetworkUnreachable Fault = "network-unreachable"
	FaultProxyRefused       Fault = "proxy-refused"
	FaultProxySignIn        Fault = "proxy-authentication"
	FaultTLSUntrusted       Fault = "tls-untrusted"
	FaultTLSIntercepted     Fault = "tls-intercepted"
	FaultTLSHostname        Fault = "tls-hostname"
	FaultTLSExpired         Fault = "tls-expired"
	FaultTLSVersion         Fault = "tls-version"
	FaultTLSNotSpoken       Fault = "tls-not-spoken" // plain text where TLS was expected, as with implicit TLS on 587
	FaultTLSFailure         Fault = "tls-failure"
	FaultStartTLSMissing    Fault = "starttls-missing"
	FaultXOAUTH2Missing     Fault = "xoauth2-missing"
	FaultNotSMTP            Fault = "not-smtp"
	FaultNotExchange        Fault = "not-exchange"
	FaultTokenNotJSON       Fault = "token-not-json" // the endpoint answers with something else, as a captive portal does
	FaultTokenUnusable      Fault = "token-unusable" // a token with a line break or another control character
	FaultClockSkew          Fault = "clock-skew"
	FaultCancelled          Fault = "cancelled"
	FaultSlotsBusy          Fault = "connection-slots-busy"
	FaultInDoubt            Fault = "in-doubt" // no reply to the final dot: it outranks whatever kept the reply away
)

// FaultOf names the failure behind an error of net, crypto/tls, crypto/x509,
// io, syscall or context, or a ProxyError, by type alone. It is "" for nil and for errors of
// other kinds. An interrupted context is FaultCancelled, one past its deadline
// FaultConnectionTimeout.
func FaultOf(err error) Fault {
	if err == nil {
		return ""
	}
	// TLS before the net errors that wrap it, names before timeouts, because a
	// slow name server is no slow SMTP server.
	for _, classify := range []func(error) Fault{proxyFault, certificateFault, tlsFault, dnsFault, syscallFault, endFault} {
		if f := classify(err); f != "" {
			return f
		}
	}
	return ""
}

func certificateFault(err error) Fault {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return FaultTLSExpired
	}
	var hostname x509.HostnameError
	if errors.As(err, &hostname) {
		return FaultTLSHostname
	}
	var authority x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	var verification *tls.CertificateVerificationError
	if errors.As(err, &authority) || errors.As(err, &roots) || errors.As(err, &invalid) || errors.As(err, &verification) {
		return FaultTLSUntrusted
	}
	return ""
}

// alertProtocolVersion is TLS alert 70 (RFC 8446 6.2).
const alertProtocolVersion tls.AlertError = 70

func tlsFault(err error) Fault {
	var header tls.RecordHeaderError
	if errors.As(err, &header) {
		return FaultTLSNotSpoken
	}
	var alert tls.AlertError
	if errors.As(err, &alert) {
		if alert == alertProtocolVersion {
			return FaultTLSVersion
		}
		return FaultTLSFailure
	}
	// crypto/tls wraps an alert that it received in a net.OpError with this Op.
	// The alert's type is not exported there, but it is a number all the same.
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") {
		if v := reflect.ValueOf(op.Err); v.IsValid() && v.Kind() == reflect.Uint8 && v.Uint() == uint64(alertProtocolVersion) {
			return FaultTLSVersion
		}
		return FaultTLSFailure
	}
	return ""
}

func dnsFault(err error) Fault {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return ""
	}
	if dns.IsNotFound {
		return FaultDNSNotFound
	}
	return FaultDNSFailure
}

func syscallFault(err error) Fault {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return FaultConnectionRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return FaultNetworkUnreachable
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return FaultConnectionClosed
	case errors.Is(err, syscall.ETIMEDOUT):
		return FaultConnectionTimeout
	}
	return ""
}

func endFault(err error) Fault {
	var netErr net.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return "" // a file, whatever its errno
	case errors.Is(err, context.Canceled):
		return FaultCancelled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return FaultConnectionTimeout
	case errors.As(err, &netErr) && netErr.Timeout():
		return FaultConnectionTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return FaultConnectionClosed
	}
	return ""
}
