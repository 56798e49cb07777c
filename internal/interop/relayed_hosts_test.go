//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// hostMessage is what the mail systems of hosts are given: text in ASCII, which they leave
// as it is.
func hostMessage(from, to string) string {
	return "From: <" + from + ">\nTo: <" + to + ">\nSubject: disk\nDate: Sun, 22 Nov 2026 10:00:00 +0100\nMessage-ID: <1@" + from + ">\n\n.\n..two\nthe end\n"
}

// wantHostMessage waits for that message, which came by a client of the relay.
func (r *ourRelay) wantHostMessage(t *testing.T, from, to, client, protocol string) {
	t.Helper()
	m, content := r.arrived(t, to)
	if m.Mailbox != from || m.From != from {
		t.Errorf("submitted by %s as %s", m.Mailbox, m.From)
	}
	text := strings.ReplaceAll(string(content), "\r\n ", " ")
	if !strings.Contains(text, " by relay.contoso.example ") || !strings.Contains(text, " with "+protocol+" (client "+client+") for <"+to+">") {
		t.Errorf("not by %s of %s:\n%s", protocol, client, content)
	}
	if _, body, _ := strings.Cut(text, "\r\n\r\n"); body != ".\r\n..two\r\nthe end\r\n" || !strings.Contains(text, "\r\nMessage-ID: <1@"+from+">\r\n") {
		t.Errorf("arrived as\n%s", content)
	}
}

// relayedMainCF makes the Postfix of relayCF sign in by STARTTLS.
const relayedMainCF = `smtp_tls_security_level = encrypt
smtp_tls_CAfile = %[2]s
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:{%[3]s}
smtp_sasl_mechanism_filter = %[4]s
smtp_sasl_security_options = noanonymous
relayhost = [127.0.0.2]:%[1]d
`

func TestPostfixSubmitsThroughTheRelay(t *testing.T) {
	r := startOurRelay(t, start(t, sandbox.Options{TimeScale: 1000}), anyListener, nil, nil)
	_, plainPort := r.at(t, "smtp://127.0.0.1:0")
	_, port := r.at(t, "starttls://127.0.0.2:0")
	p := startRelay(t, plainPort)
	send := func(from, to string) {
		t.Helper()
		cmd := exec.Command("sendmail", "-C", p.conf, "-i", "-f", from, to)
		cmd.Stdin = strings.NewReader(hostMessage(from, to))
		if done := finish(t, cmd); done.code != 0 {
			t.Fatal(done)
		}
	}
	send("postfix@contoso.example", "a@fabrikam.example")
	r.wantHostMessage(t, "postfix@contoso.example", "a@fabrikam.example", "this-host", "ESMTP")
	send("postfix@fabrikam.example", "refused@fabrikam.example")
	p.await(t, "to=<refused@fabrikam.example>", "status=bounced", "550 5.7.1 client this-host may not use the sender")

	main := filepath.Join(p.conf, "main.cf")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	before := strings.NewReplacer("smtp_tls_security_level = none\n", "", fmt.Sprintf("relayhost = [127.0.0.1]:%d\n", plainPort), "").Replace(string(text))
	signIn := func(password, mechanism string) {
		t.Helper()
		writeFile(t, main, before+fmt.Sprintf(relayedMainCF, port, r.ca, relayUser+":"+password, mechanism))
		if done := finish(t, exec.Command("postfix", "-c", p.conf, "reload")); done.code != 0 {
			t.Fatal(done)
		}
		p.await(t, "reload -- version")
		p.forget("reload -- version")
	}
	for _, mechanism := range []string{"LOGIN", "PLAIN"} {
		signIn("fourgreenapples", mechanism)
		to := strings.ToLower(mechanism) + "@fabrikam.example"
		send("postfix@contoso.example", to)
		p.await(t, "to=<"+to+">", "status=deferred", "535 5.7.8 the user name or the password is wrong")
	}
	signIn(relayPassword, "LOGIN")
	send("postfix2@contoso.example", "b@fabrikam.example")
	r.wantHostMessage(t, "postfix2@contoso.example", "b@fabrikam.example", "erp", "ESMTPSA")
}

// eximConf is an Exim that gives all mail to one host, by STARTTLS and with a password
// where it has one.
const eximConf = `exim_path = %[1]s
spool_directory = %[2]s/spool
log_file_path = %[2]s/%%slog
exim_user = Debian-exim
exim_group = Debian-exim
primary_hostname = exim.contoso.example
qualify_domain = contoso.example
never_users =
trusted_users = root
keep_environment =
tls_advertise_hosts =
daemon_smtp_ports =
local_interfaces = 127.0.0.1
begin routers
relay:
  driver = manualroute
  route_list = * %[3]s byname
  host_find_failed = freeze
  self = send
  transport = relay
begin transports
relay:
  driver = smtp
  port = %[4]d
  allow_localhost
%[5]s
begin authenticators
login:
  driver = plaintext
  public_name = LOGIN
  client_send = : %[6]s : %[7]s
`

// eximSignsIn makes its transport do that.
const eximSignsIn = `  hosts_require_tls = *
  hosts_require_auth = *
  tls_verify_certificates = %s
  tls_verify_hosts = *
`

// exim runs Debian's, unpacked, whose own user is on this system as long as it runs.
func exim(t *testing.T, conf, from, to string) result {
	t.Helper()
	needRoot(t)
	need(t, "unshare")
	dir := filepath.Dir(conf)
	own := func(file, line string) string {
		text, err := os.ReadFile("/etc/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return writeFile(t, filepath.Join(dir, file), string(text)+line+"\n")
	}
	passwd := own("passwd", fmt.Sprintf("Debian-exim:x:%[1]d:%[1]d::/nonexistent:/usr/sbin/nologin", eximID))
	group := own("group", fmt.Sprintf("Debian-exim:x:%d:", eximID))
	const inside = `mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"`
	cmd := exec.Command("unshare", "--mount", "sh", "-c", inside, "sh", passwd, group,
		unpacked(t, "usr/sbin/exim4"), "-C", conf, "-odf", "-oi", "-f", from, to)
	cmd.Stdin = strings.NewReader(hostMessage(from, to))
	return finish(t, cmd)
}

// eximID is the user and the group of Exim there, which no one else has.
const eximID = 64999

func TestEximSubmitsThroughTheRelay(t *testing.T) {
	needRoot(t)
	program := unpacked(t, "usr/sbin/exim4")
	r := startOurRelay(t, start(t, sandbox.Options{TimeScale: 1000}), anyListener, nil, nil)
	dir := openDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "spool"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "spool")} {
		if err := os.Chown(d, eximID, eximID); err != nil {
			t.Fatal(err)
		}
	}
	conf := func(listener, options, password string) string {
		host, port := r.at(t, listener)
		return writeFile(t, filepath.Join(dir, "exim.conf"), fmt.Sprintf(eximConf, program, dir, host, port, options, relayUser, password))
	}
	log := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "mainlog"))
		return string(text)
	}
	for _, tt := range []struct{ listener, options, client, protocol, from, to string }{
		{"smtp://127.0.0.1:0", "", "this-host", "ESMTP", "exim@contoso.example", "a@fabrikam.example"},
		{"starttls://127.0.0.2:0", fmt.Sprintf(eximSignsIn, r.ca), "erp", "ESMTPSA", "exim2@contoso.example", "b@fabrikam.example"},
	} {
		if done := exim(t, conf(tt.listener, tt.options, relayPassword), tt.from, tt.to); done.code != 0 {
			t.Fatalf("%v\n%s", done, log())
		}
		if !strings.Contains(log(), "=> "+tt.to) {
			t.Fatalf("Exim's log:\n%s", log())
		}
		r.wantHostMessage(t, tt.from, tt.to, tt.client, tt.protocol)
	}
	exim(t, conf("starttls://127.0.0.2:0", fmt.Sprintf(eximSignsIn, r.ca), "wrong"), "exim@contoso.example", "c@fabrikam.example")
	if !strings.Contains(log(), "535 5.7.8 the user name or the password is wrong") {
		t.Errorf("Exim's log lacks the refusal:\n%s", log())
	}
}

// alertmanagerYML is the configuration of an Alertmanager with one receiver.
const alertmanagerYML = `global:
  smtp_smarthost: '%s'
  smtp_from: alertmanager@contoso.example
  smtp_hello: alertmanager.contoso.example
  smtp_auth_username: %s
  smtp_auth_password: '%s'
  smtp_require_tls: %t
route: {receiver: mail, group_wait: 0s}
receivers:
  - name: mail
    email_configs:
      - to: %s
        html: '<b>{{ .CommonLabels.alertname }}</b>'
        text: '{{ .CommonLabels.alertname }} is firing'
        tls_config: {ca_file: '%s'}
`

// alert starts Debian's Alertmanager and gives it an alert.
func (r *ourRelay) alert(t *testing.T, listener, user, password, to string) *server {
	t.Helper()
	need(t, "prometheus-alertmanager")
	host, port := r.at(t, listener)
	dir, web := t.TempDir(), "127.0.0.1:"+freePort(t)
	conf := writeFile(t, filepath.Join(dir, "alertmanager.yml"), fmt.Sprintf(alertmanagerYML, host+":"+strconv.Itoa(port), user, password, user != "", to, r.ca))
	s, _ := serve(t, exec.Command("prometheus-alertmanager", "--config.file="+conf, "--storage.path="+dir,
		"--web.listen-address="+web, "--cluster.listen-address="), "Listening on")
	alert := `[{"labels":{"alertname":"DiskFull","severity":"page"},"annotations":{"summary":"95 %"}}]`
	answer, err := http.Post("http://"+web+"/api/v2/alerts", "application/json", strings.NewReader(alert))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("Alertmanager answered %s", answer.Status)
	}
	return s
}

func TestAlertmanagerSubmitsThroughTheRelay(t *testing.T) {
	r := startOurRelay(t, start(t, sandbox.Options{TimeScale: 1000}), anyListener, nil, nil)
	for _, tt := range []struct{ name, listener, user, password, to, trace string }{
		{"by address", "smtp://127.0.0.1:0", "", "", "a@fabrikam.example", " with UTF8SMTP (client this-host) for <a@fabrikam.example>"},
		{"STARTTLS", "starttls://127.0.0.2:0", relayUser, relayPassword, "b@fabrikam.example", " with UTF8SMTPSA (client erp) for <b@fabrikam.example>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.alert(t, tt.listener, tt.user, tt.password, tt.to)
			m, content := r.arrived(t, tt.to)
			if m.From != "alertmanager@contoso.example" || m.Mailbox != m.From || !strings.Contains(m.Subject, "DiskFull") {
				t.Errorf("arrived as %+v", m)
			}
			for _, part := range []string{tt.trace, "DiskFull is firing", "<b>DiskFull</b>"} {
				if !strings.Contains(strings.ReplaceAll(string(content), "\r\n ", " "), part) {
					t.Errorf("it lacks %q:\n%s", part, content)
				}
			}
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		s := r.alert(t, "starttls://127.0.0.2:0", relayUser, "wrong", "c@fabrikam.example")
		s.await(t, "535 5.7.8 the user name or the password is wrong")
	})
}

// TestSMTPSourceSubmitsThroughTheRelay has Postfix's load generator send over several
// sessions, by TCP and by the Unix socket.
func TestSMTPSourceSubmitsThroughTheRelay(t *testing.T) {
	need(t, "smtp-source")
	const messages = 20
	for i, address := range []string{"smtp://127.0.0.1:0", "unix"} {
		box := start(t, sandbox.Options{TimeScale: 1000, Connections: -1})
		r := startOurRelay(t, box, anyListener, nil, nil)
		at := "unix:" + filepath.Join(r.dir, "relay.sock")
		if address != "unix" {
			host, port := r.at(t, address)
			at = "inet:" + host + ":" + strconv.Itoa(port)
		}
		done := finish(t, exec.Command("smtp-source", "-d", "-N", "-s", "4", "-m", strconv.Itoa(messages), "-l", "2048",
			"-f", fmt.Sprintf("source%d@contoso.example", i), "-t", "reader@fabrikam.example", at))
		if done.code != 0 {
			t.Fatal(done)
		}
		if err := box.Inbox().Wait(within(t), messages); err != nil {
			t.Fatal(err)
		}
		to := map[string]int{}
		for _, m := range box.Messages() {
			to[m.To[0]]++
			if raw, _ := box.Raw(m.ID); m.Size < 2000 || !bytes.Contains(raw, []byte("(client this-host)")) {
				t.Errorf("arrived as\n%s", raw)
			}
		}
		if len(to) != messages { // -N gives each recipient a number
			t.Errorf("arrived for %v", to)
		}
	}
}

// TestPHPMailFunctionSubmitsThroughTheRelay has PHP's own mail(), which hands to a
// program, here msmtp.
func TestPHPMailFunctionSubmitsThroughTheRelay(t *testing.T) {
	need(t, "php", "msmtp")
	r := startOurRelay(t, start(t, sandbox.Options{TimeScale: 1000}), anyListener, nil, nil)
	host, port := r.at(t, "smtp://127.0.0.1:0")
	script := `exit(mail('a@fabrikam.example', 'report', "all is well\n", 'From: php@contoso.example') ? 0 : 1);`
	cmd := exec.Command("php", "-d", fmt.Sprintf(`sendmail_path="msmtp -C /dev/null --host=%s --port=%d --from=php@contoso.example -t"`, host, port), "-r", script)
	if done := finish(t, cmd); done.code != 0 {
		t.Fatal(done)
	}
	if m, _ := r.arrived(t, "a@fabrikam.example"); m.From != "php@contoso.example" || m.Subject != "report" {
		t.Errorf("arrived as %+v", m)
	}
}

// oldTLS is a relay with a listener for old devices, and one beside it that is as new.
const oldTLS = `listeners:
  - {address: 'smtps://127.0.0.1:0', policy: ip, certificate: cert.pem, key: key.pem, tls_min: "1.0"}
  - {address: 'starttls://127.0.0.2:0', policy: ip, certificate: cert.pem, key: key.pem, tls_min: "1.1"}
  - {address: 'smtps://127.0.0.3:0', policy: ip, certificate: cert.pem, key: key.pem}
clients: [{name: printer, networks: [127.0.0.1]}]
`

// TestOldTLSOfOpenSSL has OpenSSL speak TLS 1.0 and 1.1, which a listener takes only with
// tls_min.
func TestOldTLSOfOpenSSL(t *testing.T) {
	need(t, "openssl")
	r := startOurRelay(t, start(t, sandbox.Options{TimeScale: 1000}), func(string) string { return oldTLS }, nil, nil)
	for i, tt := range []struct {
		listener string
		args     []string
		trace    string // "": refused
	}{
		{"smtps://127.0.0.1:0", []string{"-tls1"}, "(TLS 1.0)"},
		{"smtps://127.0.0.1:0", []string{"-tls1_1"}, "(TLS 1.1)"},
		{"starttls://127.0.0.2:0", []string{"-tls1_1", "-starttls", "smtp"}, "(TLS 1.1)"},
		{"starttls://127.0.0.2:0", []string{"-tls1", "-starttls", "smtp"}, ""},
		{"smtps://127.0.0.3:0", []string{"-tls1_1"}, ""},
		{"smtps://127.0.0.3:0", []string{"-tls1_2"}, "(TLS 1.2)"},
	} {
		t.Run(tt.listener+" "+strings.Join(tt.args, " "), func(t *testing.T) {
			host, port := r.at(t, tt.listener)
			to := fmt.Sprintf("old%d@fabrikam.example", i)
			cmd := exec.Command("openssl", append([]string{"s_client", "-quiet", "-ign_eof", "-cipher", "ALL@SECLEVEL=0", "-CAfile", r.ca,
				"-connect", host + ":" + strconv.Itoa(port)}, tt.args...)...)
			cmd.Stdin = strings.NewReader("EHLO printer\r\nMAIL FROM:<printer@contoso.example>\r\nRCPT TO:<" + to + ">\r\nDATA\r\nSubject: page\r\n\r\ntext\r\n.\r\nQUIT\r\n")
			done := finish(t, cmd)
			if tt.trace == "" {
				if done.code == 0 || !strings.Contains(done.stderr, "alert protocol version") {
					t.Errorf("it was not refused: %v", done)
				}
				r.await(t, "level=WARN msg=broken", "listener="+tt.listener, "offered=")
				return
			}
			if !slices.Contains(strings.Fields(done.stdout), "queued") {
				t.Fatal(done)
			}
			if _, content := r.arrived(t, to); !strings.Contains(string(content), tt.trace) {
				t.Errorf("Received lacks %s:\n%s", tt.trace, content)
			}
		})
	}
}
