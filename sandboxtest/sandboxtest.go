// Package sandboxtest starts a stand-in for Microsoft Entra ID and Exchange
// Online inside a Go test, as net/http/httptest starts a web server: a token
// endpoint and a submission server on loopback, as strict as the real ones and
// with their words. It is for the tests of every program that submits mail with
// OAuth, whatever library it uses.
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
//     authority, all random, and listens on two ports that the system chooses.
//  2. The program under test gets the fields of [Server], or the settings of
//     smtpsend in its environment ([Server.Environ], [Server.Setenv]).
//  3. It asks for a token, connects, secures the connection with STARTTLS, signs
//     in with XOAUTH2 and submits. By default every address in contoso.example is
//     a mailbox that it may sign in to. From must be that address.
//  4. The test looks at what arrived: [Server.Messages], or [Server.Wait] for a
//     program that sends in the background.
//  5. At the end of the test all of it is closed and removed.
//
// When a sign-in is refused, the client is told as little as Exchange tells it;
// the test's own log has the reason.
//
// # Faults
//
// A fault makes one thing go wrong, at the stage and with the words that the
// real service has for it. It is text, as the flag --fault of "smtpsend sandbox"
// takes it:
//
//	NAME[,stage=S][,mailbox=M][,after=N][,times=N][,share=F][,delay=D]
//
// NAME is one of [FaultNames]; "smtpsend explain NAME" describes most of them. It
// happens at stage S in place of its usual one, to mailbox M alone, after N times
// that went well, N times and then no more, to the share F (0.1 is every tenth),
// and the time D later. So "reply-lost,times=1" takes one message and loses the
// reply, and "smtp-auth-disabled-mailbox" refuses every sign-in. [Fault] gives
// faults to Start, [Server.AddFault] and [Server.ClearFaults] change them later.
//
// One fault is always there, because Exchange Online is reported to have it:
// garbles-8bit spoils text that is not in 7 bits. [Without] takes it away.
//
// # Promise
//
// No address but loopback is listened on, and nothing that is sent to a Server
// leaves the machine. Servers are independent: tests that run in parallel have
// one each. All methods are safe for concurrent use. The catalogue of faults
// grows with what Microsoft's services say; a name that exists stays.
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

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// Scope is what a program asks a token for: all that the application may do in
// Exchange Online.
const Scope = "https://outlook.office365.com/.default"

// Server is a running stand-in, made by Start. Its fields are what a program under
// test needs, and are not to be changed.
type Server struct {
	Addr string // "host:port" of the submission server, which requires STARTTLS
	Host string // that host, 127.0.0.1, which its certificate is for
	Port int    // that port

	TokenURL     string // of the token endpoint, by HTTPS; TenantID is in it
	TenantID     string
	ClientID     string
	ClientSecret string // good for this Server only
	Mailbox      string // the one to sign in to and send as: noreply@contoso.example, or the scenario's first

	RootCAs *x509.CertPool // verifies the certificates of both
	CAFile  string         // the same in PEM, in a directory that the test's end removes

	box    *sandbox.Sandbox
	dir    string
	client *http.Client
}

// Option changes what Start starts.
type Option struct {
	apply func(*sandbox.Options) error
}

// Fault makes something go wrong from the start. For its text see the package
// comment.
func Fault(text string) Option {
	return Option{func(o *sandbox.Options) error {
		f, err := fault.Parse(text)
		o.Faults = append(o.Faults, f)
		return err
	}}
}

// Without takes a fault away that is there anyway, such as "garbles-8bit".
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

// FaultNames returns the name of every fault, sorted.
func FaultNames() []string { return fault.Names() }

// signingKey signs the tokens of every Server of a process, because making a key
// takes longer than most tests. A token says which tenant it is for, and no other
// Server takes it.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Start starts a stand-in that runs until the end of the test. It ends the test
// when an option is wrong or the system lets it have no port or directory, so it
// is called from the goroutine of the test.
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

// AddFault makes something go wrong from now on: what its text counts begins
// here, so "mailbox-server-busy,times=2" means the next two. Faults that are there already
// stay. A text that is wrong ends the test, and so does a fault of the tenant,
// such as "no-mailbox-grant", which is for Start. t is the running test or
// subtest.
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

// ClearFaults ends all faults but those that are there anyway and those of the
// tenant.
func (s *Server) ClearFaults() { s.box.Faults().Clear() }

// Environ returns the settings of smtpsend, each as "NAME=value", for the
// environment of a child process or for a program that reads the same. They name
// directories of this Server for the outbox and the token cache. Nothing of the
// environment of the test is in them:
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
