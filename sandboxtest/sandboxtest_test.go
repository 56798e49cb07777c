package sandboxtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/sandboxtest"
)

func TestMessagesOfManyServersStayApart(t *testing.T) {
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			srv := sandboxtest.Start(t)
			for n := range 2 {
				if err := newMailer(srv).send("ada@contoso.example", fmt.Sprintf("%d.%d", i, n), "hi"); err != nil {
					t.Fatal(err)
				}
			}
			list, err := srv.Wait(limited(t), 2)
			if err != nil || len(list) != 2 || list[0].Subject != fmt.Sprintf("%d.0", i) || list[1].Subject != fmt.Sprintf("%d.1", i) {
				t.Fatalf("got %v, %v", list, err)
			}
			if list[0].TokenID == list[1].TokenID || srv.TokenRequests() != 2 {
				t.Errorf("tokens %s and %s of %d requests", list[0].TokenID, list[1].TokenID, srv.TokenRequests())
			}
		})
	}
}

func TestATokenOfAnotherServerIsRefused(t *testing.T) {
	t.Parallel()
	one, other := sandboxtest.Start(t), sandboxtest.Start(t)
	m := newMailer(one)
	m.addr, m.tls = other.Addr, other.TLSConfig()
	if err := m.send("ada@contoso.example", "x", "x"); code(err) != 535 {
		t.Errorf("got %v", err)
	}
}

func TestFaultsComeAndGo(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("auth-unsuccessful"))
	m := newMailer(srv)
	send := func(want int) {
		t.Helper()
		if err := m.send("ada@contoso.example", "x", "x"); code(err) != want || (want == 0 && err != nil) {
			t.Errorf("got %v; want %d", err, want)
		}
	}
	send(535)
	srv.ClearFaults()
	send(0)
	srv.AddFault(t, "auth-temporary,times=1")
	srv.AddFault(t, "sendas-denied,after=1,times=1")
	send(454) // at AUTH
	send(0)
	send(554)
	send(0)
	if n := len(srv.Messages()); n != 3 {
		t.Errorf("%d messages", n)
	}
}

func TestReplyLostKeepsTheMessage(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("reply-lost,times=1"))
	if err := newMailer(srv).send("ada@contoso.example", "x", "x"); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if list, err := srv.Wait(limited(t), 1); err != nil || len(list) != 1 {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestEightBitIsGarbledUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options []sandboxtest.Option
		want    string
	}{{nil, "Ã¼"}, {[]sandboxtest.Option{sandboxtest.Without("garbles-8bit")}, "ü"}} {
		srv := sandboxtest.Start(t, tt.options...)
		if err := newMailer(srv).send("ada@contoso.example", "ü", "x"); err != nil {
			t.Fatal(err)
		}
		if got := srv.Messages()[0].Subject; got != tt.want {
			t.Errorf("got %q; want %q", got, tt.want)
		}
	}
}

func TestScenarioSetsUpATenant(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Scenario(`{"domain": "fabrikam.example",
		"mailboxes": [{"address": "post@fabrikam.example"}, {"address": "shop@fabrikam.example"}],
		"applications": [{"client_id": "33333333-3333-3333-3333-333333333333", "rbac_scope": ["post@fabrikam.example"]}]}`))
	if srv.Mailbox != "post@fabrikam.example" || srv.ClientID != "33333333-3333-3333-3333-333333333333" {
		t.Errorf("got %s, %s", srv.Mailbox, srv.ClientID)
	}
	m := newMailer(srv)
	if err := m.send("ada@contoso.example", "x", "x"); err != nil {
		t.Error(err)
	}
	m.mailbox = "shop@fabrikam.example"
	if err := m.send("ada@contoso.example", "x", "x"); code(err) != 535 {
		t.Errorf("outside the scope: %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	if err := newMailer(srv).send("ada@contoso.example", "x", "x"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	list, err := srv.Wait(ctx, 2)
	if !errors.Is(err, context.Canceled) || len(list) != 1 || err.Error() != "sandboxtest: waiting for message 2, with 1 accepted: context canceled" {
		t.Errorf("got %v, %v", list, err)
	}
}

// failing is a test whose end is seen, not suffered.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestWrongOptionsEndTheTest(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	for want, f := range map[string]func(t testing.TB){
		`sandboxtest: fault "no-such-fault": unknown name`: func(t testing.TB) { sandboxtest.Start(t, sandboxtest.Fault("no-such-fault")) },
		`sandboxtest: fault "slow": is not there anyway`:   func(t testing.TB) { sandboxtest.Start(t, sandboxtest.Without("slow")) },
		`sandboxtest: reading scenario: EOF`:               func(t testing.TB) { sandboxtest.Start(t, sandboxtest.Scenario("")) },
		`sandboxtest: fault "slow,times=x": times: "x" is not a count`: func(t testing.TB) {
			srv.AddFault(t, "slow,times=x")
		},
		`sandboxtest: fault "role-missing": applies from the start, and cannot begin later`: func(t testing.TB) {
			srv.AddFault(t, "role-missing")
		},
	} {
		tb, end := testOf()
		test := &failing{TB: tb}
		done := make(chan struct{})
		go func() {
			defer close(done)
			f(test)
			test.said = "nothing"
		}()
		<-done
		end()
		if test.said != want {
			t.Errorf("said %s; want %s", test.said, want)
		}
	}
}

func TestNothingIsLeftAtTheEndOfATest(t *testing.T) {
	test, end := testOf()
	srv := sandboxtest.Start(test)
	m := newMailer(srv)
	if err := m.send("ada@contoso.example", "x", "x"); err != nil {
		t.Fatal(err)
	}
	end()
	if conn, err := net.Dial("tcp", srv.Addr); err == nil {
		t.Error("the port is still open")
		_ = conn.Close()
	}
	if _, err := os.Stat(srv.CAFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the certificate is still there: %v", err)
	}
}

func TestEveryNameIsAFault(t *testing.T) {
	names := sandboxtest.FaultNames()
	if len(names) < 50 || !slices.Contains(names, "smtp-auth-disabled-mailbox") || !slices.IsSorted(names) {
		t.Errorf("got %d names", len(names))
	}
	var all []sandboxtest.Option
	for _, name := range names {
		all = append(all, sandboxtest.Fault(name))
	}
	sandboxtest.Start(t, all...)
}

// isChild is set in the environment of the child process below.
const isChild = "SANDBOXTEST_CHILD"

// TestChild is the program of TestAChildProcessSubmitsWithTheSettings. Without its
// environment there is nothing to do.
func TestChild(t *testing.T) {
	if os.Getenv(isChild) == "" {
		return
	}
	if err := fromEnvironment(t); err != nil {
		t.Fatal(err)
	}
}

// fromEnvironment submits a message with the settings alone.
func fromEnvironment(t *testing.T) error {
	pem, err := os.ReadFile(os.Getenv("SMTPSEND_CA_FILE"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	host := os.Getenv("SMTPSEND_MAIL_SERVER")
	config := &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	m := &mailer{
		addr: net.JoinHostPort(host, os.Getenv("SMTPSEND_SMTP_PORT")), mailbox: os.Getenv("SMTPSEND_MAIL_SENDER"),
		tls: config, http: &http.Client{Transport: transport},
		tokens: clientcredentials.Config{
			ClientID: os.Getenv("SMTPSEND_OFFICE_CLIENT_ID"), ClientSecret: os.Getenv("SMTPSEND_OFFICE_CLIENT_SECRET"),
			TokenURL: strings.Replace(os.Getenv("SMTPSEND_OFFICE_TOKEN_ENDPOINT"), "#TenantID#", os.Getenv("SMTPSEND_OFFICE_TENANT_ID"), 1),
			Scopes:   []string{sandboxtest.Scope}, AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	return m.send("ada@contoso.example", "from the environment", "x")
}

func TestAChildProcessSubmitsWithTheSettings(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(append(os.Environ(), isChild+"=1"), srv.Environ()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if list, err := srv.Wait(limited(t), 1); err != nil || list[0].Subject != "from the environment" {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestSetenvIsForThisProcess(t *testing.T) {
	srv := sandboxtest.Start(t)
	srv.Setenv(t)
	if err := fromEnvironment(t); err != nil {
		t.Error(err)
	}
	if n := len(srv.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
	for _, name := range []string{"SMTPSEND_STATE_DIR", "SMTPSEND_CACHE_DIR"} {
		if os.Getenv(name) == "" {
			t.Errorf("%s is not set: what is the developer's own would be used", name)
		}
	}
}
