// Package sandboxtest starts a stand-in for Microsoft Entra ID and Exchange
// Online inside a Go test, as net/http/httptest starts a web server. The stand-in
// is a token endpoint and a submission server on loopback. They are as strict as
// the real ones and give the same replies. The package is for the tests of every
// program that submits mail with OAuth, whatever library it uses.
//
//	func TestWelcome(t *testing.T) {
//		srv := sandboxtest.Start(t)
//		m := mailer.New(srv.Addr, srv.TLSConfig(), srv.TokenURL, srv.ClientID, srv.ClientSecret)
//		if err := m.Welcome("ada@contoso.example"); err != nil {
//			t.Fatal(err)
//		}
//		if got := srv.Messages(); len(got) != 1 || got[0].Subject != "Welcome" {
//			t.Errorf("got %+v", got)
//		}
//	}
//
// # What a test goes through
//
//  1. [Start] makes a tenant, an application and its secret, and a certificate
//     authority. All of these are random. It listens on two ports that the system
//     chooses.
//  2. The program under test gets the fields of [Server], or the settings of
//     smtpsend in its environment ([Server.Environ], [Server.Setenv]).
//  3. It asks for a token, connects, secures the connection with STARTTLS, signs
//     in with XOAUTH2 and submits. By default it may sign in as every address in
//     contoso.example. The address in From must be the one that signed in.
//  4. The test looks at what arrived: [Server.Messages], or [Server.Wait] for a
//     program that sends in the background.
//  5. At the end of the test everything is closed and removed.
//
// When a sign-in is refused, the reply says as little as Exchange's reply. The log of
// the test has the reason.
//
// # Faults
//
// A fault makes one thing fail, at the same stage and with the same reply as in the
// real service. It is a text, the same as for the flag --fault of "smtpsend sandbox":
//
//	NAME[,stage=S][,mailbox=M][,after=N][,times=N][,share=F][,delay=D]
//
// NAME is one of [FaultNames]; "smtpsend explain NAME" describes most of them. The
// options:
//
//   - stage: the fault happens at stage S instead of its usual stage.
//   - mailbox: it happens only to mailbox M.
//   - after: it happens only after N successes.
//   - times: it happens only N times.
//   - share: it happens in the share F of cases; 0.1 is every tenth.
//   - delay: it happens after a delay of D.
//
// So "reply-lost,times=1" accepts one message and sends no reply, and
// "smtp-auth-disabled-mailbox" refuses every sign-in. [Fault] gives a fault to Start;
// [Server.AddFault] and [Server.ClearFaults] change the faults later.
//
// One fault is on by default, because Exchange Online is reported to have it:
// garbles-8bit garbles text that is not in 7 bits. [Without] switches it off.
//
// # Promise
//
// A Server listens only on loopback, and nothing that is sent to it leaves the
// machine. Servers are independent: each of the tests that run in parallel can have
// its own. All methods are safe for concurrent use. There may be new faults, when new
// replies of Microsoft's services become known. A name that exists stays.
package sandboxtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// Scope is the scope that a program asks for with its token request: everything that the
// application may do in Exchange Online.
const Scope = "https://outlook.office365.com/.default"

// Server is a running stand-in, made by Start. Its fields are what a program under
// test needs. Do not change them.
type Server struct {
	Addr string // "host:port" of the submission server, which requires STARTTLS
	Host string // the host in Addr, 127.0.0.1; the certificate is for this name
	Port int    // the port in Addr

	TokenURL     string // of the token endpoint, by HTTPS; TenantID is in it
	TenantID     string
	ClientID     string
	ClientSecret string // valid only for this Server
	Mailbox      string // to sign in and send as: noreply@contoso.example, or the first one of the scenario

	RootCAs *x509.CertPool // verifies the certificates of both
	CAFile  string         // the same in PEM, in a directory that is removed at the end of the test

	box    *sandbox.Sandbox
	dir    string
	client *http.Client
}

// Option is an option of Start.
type Option struct {
	apply func(*sandbox.Options) error
}

// Fault gives the Server a fault from the start. The package comment describes text.
func Fault(text string) Option {
	return Option{func(o *sandbox.Options) error {
		f, err := fault.Parse(text)
		o.Faults = append(o.Faults, f)
		return err
	}}
}

// Without switches off a fault that is on by default, such as "garbles-8bit".
func Without(name string) Option {
	return Option{func(o *sandbox.Options) error {
		o.Without = append(o.Without, name)
		return nil
	}}
}

// Scenario sets up another tenant: its domain, mailboxes, applications and their
// rights, in the JSON that the flag --scenario of "smtpsend sandbox" reads.
func Scenario(json string) Option {
	return Option{func(o *sandbox.Options) (err error) {
		o.Scenario, err = tenant.ParseScenario([]byte(json))
		return err
	}}
}

// Certificate registers the first certificate of pem on the application, so that a program
// gets tokens with its private key (private_key_jwt, RFC 7523). Every error of Entra ID
// about certificates is answered as Entra ID answers it. It is repeatable.
func Certificate(pem []byte) Option {
	return Option{func(o *sandbox.Options) error {
		all, err := certfile.Read(pem)
		if err == nil {
			o.Certificates = append(o.Certificates, all[0])
		}
		return err
	}}
}

// AddSecret registers another client secret, beside those that there are, as for a
// renewal.
func (s *Server) AddSecret(secret string) { s.box.Credentials().Keys().AddSecret(secret) }

// ExpireCredentials ends all that is registered on the application now: its secrets,
// certificates and federated credentials. What is added later is valid.
func (s *Server) ExpireCredentials() {
	keys := s.box.Credentials().Keys()
	for _, k := range keys.Keys() {
		_ = keys.Expire(k.ID) // that it is gone is as good
	}
}

// FaultNames returns the name of every fault, sorted.
func FaultNames() []string { return fault.Names() }

// signingKey signs the tokens of every Server of a process, because making a key
// takes longer than most tests. A token says which tenant it is for, and no other
// Server takes it.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Start starts a stand-in that runs until the end of the test. It ends the test if an
// option is wrong, or if it gets no port or directory from the system. So call it from
// the goroutine of the test.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatalf("sandboxtest: making signing key: %v", err)
	}
	o := sandbox.Options{SigningKey: key, Logger: logger(t)}
	for _, option := range options {
		if err := option.apply(&o); err != nil {
			t.Fatalf("sandboxtest: %v", err)
		}
	}
	dir := t.TempDir()
	box, err := sandbox.Start(context.Background(), o) // t.Context ends before the last Cleanup
	if err != nil {
		t.Fatalf("sandboxtest: %v", err)
	}
	s := &Server{box: box, dir: dir, CAFile: filepath.Join(dir, "ca.pem")}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("sandboxtest: closing: %v", err)
		}
	})
	if err := s.fill(); err != nil {
		t.Fatalf("sandboxtest: %v", err)
	}
	return s
}

// logger writes the reasons of refusals to the test's log.
func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func (s *Server) fill() error {
	s.Addr = s.box.SMTPAddr()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	s.Host = host
	if s.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	s.TenantID, s.ClientID, s.ClientSecret, s.Mailbox = s.box.TenantID(), s.box.ClientID(), s.box.ClientSecret(), s.box.MailSender()
	s.TokenURL = strings.Replace(s.box.TokenEndpoint(), "#TenantID#", s.TenantID, 1)
	s.RootCAs = x509.NewCertPool()
	s.RootCAs.AppendCertsFromPEM(s.box.CAPEM())
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: s.TLSConfig()}}
	return ownfile.Replace(s.CAFile, s.box.CAPEM(), 0o600)
}

func (s *Server) close() error {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	return s.box.Close()
}

// TLSConfig returns a new configuration with which a client trusts both servers.
func (s *Server) TLSConfig() *tls.Config {
	return &tls.Config{RootCAs: s.RootCAs, ServerName: s.Host, MinVersion: exchange.MinTLS}
}

// Client returns an HTTP client that trusts the token endpoint. Package oauth2
// takes it from a context, as the value of oauth2.HTTPClient.
func (s *Server) Client() *http.Client { return s.client }

// AddFault adds a fault that applies from now on, and counting begins now:
// "mailbox-server-busy,times=2" means the next two messages. Existing faults stay. A
// text that is not valid ends the test. So does a fault of the tenant, such as
// "no-mailbox-grant", because only Start accepts it. t is the running test or subtest.
func (s *Server) AddFault(t testing.TB, text string) {
	t.Helper()
	f, err := fault.Parse(text)
	if err == nil {
		err = s.box.Faults().Add(f)
	}
	if err != nil {
		t.Fatalf("sandboxtest: %v", err)
	}
}

// ClearFaults removes all faults except those that are on by default and those of the
// tenant.
func (s *Server) ClearFaults() { s.box.Faults().Clear() }

// Environ returns the settings of smtpsend, each as "NAME=value", for the
// environment of a child process or for a program that reads the same. They name
// directories of this Server for the outbox and the token cache. They contain nothing
// from the environment of the test:
//
//	cmd.Env = append(os.Environ(), srv.Environ()...)
//	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
func (s *Server) Environ() []string {
	return append(s.box.Env(),
		"SMTPSEND_CA_FILE="+s.CAFile,
		"SMTPSEND_STATE_DIR="+filepath.Join(s.dir, "outbox"),
		"SMTPSEND_CACHE_DIR="+filepath.Join(s.dir, "cache"),
	)
}

// Setenv sets the settings of Environ in the environment of this process until
// the end of t, which therefore cannot be parallel (see testing.T.Setenv).
func (s *Server) Setenv(t testing.TB) {
	t.Helper()
	for _, setting := range s.Environ() {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
}

// TokenRequests returns how many tokens were asked for, refused requests
// included. A program that caches its token asks once.
func (s *Server) TokenRequests() int { return int(s.box.Stats().TokenRequests) }
