//go:build linux

package interop_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// account is what a client of others needs to submit a message.
type account struct {
	Host  string `json:"host"`
	Port  int    `json:"port"`
	CA    string `json:"ca"` // file
	TLS   bool   `json:"tls"`
	User  string `json:"user"`
	Token string `json:"token"`
	From  string `json:"from"` // reverse-path
	To    string `json:"to"`

	settings *client // of smtpsend, for who asks it for the token
}

// outcome is what a client made of a submission.
type outcome struct {
	accepted bool
	said     string // all that it printed
	sent     []byte // the content as it should have arrived
}

// submits has a client submit message.
type submits func(t testing.TB, a account, message []byte) outcome

// others are the clients.
var others = map[string]submits{
	"msmtp": byMsmtp, "curl": byCurl, "nodemailer": byNodemailer, "smtplib": bySmtplib, "go-mail": byGoMail,
}

// byProgram runs cmd with message as its standard input, to be sent as it is.
func byProgram(t testing.TB, cmd *exec.Cmd, message []byte) outcome {
	t.Helper()
	cmd.Stdin = bytes.NewReader(message)
	r := finish(t, cmd)
	return outcome{r.code == 0, r.String(), message}
}

const msmtprc = `account default
host %s
port %d
from %s
tls %s
tls_starttls on
tls_trust_file %s
auth %s
user %s
passwordeval "%s"
`

// byMsmtp lets msmtp ask smtpsend for the token.
func byMsmtp(t testing.TB, a account, message []byte) outcome {
	t.Helper()
	need(t, "msmtp")
	command := fmt.Sprintf("env -i SMTPSEND_CACHE_DIR=%s %s --env-file %s token", t.TempDir(), binary, a.settings.envFile)
	starttls, auth := "off", "off"
	if a.TLS {
		starttls, auth = "on", "xoauth2"
	}
	rc := filepath.Join(t.TempDir(), "msmtprc")
	writeFile(t, rc, fmt.Sprintf(msmtprc, a.Host, a.Port, a.From, starttls, a.CA, auth, a.User, command))
	return byProgram(t, exec.Command("msmtp", "-C", rc, "--", a.To), message)
}

func byCurl(t testing.TB, a account, message []byte) outcome {
	need(t, "curl")
	args := []string{
		"--silent", "--show-error", "--verbose", "--max-time", "20", "--cacert", a.CA, "--upload-file", "-",
		"--mail-from", a.From, "--mail-rcpt", a.To, "smtp://" + net.JoinHostPort(a.Host, strconv.Itoa(a.Port)),
	}
	if a.TLS {
		args = append(args, "--ssl-reqd", "--user", a.User+":", "--oauth2-bearer", a.Token)
	}
	return byProgram(t, exec.Command("curl", args...), message)
}

func byNodemailer(t testing.TB, a account, message []byte) outcome {
	return byProgram(t, node(t, "nodemailer.js", a.json(t)), message)
}

func bySmtplib(t testing.TB, a account, message []byte) outcome {
	need(t, "python3")
	return byProgram(t, exec.Command("python3", "testdata/smtplib_client.py", a.json(t)), message)
}

func (a account) json(t testing.TB) string {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// byGoMail is a program that knows go-mail and nothing else. go-mail writes each
// message itself: it takes over From and To.
func byGoMail(t testing.TB, a account, message []byte) outcome {
	t.Helper()
	options := []mail.Option{mail.WithPort(a.Port), mail.WithHELO("client.example")}
	if a.TLS {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(trusting(t, a.CA)),
			mail.WithSMTPAuth(mail.SMTPAuthXOAUTH2), mail.WithUsername(a.User), mail.WithPassword(a.Token), mail.WithoutSMTPUTF8())
	} else {
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	c, err := mail.NewClient(a.Host, options...)
	if err != nil {
		t.Fatal(err)
	}
	m := goMailMessage(t, a, message)
	var sent bytes.Buffer
	if _, err := m.WriteTo(&sent); err != nil {
		t.Fatal(err)
	}
	if err := c.DialAndSendWithContext(t.Context(), m); err != nil {
		return outcome{false, err.Error(), sent.Bytes()}
	}
	return outcome{true, m.ServerResponse(), sent.Bytes()}
}

func goMailMessage(t testing.TB, a account, message []byte) *mail.Msg {
	t.Helper()
	parsed, err := netmail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	m := mail.NewMsg()
	if err := errors.Join(m.EnvelopeFrom(a.From), m.From(parsed.Header.Get("From")), m.To(a.To)); err != nil {
		t.Fatal(err)
	}
	m.SetDate()
	m.SetMessageID()
	m.Subject(subject)
	m.SetBodyString(mail.TypeTextPlain, text+"\r\n")
	return m
}

func trusting(t testing.TB, caFile string) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// wholeMessage has what tempts a client to change it: octets above 127, lines
// that begin with dots or with From, a line of 998 octets, white space at line
// ends, empty lines at its end.
func wholeMessage(from, to string) []byte {
	return []byte(strings.ReplaceAll(`From: "Client" <`+from+`>
To: <`+to+`>
Subject: =?UTF-8?Q?Pr=C3=BCfbericht?=
Date: Sun, 22 Nov 2026 10:00:00 +0100
Message-ID: <whole@client.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Grüße – 漢字 🎉
.
..
.hidden
From here on
trailing blanks  `+"\t"+`
`+strings.Repeat("x", 998)+`
the end

`, "\n", "\r\n"))
}

func TestClientsOfOthers(t *testing.T) {
	box, other := start(t, sandbox.Options{}), start(t, sandbox.Options{})
	right, wrong := newClient(t, box), newClient(t, other)
	host, port, err := net.SplitHostPort(box.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	whole := account{
		Host: host, Port: number, CA: right.envFile + ".ca.pem", TLS: true, To: "reader@fabrikam.example",
		Token: right.token(t), settings: right,
	}
	forged := wrong.token(t)
	for name, submit := range others {
		t.Run(name, func(t *testing.T) {
			a := whole
			a.User, a.From = name+"@contoso.example", name+"@contoso.example"
			message := wholeMessage(a.From, a.To)
			t.Run("submits", func(t *testing.T) {
				o := submit(t, a, message)
				if !o.accepted {
					t.Fatal(o.said)
				}
				wantStored(t, box, a, o.sent)
			})
			refused := func(name string, a account, message []byte, words string) {
				t.Run(name, func(t *testing.T) {
					before := len(box.Messages())
					if o := submit(t, a, message); o.accepted || !strings.Contains(o.said, words) {
						t.Errorf("accepted: %v; it lacks %q:\n%s", o.accepted, words, o.said)
					}
					if n := len(box.Messages()); n != before {
						t.Errorf("%d messages stored", n-before)
					}
				})
			}
			b := a
			b.Token, b.settings = forged, wrong
			refused("token of another tenant", b, message, "5.7.3 Authentication unsuccessful")
			words := "5.2.252 SendAsDenied; " + a.User + " not allowed to send as boss@contoso.example"
			if name == "msmtp" {
				words = "the server sent an invalid reply" // its lines are shorter than Exchange's
			}
			refused("another mailbox in From", a, wholeMessage("boss@contoso.example", a.To), words)
			b = a
			b.TLS = false
			refused("no TLS", b, message, "5.7.3 STARTTLS is required to send mail")
		})
	}
}

// wantStored checks the newest message of the sandbox.
func wantStored(t *testing.T, box *sandbox.Sandbox, a account, sent []byte) {
	t.Helper()
	stored := box.Messages()
	if len(stored) == 0 {
		t.Fatal("nothing stored")
	}
	m := stored[len(stored)-1]
	if m.Mailbox != a.User || m.From != a.From || !slices.Equal(m.To, []string{a.To}) {
		t.Errorf("mailbox %s, envelope %s %v; want %s, %s, %s", m.Mailbox, m.From, m.To, a.User, a.From, a.To)
	}
	if raw, _ := box.Raw(m.ID); !bytes.Equal(raw, sent) {
		t.Errorf("stored\n%q\nwant\n%q", raw, sent)
	}
}

// needSwaks makes sure of swaks and of its TLS, which is a package of its own.
func needSwaks(t testing.TB) {
	t.Helper()
	need(t, "swaks", "perl")
	if err := exec.Command("perl", "-MNet::SSLeay", "-e", "1").Run(); err != nil {
		lacking(t, "Net::SSLeay, which swaks needs for TLS, is not installed: run make peers")
	}
}

// TestSwaks has swaks, which knows no XOAUTH2, do what Exchange refuses.
func TestSwaks(t *testing.T) {
	needSwaks(t)
	box := start(t, sandbox.Options{})
	for _, tt := range []struct {
		name  string
		args  []string
		words string
	}{
		{"no TLS", nil, "<** 451 5.7.3 STARTTLS is required to send mail"},
		{"no AUTH", []string{"-tls"}, "<~* 530 5.7.57 Client not authenticated to send mail."},
		{"a password", []string{"-tls", "--auth", "LOGIN", "--auth-user", "a@contoso.example", "--auth-password", "p"},
			"<~* 535 5.7.139 Authentication unsuccessful, basic authentication is disabled."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--server", box.SMTPAddr(), "--from", "a@contoso.example", "--to", "reader@fabrikam.example"}, tt.args...)
			r := finish(t, exec.Command("swaks", args...))
			if r.code == 0 || !strings.Contains(r.stdout, tt.words) {
				t.Errorf("it lacks %q: %v", tt.words, r)
			}
			if len(box.Messages()) != 0 {
				t.Error("a message is stored")
			}
		})
	}
}
