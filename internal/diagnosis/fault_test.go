package diagnosis_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func TestFaultOf(t *testing.T) {
	op := func(errno syscall.Errno) error {
		return fmt.Errorf("dialing: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)})
	}
	tests := []struct {
		name string
		err  error
		want smtp.Fault
	}{
		{"none", nil, ""},
		{"another error", errors.New("something"), ""},
		{"a missing file is no fault of the network", &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, ""},
		{"name not found", &net.OpError{Err: &net.DNSError{IsNotFound: true}}, smtp.FaultDNSNotFound},
		{"name server silent", &net.OpError{Err: &net.DNSError{IsTimeout: true}}, smtp.FaultDNSFailure},
		{"refused", op(syscall.ECONNREFUSED), smtp.FaultConnectionRefused},
		{"no relay", &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}, smtp.FaultRelayNotRunning},
		{"unreachable", op(syscall.ENETUNREACH), smtp.FaultNetworkUnreachable},
		{"no route", op(syscall.EHOSTUNREACH), smtp.FaultNetworkUnreachable},
		{"reset", op(syscall.ECONNRESET), smtp.FaultConnectionClosed},
		{"broken pipe", op(syscall.EPIPE), smtp.FaultConnectionClosed},
		{"kernel gave up", op(syscall.ETIMEDOUT), smtp.FaultConnectionTimeout},
		{"deadline", fmt.Errorf("reading: %w", os.ErrDeadlineExceeded), smtp.FaultConnectionTimeout},
		{"context's deadline", fmt.Errorf("reading: %w", context.DeadlineExceeded), smtp.FaultConnectionTimeout},
		{"interrupted", fmt.Errorf("reading: %w", context.Canceled), smtp.FaultCancelled},
		{"end of stream", fmt.Errorf("reading: %w", io.EOF), smtp.FaultConnectionClosed},
		{"end within a reply", io.ErrUnexpectedEOF, smtp.FaultConnectionClosed},
		{"closed by us", net.ErrClosed, smtp.FaultConnectionClosed},
		{"unknown authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, smtp.FaultTLSUntrusted},
		{"expired", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, smtp.FaultTLSExpired},
		{"another reason", x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, smtp.FaultTLSUntrusted},
		{"hostname", &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}}, smtp.FaultTLSHostname},
		{"plain text", tls.RecordHeaderError{Msg: "first record"}, smtp.FaultTLSNotSpoken},
		{"alert", tls.AlertError(40), smtp.FaultTLSFailure},
		{"alert about the version", tls.AlertError(70), smtp.FaultTLSVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := diagnosis.FaultOf(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestFaultOfRealHandshakes: crypto/tls wraps what the other side says in types
// of its own.
func TestFaultOfRealHandshakes(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	srv.StartTLS()
	defer srv.Close()
	dial := func(c *tls.Config) error {
		d := &net.Dialer{Timeout: time.Minute}
		conn, err := tls.DialWithDialer(d, "tcp", srv.Listener.Addr().String(), c)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	tests := []struct {
		name   string
		config *tls.Config
		want   smtp.Fault
	}{
		{"server wants a newer version", &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12, ServerName: "example.com"}, smtp.FaultTLSVersion},
		{"untrusted", &tls.Config{ServerName: "example.com"}, smtp.FaultTLSUntrusted},
		{"another host", &tls.Config{RootCAs: roots, ServerName: "smtp.office365.com"}, smtp.FaultTLSHostname},
		{"expired", &tls.Config{RootCAs: roots, ServerName: "example.com", Time: func() time.Time { return time.Unix(1<<33, 0) }}, smtp.FaultTLSExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := dial(tt.config); diagnosis.FaultOf(err) != tt.want {
				t.Errorf("%v is %q, want %q", err, diagnosis.FaultOf(err), tt.want)
			}
		})
	}
}
