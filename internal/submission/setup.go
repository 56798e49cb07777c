package submission

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/loopback"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// greeting reads the server's first words.
func (s *Session) greeting() error {
	if err := s.wire.limit(s.opts.Timeouts.Command); err != nil {
		return err
	}
	r, err := s.wire.read()
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return unexpected(r)
	}
	s.exchange = strings.Contains(r.Text(), exchange.Banner)
	return nil
}

// ehlo says who we are and reads what the server offers. There is no way back
// to HELO: without EHLO there is neither STARTTLS nor AUTH.
func (s *Session) ehlo() error {
	r, err := s.wire.command(s.opts.Timeouts.Command, "EHLO "+s.ehloName())
	if err != nil {
		return err
	}
	if r.Code != 250 {
		return unexpected(r)
	}
	s.ext = extensions(r)
	return nil
}

// ehloName is the configured name or the address literal of our end (RFC 5321
// 4.1.3), because this host's name is nobody's business and often no name that
// anybody could look up.
func (s *Session) ehloName() string {
	if s.opts.EHLOName != "" {
		return s.opts.EHLOName
	}
	local, err := netip.ParseAddrPort(s.raw.LocalAddr().String())
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
// behind its reply is somebody's injection (as in CVE-2011-0411): the session
// ends there.
func (s *Session) startTLS(ctx context.Context) error {
	if _, ok := s.offers("STARTTLS"); !ok {
		return &Error{Fault: smtp.FaultStartTLSMissing, Err: errors.New("server does not offer STARTTLS")}
	}
	r, err := s.wire.command(s.opts.Timeouts.Command, "STARTTLS")
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return unexpected(r)
	}
	if n := s.wire.br.Buffered(); n > 0 {
		return &Error{Fault: smtp.FaultTLSNotSpoken, Err: fmt.Errorf("%d octets in clear after the STARTTLS reply", n)}
	}
	return s.handshake(ctx)
}

func (s *Session) handshake(ctx context.Context) error {
	if err := s.wire.limit(s.opts.Timeouts.Command); err != nil {
		return err
	}
	config, err := s.opts.tlsConfig()
	if err != nil {
		return err
	}
	conn := tls.Client(s.raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return tlsError(err)
	}
	state := conn.ConnectionState()
	s.opts.trace(fmt.Sprintf("*: %s %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)))
	s.wire = newWire(conn, s.opts.trace)
	s.tls = true
	return nil
}

func (o Options) roots() (*x509.CertPool, error) {
	if o.LoadRoots != nil {
		return o.LoadRoots()
	}
	return o.RootCAs, nil
}

// tlsError gives the handshake's failure a fault: what is no certificate and no
// network problem is a failure of TLS itself.
func tlsError(err error) error {
	fault := faultOf(err)
	if fault == "" {
		fault = smtp.FaultTLSFailure
	}
	return &Error{Fault: fault, Err: fmt.Errorf("TLS handshake: %w%s", err, diagnosis.IssuedBy(err))}
}

// longLine is the length of a command line that every server takes (RFC 5321
// 4.5.3.1.4), CRLF included. Exchange takes a whole token in one line; Dovecot's
// submission service does not.
const longLine = 512

// authenticate runs XOAUTH2. To Exchange, and where it fits, the initial
// response goes with the command, which saves a turn; otherwise, and after a
// server found the line too long (500 or 501), it answers an empty challenge
// (RFC 4954 4).
func (s *Session) authenticate(ctx context.Context, token *prefetch) error {
	mechanisms, _ := s.offers("AUTH")
	offered := strings.Fields(strings.ToUpper(mechanisms))
	if !slices.Contains(offered, xoauth2.Mechanism) {
		return &Error{Fault: smtp.FaultXOAUTH2Missing, Err: fmt.Errorf("server does not offer AUTH XOAUTH2 (offered: %s)", orNone(mechanisms))}
	}
	auth := NewAuth(s.opts.Mailbox, token.wait)
	auth.plaintext = s.opts.Security == Plaintext && s.opts.Proxy == nil && loopback.Addr(s.raw.RemoteAddr())
	_, response, err := auth.Start(ctx, s.tls)
	if err != nil {
		return err
	}
	s.token = auth.Token()
	s.wire.veil = newVeil(s.token.Access.Reveal(), response)
	long := len("AUTH XOAUTH2 \r\n")+base64.StdEncoding.EncodedLen(len(response)) > longLine
	r, err := s.exchangeAuth(auth, response, s.exchange || !long)
	if err == nil && long && s.exchange && (r.Code == 500 || r.Code == 501) {
		auth = NewAuth(s.opts.Mailbox, token.wait)
		if _, _, err := auth.Start(ctx, true); err != nil {
			return err
		}
		if second, err := s.exchangeAuth(auth, nil, false); err == nil {
			r = second
		}
	}
	if err != nil {
		return err
	}
	if r.Code != 235 {
		return &Error{Reply: r, Result: auth.Result()}
	}
	return nil
}

// maxChallenges is how many challenges an exchange has at most: one for the
// token, one with an error result, one that the mechanism does not know, and
// whose answer gives up.
const maxChallenges = 3

// exchangeAuth sends AUTH and answers challenges until another reply comes.
func (s *Session) exchangeAuth(auth *Auth, response []byte, oneLine bool) (smtp.Reply, error) {
	if err := s.wire.limit(s.opts.Timeouts.Command); err != nil {
		return smtp.Reply{}, err
	}
	command := "AUTH " + xoauth2.Mechanism
	if oneLine {
		command += " " + base64.StdEncoding.EncodeToString(response)
	}
	if err := s.wire.putAs(command, redact("AUTH "+xoauth2.Mechanism+" ", len(command)-len("AUTH XOAUTH2 "))); err != nil {
		return smtp.Reply{}, err
	}
	r, err := s.wire.roundTrip()
	for n := 1; err == nil && r.Code == 334; n++ {
		if n > maxChallenges {
			return smtp.Reply{}, unexpected(r)
		}
		var line string
		line, err = answer(auth, r)
		if err != nil {
			return smtp.Reply{}, err
		}
		if err := s.wire.putAs(line, redact("", len(line))); err != nil {
			return smtp.Reply{}, err
		}
		r, err = s.wire.roundTrip()
	}
	return r, err
}

// answer is the line that answers a challenge; a challenge that the mechanism
// does not know is answered by cancelling (RFC 4954 4), upon which the server
// refuses.
func answer(auth *Auth, r smtp.Reply) (string, error) {
	challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Text()))
	if err != nil {
		return "*", nil
	}
	response, err := auth.Next(challenge)
	if errors.Is(err, xoauth2.ErrUnexpectedChallenge) {
		return "*", nil
	}
	return base64.StdEncoding.EncodeToString(response), err
}

// redact stands in the trace for a line that carries a credential.
func redact(prefix string, n int) string {
	if n <= 0 {
		return strings.TrimSpace(prefix)
	}
	return fmt.Sprintf("%s[redacted, %d octets]", prefix, n)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
