//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// mainCF has a server that takes mail from authenticated clients over TLS and
// from nobody else, and from each only under its own name. What it takes for
// fabrikam.example it puts into Maildirs below dir.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.fabrikam.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %[1]s/auth
smtpd_client_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_login_maps = regexp:%[1]s/logins
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_recipient_restrictions = check_recipient_access regexp:%[1]s/closed
smtpd_error_sleep_time = 0
virtual_mailbox_domains = fabrikam.example
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:%[2]s
virtual_gid_maps = static:%[3]s
`

// masterCF has the submission service on one port and, on another, a server
// without TLS and AUTH for Dovecot's submission service to relay to.
const masterCF = `127.0.0.1:%[1]s inet n - n - - smtpd
127.0.0.1:%[2]s inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_sasl_auth_enable=no
  -o smtpd_client_restrictions=
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_sender_restrictions=
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
`

// postfix is a running Postfix with Dovecot as its SASL service.
type postfix struct {
	*server
	dir        string
	port       string // submission
	submission string // Dovecot's own submission service, in front of Postfix
	cert       []byte
}

func startPostfix(t testing.TB, box *sandbox.Sandbox) *postfix {
	t.Helper()
	need(t, "postfix", "postconf")
	needRoot(t)
	p := &postfix{dir: openDir(t), port: freePort(t), submission: freePort(t)}
	relay := freePort(t)
	p.cert = certificate(t, p.dir)
	startDovecot(t, p.dir, box, p.submission, relay)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postfix", "queue", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(p.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own(t, filepath.Join(p.dir, "mail"), nobody.Username)
	own(t, filepath.Join(p.dir, "data"), "postfix")
	conf := filepath.Join(p.dir, "postfix")
	writeFile(t, filepath.Join(conf, "main.cf"), fmt.Sprintf(mainCF, p.dir, nobody.Uid, nobody.Gid))
	writeFile(t, filepath.Join(conf, "master.cf"), fmt.Sprintf(masterCF, p.port, relay))
	writeFile(t, filepath.Join(p.dir, "logins"), "/^(.*)$/ $1\n")
	writeFile(t, filepath.Join(p.dir, "closed"), "/^closed@/ REJECT Mailbox is closed\n")
	p.server = startMaster(t, conf)
	return p
}

// startMaster starts Postfix with the configuration directory conf.
func startMaster(t testing.TB, conf string) *server {
	t.Helper()
	if r := finish(t, exec.Command("postfix", "-c", conf, "check")); r.code != 0 {
		t.Fatalf("postfix check: %v", r)
	}
	daemons := strings.TrimSpace(finish(t, exec.Command("postconf", "-c", conf, "-h", "daemon_directory")).stdout)
	master := exec.Command(filepath.Join(daemons, "master"), "-c", conf, "-s")
	master.Env = append(os.Environ(), "MAIL_CONFIG="+conf)
	s, _ := serve(t, master, "daemon started")
	return s
}

// own gives a directory to a user of the system.
func own(t testing.TB, dir, name string) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	var uid, gid int
	if _, err := fmt.Sscan(u.Uid+" "+u.Gid, &uid, &gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
}

// delivered waits for the one message to local@fabrikam.example and returns it.
func (p *postfix) delivered(t testing.TB, local string) string {
	t.Helper()
	p.await(t, "to=<"+local+"@fabrikam.example>", "status=sent (delivered to maildir)")
	mail := p.mailFor(t, local)
	if len(mail) != 1 {
		t.Fatalf("%d messages for %s, want 1", len(mail), local)
	}
	return mail[0]
}

// mailFor is what has been delivered to local@fabrikam.example.
func (p *postfix) mailFor(t testing.TB, local string) (mail []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "mail", "all", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "\nDelivered-To: "+local+"@fabrikam.example\n") {
			mail = append(mail, string(data))
		}
	}
	return mail
}
