package diagnosis

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// ProxyError is an HTTP proxy's answer to CONNECT that opens no tunnel.
type ProxyError struct {
	Code     int      // HTTP status
	Status   string   // with its words, at most 200 octets
	Offers   []string // of 407: the ways to sign in, such as "NTLM", at most 8
	SignedIn bool     // user and password were sent
}

// Error says what was answered, and of 407 what was sent.
func (e *ProxyError) Error() string {
	text := "proxy answered CONNECT with " + e.Status
	if e.Code != statusProxySignIn {
		return text
	}
	sent := "no user and password were sent"
	if e.SignedIn {
		sent = "user and password were sent"
	}
	if len(e.Offers) == 0 {
		return fmt.Sprintf("%s (%s)", text, sent)
	}
	return fmt.Sprintf("%s (it offers %s; %s)", text, strings.Join(e.Offers, ", "), sent)
}

// statusProxySignIn is 407 (RFC 9110 15.5.8).
const statusProxySignIn = 407

const (
	maxStatus = 200 // octets of a proxy's status
	maxOffers = 8   // ways to sign in that are told
)

// CheckTunnel returns a *ProxyError unless the proxy's answer to CONNECT opens a
// tunnel. challenges are the values of Proxy-Authenticate; signedIn says that the
// request had user and password.
func CheckTunnel(code int, status string, challenges []string, signedIn bool) error {
	if code/100 == 2 {
		return nil
	}
	e := &ProxyError{Code: code, Status: strings.ToValidUTF8(status[:min(len(status), maxStatus)], ""), SignedIn: signedIn}
	if code == statusProxySignIn {
		e.Offers = schemesOf(challenges)
	}
	return e
}

// proxySchemes are the ways to sign in that proxies offer, as they are written.
var proxySchemes = []string{"Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"}

// schemesOf names the schemes of challenges (RFC 9110 11.3), each once.
func schemesOf(challenges []string) (offers []string) {
	for _, challenge := range challenges {
		for _, piece := range outsideQuotes(challenge) {
			scheme, rest, _ := strings.Cut(strings.TrimSpace(piece), " ")
			if scheme == "" || len(scheme) > 20 || !isToken(scheme) || strings.HasPrefix(strings.TrimSpace(rest), "=") { // a parameter
				continue
			}
			if i := slices.IndexFunc(proxySchemes, func(known string) bool { return strings.EqualFold(known, scheme) }); i >= 0 {
				scheme = proxySchemes[i]
			}
			if !slices.Contains(offers, scheme) && len(offers) < maxOffers {
				offers = append(offers, scheme)
			}
		}
	}
	return offers
}

// isToken is narrower than RFC 9110 5.6.2: no scheme has a mark but "-" and "_".
func isToken(s string) bool {
	for i := range len(s) {
		isMark := s[i] == '-' || s[i] == '_'
		if !isMark && SqueezeOctet(s[i]) == 0 {
			return false
		}
	}
	return true
}

// outsideQuotes splits a list at its commas.
func outsideQuotes(list string) (pieces []string) {
	quoted, start := false, 0
	for i := 0; i < len(list); i++ {
		switch {
		case list[i] == '"':
			quoted = !quoted
		case quoted && list[i] == '\\':
			i++
		case !quoted && list[i] == ',':
			pieces = append(pieces, list[start:i])
			start = i + 1
		}
	}
	return append(pieces, list[start:])
}

// proxyFault tells a proxy that will not from one that cannot: with 502 to 504 it
// tried, and with 3yz a network's sign-in page is in between.
func proxyFault(err error) smtp.Fault {
	var proxy *ProxyError
	switch {
	case !errors.As(err, &proxy):
		return socksFault(err)
	case proxy.Code == statusProxySignIn:
		return smtp.FaultProxySignIn
	case proxy.Code/100 == 4:
		return smtp.FaultProxyRefused
	}
	return smtp.FaultNetworkUnreachable
}

// The words of golang.org/x/net and net/http for a SOCKS5 proxy that wants another
// sign-in. Both have no type for that.
const (
	socksRefused = "username/password authentication failed" // RFC 1929 2
	socksNoWay   = "no acceptable authentication methods"    // RFC 1928 3
)

func socksFault(err error) smtp.Fault {
	for op := (*net.OpError)(nil); errors.As(err, &op); err = op.Err {
		if op.Op != "socks connect" || op.Err == nil {
			continue
		}
		if words := op.Err.Error(); words == socksRefused || words == socksNoWay {
			return smtp.FaultProxySignIn
		}
	}
	return ""
}

// withoutBasic reports that a proxy offers ways to sign in, and Basic is not one.
func withoutBasic(s Symptom) bool {
	offers := offersIn(s)
	return len(offers) > 0 && !slices.Contains(offers, "Basic")
}

// offersIn are the ways to sign in that a proxy offers; of a text those that are
// known, in lines such as "Proxy-Authenticate: NTLM" and in the words of Error.
func offersIn(s Symptom) (offers []string) {
	if s.Proxy != nil {
		return s.Proxy.Offers
	}
	lower := strings.ToLower(s.Text)
	for _, before := range []string{"proxy-authenticate:", "required (it offers "} {
		for rest := lower; ; {
			_, after, found := strings.Cut(rest, before)
			if !found {
				break
			}
			line, _, _ := strings.Cut(after[:min(len(after), maxStatus)], "\n")
			line, _, _ = strings.Cut(line, ";")
			for _, scheme := range schemesOf([]string{line}) {
				if slices.Contains(proxySchemes, scheme) && !slices.Contains(offers, scheme) {
					offers = append(offers, scheme)
				}
			}
			rest = after
		}
	}
	return offers
}

// proxyNote says what a proxy wants, and what it got.
func proxyNote(e Entry, s Symptom) string {
	if e.Fault != smtp.FaultProxySignIn {
		return ""
	}
	var notes []string
	if offers := offersIn(s); len(offers) > 0 {
		notes = append(notes, "It offers "+strings.Join(offers, ", ")+".")
	}
	text := Squeeze(s.Text)
	signedIn := s.Proxy != nil && s.Proxy.SignedIn
	sent := signedIn || strings.Contains(text, Squeeze("; user and password were sent)"))
	switch {
	case strings.Contains(text, Squeeze(socksNoWay)):
		notes = append(notes, "It accepts none of the ways that were offered: no sign-in, and user and password if its setting has them.")
	case withoutBasic(s):
		notes = append(notes, "smtpsend supports only Basic, so a user and a password do not help.")
	case sent && !strings.Contains(text, "nouserandpasswordweresent"), strings.Contains(text, Squeeze(socksRefused)):
		notes = append(notes, "User and password were sent, and it refused them.")
	case s.Proxy != nil, strings.Contains(text, "nouserandpasswordweresent"):
		notes = append(notes, "No user and password were sent: the proxy's setting has none.")
	}
	return strings.Join(notes, " ")
}
