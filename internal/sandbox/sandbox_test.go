package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/xoauth2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// signingKey is shared: making one takes longer than a test.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func start(t testing.TB, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	o.SigningKey = signingKey()
	s, err := sandbox.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func withFaults(t testing.TB, o sandbox.Options, texts ...string) sandbox.Options {
	t.Helper()
	for _, text := range texts {
		f, err := fault.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Faults = append(o.Faults, f)
	}
	return o
}

func tlsConfig(s *sandbox.Sandbox) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CAPEM())
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

func httpClient(t testing.TB, s *sandbox.Sandbox) *http.Client {
	transport := &http.Transport{TLSClientConfig: tlsConfig(s)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// form is a right token request; changes replace fields, "" removes one.
func form(s *sandbox.Sandbox, changes ...string) url.Values {
	f := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {s.ClientID()}, "client_secret": {s.ClientSecret()},
		"scope": {"https://outlook.office365.com/.default"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if f.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			f.Del(changes[i])
		}
	}
	return f
}

type answer struct {
	status int
	header http.Header
	body   string
}

func post(t testing.TB, s *sandbox.Sandbox, tenant string, f url.Values) answer {
	t.Helper()
	resp, err := httpClient(t, s).PostForm(s.URL()+"/"+tenant+"/oauth2/v2.0/token", f)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func token(t testing.TB, s *sandbox.Sandbox, changes ...string) string {
	t.Helper()
	a := post(t, s, s.TenantID(), form(s, changes...))
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.AccessToken == "" {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	return got.AccessToken
}

// smtpClient says lines and reads replies.
type smtpClient struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func dial(t testing.TB, s *sandbox.Sandbox) *smtpClient {
	t.Helper()
	conn, err := net.Dial("tcp", s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &smtpClient{t, conn, bufio.NewReader(conn)}
}

func (c *smtpClient) read() smtp.Reply {
	c.t.Helper()
	r, err := smtp.Read(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *smtpClient) cmd(format string, args ...any) smtp.Reply {
	c.t.Helper()
	fmt.Fprintf(c.conn, format+"\r\n", args...)
	return c.read()
}

func (c *smtpClient) startTLS(s *sandbox.Sandbox) error {
	if r := c.cmd("STARTTLS"); r.Code != 220 {
		c.t.Fatalf("STARTTLS: got %v", r)
	}
	return c.handshake(s)
}

func (c *smtpClient) handshake(s *sandbox.Sandbox) error {
	tc := tls.Client(c.conn, tlsConfig(s))
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.conn, c.r = tc, bufio.NewReader(tc)
	return nil
}

// secure goes up to EHLO within TLS.
func secure(t testing.TB, s *sandbox.Sandbox) *smtpClient {
	t.Helper()
	c := dial(t, s)
	c.read()
	c.cmd("EHLO client.example")
	if err := c.startTLS(s); err != nil {
		t.Fatal(err)
	}
	c.cmd("EHLO client.example")
	return c
}

func initial(t testing.TB, mailbox, token string) string {
	t.Helper()
	b, err := xoauth2.InitialResponse(mailbox, token)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

const mailbox = "noreply@contoso.example"

// login goes up to a 235.
func login(t testing.TB, s *sandbox.Sandbox) *smtpClient {
	t.Helper()
	c := secure(t, s)
	if r := c.cmd("AUTH XOAUTH2 %s", initial(t, mailbox, token(t, s))); r.Code != 235 {
		t.Fatalf("AUTH: got %v", r)
	}
	return c
}

func content(from string) string {
	return "From: " + from + "\r\nTo: a@contoso.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@contoso.example>\r\n\r\nhi\r\n"
}

// submit sends content in one transaction and returns the last reply.
func (c *smtpClient) submit(from, content string) smtp.Reply {
	c.t.Helper()
	for _, line := range []string{"MAIL FROM:<" + from + ">", "RCPT TO:<a@contoso.example>", "DATA"} {
		if r := c.cmd("%s", line); r.Code/100 > 3 {
			return r
		}
	}
	return c.cmd("%s.", content)
}

func TestOneMessage(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := dial(t, s)
	if r := c.read(); !strings.Contains(r.Text(), ".outlook.office365.com Microsoft ESMTP MAIL Service ready at ") {
		t.Errorf("greeting: got %v", r)
	}
	clear := c.cmd("EHLO client.example")
	want := "SIZE 157286400\nPIPELINING\nDSN\nENHANCEDSTATUSCODES\nSTARTTLS\n8BITMIME\nBINARYMIME\nCHUNKING\nSMTPUTF8"
	if got := strings.Join(clear.Lines[1:], "\n"); got != want || !strings.HasSuffix(clear.Lines[0], ".outlook.office365.com Hello [127.0.0.1]") {
		t.Errorf("EHLO in clear: got %q", clear.Lines)
	}
	if err := c.startTLS(s); err != nil {
		t.Fatal(err)
	}
	secured := c.cmd("EHLO client.example")
	want = strings.Replace(want, "STARTTLS", "AUTH LOGIN XOAUTH2", 1)
	if got := strings.Join(secured.Lines[1:], "\n"); got != want {
		t.Errorf("EHLO in TLS: got %q", got)
	}
	if r := c.cmd("AUTH XOAUTH2"); r.Code != 334 || r.Text() != "" {
		t.Errorf("AUTH without initial response: got %v", r)
	}
	for _, step := range []struct{ line, want string }{
		{initial(t, mailbox, token(t, s)), "235 2.7.0 Authentication successful"},
		{"MAIL FROM:<" + mailbox + "> SIZE=100", "250 2.1.0 Sender OK"},
		{"RCPT TO:<a@contoso.example>", "250 2.1.5 Recipient OK"},
		{"DATA", "354 Start mail input; end with <CRLF>.<CRLF>"},
	} {
		if r := c.cmd("%s", step.line); r.String() != step.want {
			t.Errorf("%.20s: got %q; want %q", step.line, r, step.want)
		}
	}
	if r := c.cmd("%s.", content("noreply@contoso.example")); !strings.HasPrefix(r.String(), "250 2.0.0 OK <1@contoso.example> [Hostname=SBX") {
		t.Errorf("content: got %q", r)
	}
	list := s.Messages()
	if len(list) != 1 || list[0].Subject != "Grüße" || list[0].Mailbox != mailbox || list[0].From != mailbox ||
		fmt.Sprint(list[0].To) != "[a@contoso.example]" || list[0].Size != int64(len(content(mailbox))) {
		t.Fatalf("got %+v", list)
	}
	if raw, _ := s.Raw(list[0].ID); string(raw) != content(mailbox) {
		t.Errorf("raw: got %q", raw)
	}
	if got, want := s.Stats(), (sandbox.Stats{TokenRequests: 1, Connections: 1, Auths: 1, Accepted: 1}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestEnvFile(t *testing.T) {
	s := start(t, sandbox.Options{})
	file := t.TempDir() + "/e.env"
	if err := s.WriteEnv(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range s.Env() {
		if !bytes.Contains(got, []byte(line+"\n")) {
			t.Errorf("%s lacks %s", got, line)
		}
	}
	for _, line := range []string{"SMTPSEND_CA_FILE=" + file + ".ca.pem", "SMTPSEND_STATE_DIR=" + file + ".outbox"} {
		if !bytes.Contains(got, []byte(line+"\n")) {
			t.Errorf("%s lacks %s", got, line)
		}
	}
	for _, name := range []string{file, file + ".ca.pem"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v; want mode 0600", name, info, err)
		}
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		_, err := sandbox.Start(context.Background(), sandbox.Options{SMTPAddr: addr, SigningKey: signingKey()})
		if err == nil {
			t.Errorf("%s: accepted", addr)
		}
	}
}

func TestClosedWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := sandbox.Start(ctx, sandbox.Options{SigningKey: signingKey()})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	c.read()
	cancel()
	if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v; want io.EOF", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
