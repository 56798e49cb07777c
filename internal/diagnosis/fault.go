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

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// FaultOf names the failure that an error stands for: one of net, crypto/tls,
// crypto/x509, io, syscall or context, or a ProxyError, by type alone, or of a type that
// says it by a method Fault. It is "" for nil
// and for errors of other kinds. An interrupted context is smtp.FaultCancelled, one past its deadline
// smtp.FaultConnectionTimeout.
func FaultOf(err error) smtp.Fault {
	if err == nil {
		return ""
	}
	// TLS before the net errors that wrap it, names before timeouts, because a
	// slow name server is not a slow SMTP server.
	for _, classify := range []func(error) smtp.Fault{ownFault, proxyFault, certificateFault, tlsFault, dnsFault, syscallFault, endFault} {
		if f := classify(err); f != "" {
			return f
		}
	}
	return ""
}

// ownFault is what an error of ours says itself.
func ownFault(err error) smtp.Fault {
	own, ok := errors.AsType[interface {
		error
		Fault() smtp.Fault
	}](err)
	if !ok {
		return ""
	}
	return own.Fault()
}

func certificateFault(err error) smtp.Fault {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return smtp.FaultTLSExpired
	}
	var hostname x509.HostnameError
	if errors.As(err, &hostname) {
		return smtp.FaultTLSHostname
	}
	var authority x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	var verification *tls.CertificateVerificationError
	if errors.As(err, &authority) || errors.As(err, &roots) || errors.As(err, &invalid) || errors.As(err, &verification) {
		return smtp.FaultTLSUntrusted
	}
	return ""
}

// alertProtocolVersion is TLS alert 70 (RFC 8446 6.2).
const alertProtocolVersion tls.AlertError = 70

func tlsFault(err error) smtp.Fault {
	var header tls.RecordHeaderError
	if errors.As(err, &header) {
		return smtp.FaultTLSNotSpoken
	}
	var alert tls.AlertError
	if errors.As(err, &alert) {
		if alert == alertProtocolVersion {
			return smtp.FaultTLSVersion
		}
		return smtp.FaultTLSFailure
	}
	// crypto/tls wraps an alert that it received in a net.OpError with this Op.
	// The alert's type is not exported there, but it is a number all the same.
	var op *net.OpError
	if !errors.As(err, &op) {
		return ""
	}
	if op.Op == "remote error" || op.Op == "local error" {
		if v := reflect.ValueOf(op.Err); v.IsValid() && v.Kind() == reflect.Uint8 && v.Uint() == uint64(alertProtocolVersion) {
			return smtp.FaultTLSVersion
		}
		return smtp.FaultTLSFailure
	}
	return ""
}

func dnsFault(err error) smtp.Fault {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return ""
	}
	if dns.IsNotFound {
		return smtp.FaultDNSNotFound
	}
	return smtp.FaultDNSFailure
}

func syscallFault(err error) smtp.Fault {
	op, ok := errors.AsType[*net.OpError](err)
	isSocket := ok && op.Op == "dial" && op.Net == "unix"
	switch {
	case isSocket && errors.Is(err, syscall.ECONNREFUSED):
		return smtp.FaultRelayNotRunning
	case errors.Is(err, syscall.ECONNREFUSED):
		return smtp.FaultConnectionRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return smtp.FaultNetworkUnreachable
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return smtp.FaultConnectionClosed
	case errors.Is(err, syscall.ETIMEDOUT):
		return smtp.FaultConnectionTimeout
	}
	return ""
}

func endFault(err error) smtp.Fault {
	var netErr net.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return "" // a file, whatever its errno
	case errors.Is(err, context.Canceled):
		return smtp.FaultCancelled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return smtp.FaultConnectionTimeout
	case errors.As(err, &netErr) && netErr.Timeout():
		return smtp.FaultConnectionTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return smtp.FaultConnectionClosed
	}
	return ""
}
