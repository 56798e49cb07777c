package doctor_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// listener accepts connections for the test and gives each to serve.
func listener(t *testing.T, serve func(net.Conn)) (host string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return hostPort(t, l.Addr().String())
}

// talk answers each command line by its verb; the greeting's verb is "".
func talk(replies map[string]string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, replies[""])
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			verb, _, _ := strings.Cut(lines.Text(), " ")
			reply, ok := replies[verb]
			if !ok {
				reply = "500 5.5.1 command unrecognized\r\n"
			}
			if _, err := io.WriteString(conn, reply); err != nil {
				return
			}
		}
	}
}

func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// TestOtherServersGetAFindingEach: what answers in the place of Exchange.
func TestOtherServersGetAFindingEach(t *testing.T) {
	const postfix = "220 mail.fabrikam.example ESMTP Postfix (Debian/GNU)\r\n"
	for name, c := range map[string]struct {
		serve        func(net.Conn)
		code, broken string
		proof        string
	}{
		"silent":       {silent, "connection-timeout", "greeting", "i/o timeout"},
		"hangs up":     {func(net.Conn) {}, "connection-closed", "greeting", ""},
		"no SMTP":      {talk(map[string]string{"": "SSH-2.0-OpenSSH_9.6p1\r\n"}), "not-smtp", "greeting", "SSH-2.0"},
		"HTTP":         {talk(map[string]string{"": "HTTP/1.1 400 Bad Request\r\n\r\n"}), "not-smtp", "greeting", "HTTP/1.1"},
		"plain text":   {talk(map[string]string{"": exchangeGreeting, "EHLO": "250-mail Hello\r\n250 SIZE 1000\r\n"}), "starttls-missing", "tls smtp", "does not offer STARTTLS"},
		"drops in TLS": {talk(map[string]string{"": exchangeGreeting, "EHLO": "250-mail Hello\r\n250 STARTTLS\r\n", "STARTTLS": "220 2.0.0 go\r\nnot TLS\r\n"}), "tls-not-spoken", "tls smtp", "without TLS"},
		"not Exchange": {talk(map[string]string{"": postfix, "EHLO": "250-mail.fabrikam.example\r\n250 SIZE 1000\r\n"}), "starttls-missing", "tls smtp", "does not offer STARTTLS"},
		"no EHLO":      {talk(map[string]string{"": postfix}), "not-exchange", "greeting", "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, o := start(t, sandbox.Options{})
			o.Session.Host, o.Session.Port = listener(t, c.serve)
			o.Limit = soonEnough
			began := time.Now()
			r := doctor.Examine(t.Context(), o)
			if r.Finding == nil || r.Finding.Code != c.code || r.Broken != c.broken || !strings.Contains(r.Proof, c.proof) {
				t.Errorf("finding %+v at %q, proof %q", r.Finding, r.Broken, r.Proof)
			}
			if took := time.Since(began); took > 10*soonEnough {
				t.Errorf("took %v", took)
			}
			if c := check(t, r, "token"); c.Status != doctor.OK {
				t.Errorf("the token's half was not looked at: %+v", c)
			}
		})
	}
}

// TestNoMessageIsTriedAfterRSETFailed: what failed is told of RSET, as it was.
func TestNoMessageIsTriedAfterRSETFailed(t *testing.T) {
	_, o := start(t, sandbox.Options{})
	o.Session.Security, o.SendTo, o.Limit = session.Plaintext, "ada@contoso.example", soonEnough
	o.Session.Host, o.Session.Port = listener(t, talk(map[string]string{
		"": exchangeGreeting, "EHLO": "250-mail Hello\r\n250 AUTH XOAUTH2\r\n", "AUTH": "235 2.7.0 ok\r\n",
		"MAIL": "250 2.1.0 ok\r\n", "RCPT": "250 2.1.5 ok\r\n", "RSET": "",
	}))
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "connection-timeout" || r.Broken != "message" ||
		!strings.HasPrefix(r.Proof, "not tried, because RSET came before it: ") || strings.Contains(r.Proof, "closed") {
		t.Errorf("finding %+v at %q, proof %q", r.Finding, r.Broken, r.Proof)
	}
}

const exchangeGreeting = "220 LAB.outlook.office365.com Microsoft ESMTP MAIL Service ready at Sat, 21 Nov 2026 12:00:00 +0000\r\n"

func TestServerThatGreetsAsAnotherIsARemarkWhenItWorks(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "not-exchange")
	r := doctor.Examine(t.Context(), o)
	if !r.Healthy || len(r.Warnings) != 1 || r.Warnings[0].Code != "not-exchange" || check(t, r, "greeting").Status != doctor.Warn {
		t.Errorf("healthy %v, warnings %+v", r.Healthy, r.Warnings)
	}
}

func TestPortsWithoutAServer(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port := hostPort(t, free.Addr().String())
	free.Close()

	_, o := start(t, sandbox.Options{})
	o.Session.Host, o.Session.Port = host, port
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "connection-refused" || r.Broken != "tcp smtp" || r.Cause().Stage != smtp.StageDial {
		t.Errorf("finding %+v at %q", r.Finding, r.Broken)
	}
	if c := check(t, r, "greeting"); c.Status != doctor.Skipped || c.Needs != "tcp smtp" {
		t.Errorf("greeting: %+v", c)
	}
	o.Token.TokenURL = "https://" + free.Addr().String() + "/x/oauth2/v2.0/token"
	r = doctor.Examine(t.Context(), o)
	if r.Broken != "tcp token" || r.Cause().Stage != smtp.StageToken {
		t.Errorf("finding %+v at %q", r.Finding, r.Broken)
	}
}

// nameServer answers for mail.contoso.example with an address of each family,
// and for everything else that there is no such name.
func nameServer(t *testing.T) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := answerQuery(buf[:n]); err == nil {
				_, _ = socket.WriteTo(reply, from)
			}
		}
	})
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = old
		socket.Close()
		wg.Wait()
	})
}

func answerQuery(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.Additionals = true, nil
	question := m.Questions[0]
	header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 60}
	switch {
	case question.Name.String() != "mail.contoso.example.":
		m.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
	case question.Type == dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{15: 1}}}}
	}
	return m.Pack()
}

func TestUnknownName(t *testing.T) {
	nameServer(t)
	_, o := start(t, sandbox.Options{})
	o.Session.Host = "mail.contsoo.example"
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "dns-not-found" || r.Broken != "dns smtp" || r.Cause().Stage != smtp.StageDial {
		t.Errorf("finding %+v at %q", r.Finding, r.Broken)
	}
}

// TestFamiliesAreToldApart: the name has both addresses, and the sandbox listens
// on one of them.
func TestFamiliesAreToldApart(t *testing.T) {
	nameServer(t)
	_, o := start(t, sandbox.Options{})
	o.Session.Host = "mail.contoso.example"
	r := doctor.Examine(t.Context(), o)
	if c := check(t, r, "dns smtp"); c.Seen != "mail.contoso.example: 1 IPv4 (127.0.0.1), 1 IPv6 (::1)" {
		t.Errorf("dns smtp: %q", c.Seen)
	}
	c := check(t, r, "tcp smtp")
	if c.Status != doctor.OK || !strings.Contains(c.Seen, "(127.0.0.1), IPv6 ") ||
		!strings.Contains(c.Seen, "IPv6 refused") && !strings.Contains(c.Seen, "IPv6 has no route") {
		t.Errorf("tcp smtp: %+v", c)
	}
	if r.Finding == nil || r.Finding.Code != "tls-hostname" {
		t.Errorf("finding %+v", r.Finding)
	}
	o.Session.IPFamily = "ipv6"
	c = check(t, doctor.Examine(t.Context(), o), "tcp smtp")
	if c.Status != doctor.Failed || strings.Contains(c.Seen, "IPv4 ") {
		t.Errorf("with ipv6 alone: %+v", c)
	}
}

func TestCertificatesThatAreRefused(t *testing.T) {
	for fault, seen := range map[string]string{
		"tls-expired":     "certificate has expired",
		"tls-untrusted":   "issuer Unknown Authority",
		"tls-intercepted": "issuer Contoso TLS Inspection Proxy CA",
		"tls-hostname":    "issuer smtpsend sandbox CA",
		"tls-version":     "protocol version",
	} {
		for stage, name := range map[string]string{"starttls": "tls smtp", "token": "tls token"} {
			_, o := start(t, sandbox.Options{}, fault+",stage="+stage)
			r := doctor.Examine(t.Context(), o)
			if r.Finding == nil || r.Finding.Code != fault || r.Broken != name || !strings.Contains(r.Proof, seen) {
				t.Errorf("%s at %s: finding %+v at %q, proof %q", fault, stage, r.Finding, r.Broken, r.Proof)
			}
		}
	}
}

// endpoint puts a handler in the place of the token endpoint.
func endpoint(t *testing.T, o *doctor.Options, h http.HandlerFunc) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	o.Token.TokenURL = s.URL + "/x/oauth2/v2.0/token"
	o.Token.HTTPClient = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: s.Client().Transport.(*http.Transport).TLSClientConfig,
	}}
}

func TestCaptivePortalInTheEndpointsPlace(t *testing.T) {
	t.Parallel()
	_, o := start(t, sandbox.Options{})
	o.TokenLimit = soonEnough
	endpoint(t, &o, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><title>Welcome to Fabrikam Guest</title></html>")
	})
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "token-not-json" || r.Broken != "token" || !strings.Contains(r.Proof, "text/html") {
		t.Errorf("finding %+v at %q, proof %q", r.Finding, r.Broken, r.Proof)
	}
}

// TestExpiredCertificateAndAWrongClock: by the endpoint's Date the certificate
// is right and the clock here is not.
func TestExpiredCertificateAndAWrongClock(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "tls-expired,stage=token")
	r := doctor.Examine(t.Context(), o)
	if c := check(t, r, "clock"); r.Finding.Code != "tls-expired" || c.Status != doctor.OK {
		t.Errorf("finding %+v, clock %+v", r.Finding, c)
	}
	host := datedServer(t, time.Now().Add(-26*time.Hour))
	o.Token.TokenURL = "https://" + host + "/x/oauth2/v2.0/token"
	r = doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "clock-skew" || !strings.Contains(r.Proof, "ahead of") {
		t.Errorf("finding %+v, proof %q, checks %q", r.Finding, r.Proof, statuses(r))
	}
}

// TestProxyIsLookedAtFirst: what the proxy does is not looked at directly.
func TestProxyIsLookedAtFirst(t *testing.T) {
	_, o := start(t, sandbox.Options{})
	host, port := listener(t, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return // a look at the port alone
		}
		request.Body.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
	})
	proxy := &url.URL{Scheme: "http", Host: net.JoinHostPort(host, itoa(port)), User: url.UserPassword("u", "pr0xy-s3cret")}
	o.Session.Proxy = proxy
	o.Session.Security = session.StartTLS
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "proxy-refused" || r.Broken != "tcp smtp" {
		t.Errorf("finding %+v at %q, checks %q", r.Finding, r.Broken, statuses(r))
	}
	isOther := func(c doctor.Check) bool { return c.Name != "tcp smtp" }
	if rows := slices.DeleteFunc(slices.Clone(r.Checks), isOther); len(rows) != 1 {
		t.Errorf("tcp smtp is there %d times: %q", len(rows), statuses(r))
	}
	if c := check(t, r, "proxy"); c.Status != doctor.OK || strings.Contains(c.Seen, "pr0xy-s3cret") || !strings.Contains(c.Seen, "u:xxxxx@") {
		t.Errorf("proxy: %+v", c)
	}
	if c := check(t, r, "dns smtp"); c.Status != doctor.Skipped || c.Needs != "" {
		t.Errorf("dns smtp: %+v", c)
	}

	o.Session.Proxy = nil
	o.Token.HTTPClient.Transport.(*http.Transport).Proxy = http.ProxyURL(proxy)
	r = doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "proxy-refused" || r.Broken != "tls token" {
		t.Errorf("finding %+v at %q, checks %q", r.Finding, r.Broken, statuses(r))
	}
}

func TestProxyThatIsNotThere(t *testing.T) {
	_, o := start(t, sandbox.Options{})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	o.Session.Proxy = &url.URL{Scheme: "socks5", Host: free.Addr().String()}
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "connection-refused" || r.Broken != "proxy" {
		t.Errorf("finding %+v at %q", r.Finding, r.Broken)
	}
}

func TestImplicitTLSHasItsChecksInItsOwnOrder(t *testing.T) {
	_, o := start(t, sandbox.Options{ImplicitTLS: true})
	o.Session.Security = session.ImplicitTLS
	r := doctor.Examine(t.Context(), o)
	got := strings.Join(statuses(r), ", ")
	if !r.Healthy || !strings.Contains(got, "tls token ok, tls smtp ok, greeting ok, ehlo ok, token ok") {
		t.Errorf("checks %s", got)
	}
	// TLS from the first octet where the server speaks first in the clear.
	_, o = start(t, sandbox.Options{})
	o.Session.Security = session.ImplicitTLS
	r = doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "tls-not-spoken" || r.Broken != "tls smtp" {
		t.Errorf("finding %+v at %q", r.Finding, r.Broken)
	}
	var header tls.RecordHeaderError
	if !errors.As(r.Cause(), &header) {
		t.Errorf("cause %v", r.Cause())
	}
}
