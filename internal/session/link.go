package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/wire"
)

// link is a connection to the server before and during its set-up: who speaks at
// the other end, under which protection, and what it offers.
type link struct {
	o        Options
	raw      net.Conn // under TLS
	wire     *wire.Wire
	tls      bool
	exchange bool // the server says that it is Exchange
	ext      Extensions
	token    bearer.Token // that AUTH showed
}

// dial makes the connection.
func (l *link) dial(ctx context.Context) (err error) {
	if l.raw, err = dial(ctx, l.o); err == nil {
		l.wire = wire.New(l.raw, l.o.Trace)
	}
	return err
}

// cut closes the connection under everything, without a word to the server.
func (l *link) cut() {
	if l.raw != nil {
		l.raw.Close()
	}
}

// state is that of the TLS connection, false when there is none.
func (l *link) state() (tls.ConnectionState, bool) {
	if l.wire == nil {
		return tls.ConnectionState{}, false
	}
	conn, ok := l.wire.Conn().(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, false
	}
	return conn.ConnectionState(), true
}

// greeting reads the server's first words.
func (l *link) greeting() error {
	if err := l.wire.Limit(l.o.Timeouts.Command); err != nil {
		return err
	}
	r, err := l.wire.Read()
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return Unexpected(r)
	}
	l.exchange = strings.Contains(r.Text(), exchange.Banner)
	return nil
}

// ehlo says who we are and reads what the server offers. There is no way back
// to HELO: without EHLO there is neither STARTTLS nor AUTH.
func (l *link) ehlo() error {
	r, err := l.wire.Command(l.o.Timeouts.Command, "EHLO "+l.ehloName())
	if err != nil {
		return err
	}
	if r.Code != 250 {
		return Unexpected(r)
	}
	l.ext = readExtensions(r)
	return nil
}

// ehloName is the configured name or the address literal of our end (RFC 5321
// 4.1.3), because this host's name is private and often not a name that
// can be looked up.
func (l *link) ehloName() string {
	if l.o.EHLOName != "" {
		return l.o.EHLOName
	}
	local, err := netip.ParseAddrPort(l.raw.LocalAddr().String())
	if err != nil {
		return "[127.0.0.1]"
	}
	addr := local.Addr().Unmap().WithZone("")
	if addr.Is6() {
		return "[IPv6:" + addr.String() + "]"
	}
	return "[" + addr.String() + "]"
}

// startTLS asks for TLS and makes the handshake. What the server sends in clear
// after its reply was injected on the way (as in CVE-2011-0411): the session
// ends there.
func (l *link) startTLS(ctx context.Context) error {
	if _, ok := l.ext.Offers("STARTTLS"); !ok {
		return &Error{Fault: smtp.FaultStartTLSMissing, Err: errors.New("server does not offer STARTTLS")}
	}
	r, err := l.wire.Command(l.o.Timeouts.Command, "STARTTLS")
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return Unexpected(r)
	}
	if n := l.wire.Unread(); n > 0 {
		return &Error{Fault: smtp.FaultTLSNotSpoken, Err: fmt.Errorf("%d octets without TLS after the STARTTLS reply", n)}
	}
	return l.handshake(ctx)
}

func (l *link) handshake(ctx context.Context) error {
	if err := l.wire.Limit(l.o.Timeouts.Command); err != nil {
		return err
	}
	config, err := l.o.tlsConfig()
	if err != nil {
		return err
	}
	conn := tls.Client(l.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return tlsError(err)
	}
	state := conn.ConnectionState()
	l.o.trace(fmt.Sprintf("*: %s %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)))
	l.wire.Over(conn)
	l.tls = true
	return nil
}

// tlsError gives the handshake's failure a fault: what is neither a certificate nor a
// network problem is a failure of TLS itself.
func tlsError(err error) error {
	fault := faultOf(err)
	if fault == "" {
		fault = smtp.FaultTLSFailure
	}
	return &Error{Fault: fault, Err: fmt.Errorf("TLS handshake: %w%s", err, diagnosis.IssuedBy(err))}
}
