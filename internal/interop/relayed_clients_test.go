//go:build linux

package interop_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

// visit is how a client of others goes to a listener of the relay, and what it brings.
type visit struct {
	Host      string `json:"host"` // "": the Unix socket
	Port      int    `json:"port"`
	Socket    string `json:"socket"`
	Local     string `json:"local"` // address that it comes from; "": any
	CA        string `json:"ca"`    // file
	TLS       string `json:"tls"`   // "", starttls or tls
	Mechanism string `json:"mechanism"`
	User      string `json:"user"`
	Password  string `json:"password"`
	From      string `json:"from"`
	To        string `json:"to"`
}

func (v visit) hostPort() string { return net.JoinHostPort(v.Host, strconv.Itoa(v.Port)) }

// byOther submits a message, as a client of others.
type byOther func(t testing.TB, v visit, message []byte) outcome

// passwordClients are programs of others that submit with a name and a password.
var passwordClients = map[string]byOther{
	"swaks": relayedBySwaks, "msmtp": relayedByMsmtp, "curl": relayedByCurl, "go-mail": relayedByGoMail,
	"nodemailer": byScript(func(t testing.TB) *exec.Cmd { return node(t, "relayed.js") }),
	"smtplib": byScript(func(t testing.TB) *exec.Cmd {
		need(t, "python3")
		return exec.Command("python3", "testdata/relayed.py")
	}),
	"PHPMailer": byScript(func(t testing.TB) *exec.Cmd {
		need(t, "php")
		return exec.Command("php", "testdata/relayed.php", unpacked(t, "usr/share/php/libphp-phpmailer/src"))
	}),
}

// unpacked is a file of a package of Debian that `make peers` unpacked.
func unpacked(t testing.TB, path string) string {
	t.Helper()
	name, err := filepath.Abs(filepath.Join("../../.peers/debian", path))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(name); err != nil || len(found) == 0 {
		lacking(t, "%s is not unpacked: run make peers", path)
	}
	return name
}

// byScript is a script of testdata, which gets the visit as its last argument and the
// message as its input.
func byScript(command func(testing.TB) *exec.Cmd) byOther {
	return func(t testing.TB, v visit, message []byte) outcome {
		t.Helper()
		visit, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		cmd := command(t)
		cmd.Args = append(cmd.Args, string(visit))
		return byProgram(t, cmd, message)
	}
}

func relayedBySwaks(t testing.TB, v visit, message []byte) outcome {
	t.Helper()
	needSwaks(t)
	args := []string{"--from", v.From, "--to", v.To, "--data", "-", "--no-data-fixup"}
	if v.Socket != "" {
		args = append(args, "--socket", v.Socket)
	} else {
		args = append(args, "--server", v.Host, "--port", strconv.Itoa(v.Port))
	}
	if v.Local != "" {
		args = append(args, "--local-interface", v.Local)
	}
	switch v.TLS {
	case "starttls":
		args = append(args, "--tls", "--tls-verify", "--tls-ca-path", v.CA)
	case "tls":
		args = append(args, "--tls-on-connect", "--tls-verify", "--tls-ca-path", v.CA)
	}
	if v.Mechanism != "" {
		args = append(args, "--auth", v.Mechanism, "--auth-user", v.User, "--auth-password", v.Password)
	}
	// Without its fix-ups swaks sends what it gets: dots are stuffed here.
	stuffed := append(bytes.ReplaceAll(message, []byte("\n."), []byte("\n..")), "."...)
	o := byProgram(t, exec.Command("swaks", args...), stuffed)
	o.sent = message
	return o
}

const relayedMsmtprc = `account default
host %s
port %d
from %s
tls %s
tls_starttls %s
tls_trust_file %s
auth %s
user %s
password %s
`

func relayedByMsmtp(t testing.TB, v visit, message []byte) outcome {
	t.Helper()
	need(t, "msmtp")
	onOff := map[bool]string{true: "on", false: "off"}
	auth := "off"
	if v.Mechanism != "" {
		auth = strings.ToLower(v.Mechanism)
	}
	rc := filepath.Join(t.TempDir(), "msmtprc")
	writeFile(t, rc, fmt.Sprintf(relayedMsmtprc, cmp.Or(v.Host, "localhost"), cmp.Or(v.Port, 25), v.From, onOff[v.TLS != ""], onOff[v.TLS == "starttls"], v.CA, auth, v.User, v.Password))
	args := []string{"-C", rc}
	if v.Socket != "" {
		args = append(args, "--socket", v.Socket)
	}
	if v.Local != "" {
		args = append(args, "--source-ip", v.Local)
	}
	return byProgram(t, exec.Command("msmtp", append(args, "--", v.To)...), message)
}

func relayedByCurl(t testing.TB, v visit, message []byte) outcome {
	t.Helper()
	need(t, "curl")
	scheme := "smtp"
	args := []string{"--silent", "--show-error", "--verbose", "--cacert", v.CA, "--upload-file", "-", "--mail-from", v.From, "--mail-rcpt", v.To}
	switch v.TLS {
	case "starttls":
		args = append(args, "--ssl-reqd")
	case "tls":
		scheme = "smtps"
	}
	if v.Mechanism != "" {
		args = append(args, "--login-options", "AUTH="+v.Mechanism, "--user", v.User+":"+v.Password)
	}
	if v.Local != "" {
		args = append(args, "--interface", v.Local)
	}
	if v.Socket != "" {
		t.Skip("curl has Unix sockets for HTTP alone")
	}
	return byProgram(t, exec.Command("curl", append(args, scheme+"://"+v.hostPort())...), message)
}

// relayedByGoMail is a program on go-mail, which writes the message itself.
func relayedByGoMail(t testing.TB, v visit, message []byte) outcome {
	t.Helper()
	options := []mail.Option{mail.WithHELO("client.example"), mail.WithTLSPolicy(mail.NoTLS), mail.WithPort(cmp.Or(v.Port, 25)), mail.WithoutSMTPUTF8()}
	host := v.Host
	switch v.TLS {
	case "starttls":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		options = append(options, mail.WithSSL())
	}
	if v.TLS != "" {
		config := trusting(t, v.CA)
		config.ServerName = v.Host
		options = append(options, mail.WithTLSConfig(config))
	}
	if v.Mechanism != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthType(v.Mechanism)), mail.WithUsername(v.User), mail.WithPassword(v.Password))
	}
	if v.Socket != "" {
		host = "localhost"
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", v.Socket)
		}))
	}
	if v.Local != "" {
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(v.Local)}}
			return d.DialContext(ctx, network, address)
		}))
	}
	c, err := mail.NewClient(host, options...)
	if err != nil {
		t.Fatal(err)
	}
	m := goMailMessage(t, account{From: v.From, To: v.To}, message)
	var sent bytes.Buffer
	if _, err := m.WriteTo(&sent); err != nil {
		t.Fatal(err)
	}
	if err := c.DialAndSendWithContext(t.Context(), m); err != nil {
		return outcome{false, err.Error(), sent.Bytes()}
	}
	return outcome{true, m.ServerResponse(), sent.Bytes()}
}

// ways are how each client goes to the listeners, and the word and the client in the
// Received field.
var ways = []struct{ name, listener, tls, mechanism, protocol, client string }{
	{"by address", "smtp://127.0.0.1:0", "", "", "ESMTP", "this-host"},
	{"STARTTLS, LOGIN", "starttls://127.0.0.2:0", "starttls", "LOGIN", "ESMTPSA", "erp"},
	{"STARTTLS, PLAIN", "starttls://127.0.0.2:0", "starttls", "PLAIN", "ESMTPSA", "erp"},
	{"TLS, LOGIN", "smtps://127.0.0.3:0", "tls", "LOGIN", "ESMTPSA", "erp"},
	{"TLS, PLAIN", "smtps://127.0.0.3:0", "tls", "PLAIN", "ESMTPSA", "erp"},
	{"Unix socket", "unix", "", "", "ESMTP", "this-host"},
}

// visitBy is the visit of a client in one of the ways.
func (r *ourRelay) visitBy(t testing.TB, way int, from string) visit {
	t.Helper()
	w := ways[way]
	v := visit{CA: r.ca, TLS: w.tls, Mechanism: w.mechanism, From: from, To: fmt.Sprintf("%s%d@fabrikam.example", strings.ToLower(strings.Split(from, "@")[0]), way)}
	if w.mechanism != "" {
		v.User, v.Password = relayUser, relayPassword
	}
	if w.listener == "unix" {
		v.Socket = filepath.Join(r.dir, "relay.sock")
	} else {
		v.Host, v.Port = r.at(t, w.listener)
	}
	return v
}

// socketClients are those of passwordClients that can use a Unix socket.
var socketClients = []string{"swaks", "msmtp", "go-mail", "nodemailer"}

// TestClientsOfOthersSubmitThroughTheRelay has each client go to each kind of listener.
func TestClientsOfOthersSubmitThroughTheRelay(t *testing.T) {
	r := startOurRelay(t, start(t, sandbox.Options{TimeScale: 1000}), anyListener, nil, nil)
	for name, submit := range passwordClients {
		from := strings.ToLower(name) + "@contoso.example"
		for i, way := range ways {
			if way.listener == "unix" && !slices.Contains(socketClients, name) {
				continue
			}
			t.Run(name+"/"+way.name, func(t *testing.T) {
				v := r.visitBy(t, i, from)
				o := submit(t, v, wholeMessage(v.From, v.To))
				if !o.accepted {
					t.Fatal(o.said)
				}
				m, content := r.arrived(t, v.To)
				if m.Mailbox != from || m.From != from {
					t.Errorf("submitted by %s as %s", m.Mailbox, m.From)
				}
				trace := received(t, content, o.sent)
				if !strings.Contains(trace, " by relay.contoso.example ") || !strings.Contains(trace, " with "+way.protocol+" (client "+way.client+") for <"+v.To+">") {
					t.Error(trace)
				}
			})
		}
		t.Run(name+"/refused", func(t *testing.T) { r.refuses(t, submit, from) })
	}
}

// refuses has a client do what the relay refuses, and wants it to say so.
func (r *ourRelay) refuses(t *testing.T, submit byOther, from string) {
	t.Helper()
	const byAddress, login = 0, 1
	for _, tt := range []struct {
		name   string
		way    int
		change func(*visit)
		reply  string
	}{
		{"wrong password", login, func(v *visit) { v.Password = "wrong" }, "5.7.8 the user name or the password is wrong"},
		{"no password", login, func(v *visit) { v.Mechanism, v.User, v.Password = "", "", "" }, "5.7.0"},
		{"a sender of others", byAddress, func(v *visit) { v.From = "boss@fabrikam.example" }, "5.7.1 client this-host may not use the sender"},
		{"an address of no client", byAddress, func(v *visit) { v.Local = "127.0.0.9" }, "5.7.1 127.0.0.9 belongs to no client, and may not submit here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := r.visitBy(t, tt.way, from)
			v.To = "refused-" + v.To
			tt.change(&v)
			o := submit(t, v, wholeMessage(v.From, v.To))
			if o.accepted || !strings.Contains(o.said, tt.reply) {
				t.Errorf("accepted: %v; it lacks %q:\n%s", o.accepted, tt.reply, o.said)
			}
			if slices.ContainsFunc(r.box.Messages(), func(m inbox.Message) bool { return slices.Contains(m.To, v.To) }) {
				t.Error("a message arrived")
			}
		})
	}
}
