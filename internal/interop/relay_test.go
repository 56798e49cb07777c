//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// relayCF has a Postfix that takes mail from its sendmail alone and gives it to a
// server on a port.
const relayCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.contoso.example
myorigin = contoso.example
append_dot_mydomain = no
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
relayhost = [127.0.0.1]:%[2]d
disable_dns_lookups = yes
smtp_tls_security_level = none
in_flow_delay = 0
default_destination_recipient_limit = 1000
message_size_limit = 0
mailbox_size_limit = 0
`

const relayMasterCF = `pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// relay is a Postfix as the mail system of a host.
type relay struct {
	*server
	conf string
}

// startRelay starts one that gives its mail to the server on that port of
// loopback.
func startRelay(t testing.TB, port int) *relay {
	t.Helper()
	need(t, "postfix", "postconf", "sendmail")
	needRoot(t)
	dir := openDir(t)
	r := &relay{conf: filepath.Join(dir, "postfix")}
	for _, name := range []string{r.conf, filepath.Join(dir, "queue"), filepath.Join(dir, "data")} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own(t, filepath.Join(dir, "data"), "postfix")
	writeFile(t, filepath.Join(r.conf, "main.cf"), fmt.Sprintf(relayCF, dir, port))
	writeFile(t, filepath.Join(r.conf, "master.cf"), relayMasterCF)
	r.server = startMaster(t, r.conf)
	return r
}
