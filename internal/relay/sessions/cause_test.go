package sessions_test

import (
	"crypto/tls"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// entries are the codes that a refusal can have.
func entries() []event.Code {
	all := event.Codes()
	for _, r := range admission.Reasons() {
		all = append(all, event.CodeOf(r))
	}
	for _, r := range sender.Reasons() {
		all = append(all, event.CodeOf(r))
	}
	for _, c := range smtpserver.Causes() {
		all = append(all, event.CodeOf(c))
	}
	return all
}

func TestEveryCodeHasAnEntry(t *testing.T) {
	all := entries()
	for _, code := range all {
		if _, known := diagnosis.Lookup(string(code)); !known {
			t.Errorf("the catalogue has no entry %q", code)
		}
	}
	for _, e := range diagnosis.Entries() {
		if e.Stages[0] == smtp.StageRelay && !slices.Contains(all, event.Code(e.Code)) {
			t.Errorf("the relay never says %q: take it out of the catalogue", e.Code)
		}
	}
}

// TestTheListsOfCodesAreWhole compares them with the constants.
func TestTheListsOfCodesAreWhole(t *testing.T) {
	all := entries()
	for file, typ := range map[string]string{"../event/event.go": "Code", "../../smtpserver/broken.go": "Cause"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typ {
				return true
			}
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			code := event.Code(text)
			if typ == "Cause" {
				code = event.CodeOf(text)
			}
			if found++; err != nil || !slices.Contains(all, code) {
				t.Errorf("%s: %s is not in the list", file, spec.Names[0])
			}
			return true
		})
		if found < 10 {
			t.Errorf("%s: %d constants found", file, found)
		}
	}
}

var printer = event.Session{Address: netip.MustParseAddr("192.0.2.17"), Listener: "starttls://0.0.0.0:25", Lowest: tls.VersionTLS12}

func broken(b smtpserver.Broken) event.Refusal {
	return event.Refusal{Session: printer, Stage: event.StageConnection, Code: event.SessionBroken, Broken: &b}
}

func TestCausesAreSaidInWords(t *testing.T) {
	offer := func(version uint16, suites ...uint16) *smtpserver.Offer {
		o := &smtpserver.Offer{CipherSuites: suites}
		for v := version; v >= tls.VersionTLS10; v-- {
			o.Versions = append(o.Versions, v)
		}
		return o
	}
	good := tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	alert := &net.OpError{Op: "remote error", Err: errors.New("tls: unknown certificate authority")}
	tests := map[string]struct {
		refusal event.Refusal
		want    string
	}{
		"an old version": {broken(smtpserver.Broken{Cause: smtpserver.CauseHandshake, Offer: offer(tls.VersionTLS10, good)}),
			`192.0.2.17 offered TLS 1.0 only, and this listener takes 1.2 or newer: give it a listener with tls_min: "1.0", or admit it by address without TLS`},
		"old versions": {broken(smtpserver.Broken{Cause: smtpserver.CauseHandshake, Offer: offer(tls.VersionTLS11, good)}),
			`192.0.2.17 offered TLS 1.1 at most, and this listener takes 1.2 or newer: give it a listener with tls_min: "1.1", or admit it by address without TLS`},
		"old cipher suites": {broken(smtpserver.Broken{Cause: smtpserver.CauseHandshake, Offer: offer(tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)}),
			`192.0.2.17 offered no cipher suite that this listener has (TLS_RSA_WITH_3DES_EDE_CBC_SHA): look for new firmware, or give it a listener with tls_min: "1.0", which has the old ones`},
		"no trust": {broken(smtpserver.Broken{Cause: smtpserver.CauseHandshake, Offer: offer(tls.VersionTLS12, good), Err: alert}),
			"192.0.2.17 ended the TLS handshake (tls: unknown certificate authority): it may not trust the certificate; import it at the device, switch off its verification, or give the listener a certificate that it knows"},
		"slow": {broken(smtpserver.Broken{Cause: smtpserver.CauseHandshake, Err: os.ErrDeadlineExceeded}), "192.0.2.17 did not come to the end of the TLS handshake in time"},
		"gone": {broken(smtpserver.Broken{Cause: smtpserver.CauseHandshake, Err: io.EOF}), "192.0.2.17 closed the connection before it began the TLS handshake"},
		"a usual device": {broken(smtpserver.Broken{Cause: smtpserver.CauseClosed, LastVerb: "DATA", Accepted: 2}),
			"192.0.2.17 closed the connection without QUIT after 2 messages, which are kept"},
		"monitoring": {broken(smtpserver.Broken{Cause: smtpserver.CauseClosed}), "192.0.2.17 connected, said nothing and closed: monitoring and port scans do that"},
		"one that misses something": {broken(smtpserver.Broken{Cause: smtpserver.CauseClosed, LastVerb: "EHLO"}),
			"192.0.2.17 closed the connection without QUIT and without a message; its last command was EHLO"},
		"a browser": {broken(smtpserver.Broken{Cause: smtpserver.CauseErrors, LastVerb: "?", LastRefusal: "500 5.3.3 Unrecognized command"}),
			`192.0.2.17 sent too many commands that are wrong or out of place; its last command is not known here, and the last refusal "500 5.3.3 Unrecognized command"`},
		"lost": {broken(smtpserver.Broken{Cause: smtpserver.CauseLost, LastVerb: "MAIL", Err: errors.New("read: connection reset\nby peer")}),
			"192.0.2.17 was lost; its last command was MAIL: read: connection reset by peer"},
		"a stranger": {event.Refusal{Session: printer, Code: event.CodeOf(admission.NotAllowedHere), Mail: "scan@contoso.com"},
			`192.0.2.17 belongs to no client, and wanted to send as "scan@contoso.com": if it is yours, add it to the clients with networks: [192.0.2.17] and senders: ["scan@contoso.com"]`},
		"a stranger without a sender": {event.Refusal{Session: printer, Code: event.CodeOf(admission.NotAllowedHere)},
			`192.0.2.17 belongs to no client, and wanted to send as <>: if it is yours, add it to the clients with networks: [192.0.2.17]`},
		"a wrong password": {event.Refusal{Session: printer, Code: event.AuthWrong, Name: "scan\x1b@contoso.com"},
			`192.0.2.17 signed in as "scan\x1b@contoso.com", which the relay's users file does not have with this password; a mailbox and its password are not known to the relay: see the names with "smtpsend relay user ls"`},
		"an exposed password": {event.Refusal{Session: printer, Code: event.AuthInClear, Exposed: true},
			"192.0.2.17 sent a password without TLS, which everyone on the network between could read: switch on TLS at the device, and then set another password"},
		"another sender": {event.Refusal{Session: printer, Code: event.CodeOf(sender.NotAllowed), Reply: "550 5.7.1 client scanner may not use the sender \"boss@contoso.example\""},
			`192.0.2.17 was told: client scanner may not use the sender "boss@contoso.example"; set another sender at the device, or add this one to senders of the client`},
		"another domain": {event.Refusal{Session: printer, Code: event.RecipientElsewhere, Reply: "550 5.7.1 client scanner may not write to fabrikam.example"},
			`192.0.2.17 was told: client scanner may not write to fabrikam.example; if it should, add the domain to recipient_domains of the client`},
		"any other": {event.Refusal{Session: event.Session{Unix: true, UID: 33}, Code: event.TooLarge, Reply: "552 5.3.4 the message is larger"}, "uid 33 was told: the message is larger"},
	}
	for name, tt := range tests {
		if got := sessions.Cause(&tt.refusal); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}

// TestEveryCauseHasWordsOfItsOwn: none falls through to what says nothing.
func TestEveryCauseHasWordsOfItsOwn(t *testing.T) {
	seen := map[string]smtpserver.Cause{}
	for _, c := range smtpserver.Causes() {
		r := broken(smtpserver.Broken{Cause: c, LastVerb: "EHLO"})
		text := sessions.Cause(&r)
		if other, twice := seen[text]; twice || strings.Contains(text, "otherwise than by QUIT") {
			t.Errorf("%s: %q, as %s", c, text, other)
		}
		seen[text] = c
	}
}
