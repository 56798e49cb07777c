//go:build linux

package interop_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

// The users of a relay of these tests.
const (
	relayUser     = "erp"
	relayPassword = "four green apples"
)

// ourRelay is smtpsend's relay in a process of its own, with the sandbox as its Exchange
// Online.
type ourRelay struct {
	*server
	box *sandbox.Sandbox
	dir string
	ca  string // file with the certificate that its listeners show
}

// relaySetup is the settings file of a relay whose directory is dir.
type relaySetup func(dir string) string

// startOurRelay starts one, with the user of these tests and a certificate in its
// directory (cert.pem, key.pem). The environment is added to its own, and wrap is a
// command line that the relay's is appended to.
func startOurRelay(t testing.TB, box *sandbox.Sandbox, settings relaySetup, environ, wrap []string) *ourRelay {
	t.Helper()
	r := &ourRelay{box: box, dir: openDir(t)}
	r.ca = filepath.Join(r.dir, "cert.pem")
	issue(t, r.ca, filepath.Join(r.dir, "key.pem"), func(c *x509.Certificate) {
		for host := byte(1); host < 10; host++ {
			c.IPAddresses = append(c.IPAddresses, net.IPv4(127, 0, 0, host))
		}
	})
	r.addUser(t, relayUser, relayPassword)
	writeFile(t, r.file(), settings(r.dir))
	cmd := r.command(t, environ, wrap, "relay")
	r.server, _ = serve(t, cmd, "msg=listening")
	return r
}

func (r *ourRelay) file() string  { return filepath.Join(r.dir, "relay.yaml") }
func (r *ourRelay) users() string { return filepath.Join(r.dir, "users") }
func (r *ourRelay) state() string { return filepath.Join(r.dir, "state") }

// command is smtpsend with the settings of the relay.
func (r *ourRelay) command(t testing.TB, environ, wrap []string, args ...string) *exec.Cmd {
	t.Helper()
	env := filepath.Join(r.dir, "e.env")
	if _, err := os.Stat(env); err != nil {
		if err := r.box.WriteEnv(env); err != nil {
			t.Fatal(err)
		}
	}
	line := append(append(slices.Clone(wrap), binary, "--env-file", env), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "SMTPSEND_CACHE_DIR=" + filepath.Join(r.dir, "cache"),
		"SMTPSEND_STATE_DIR=" + r.state(), "SMTPSEND_RELAY_FILE=" + r.file(),
	}, environ...)
	return cmd
}

func (r *ourRelay) addUser(t testing.TB, name, password string) {
	t.Helper()
	cmd := exec.Command(binary, "relay", "user", "--file", r.users(), "add", name)
	cmd.Stdin = strings.NewReader(password + "\n")
	if done := finish(t, cmd); done.code != 0 {
		t.Fatal(done)
	}
}

var listensAt = regexp.MustCompile(`at=(\S+)`)

// at is where a listener listens, by its address in the settings file.
func (r *ourRelay) at(t testing.TB, address string) (host string, port int) {
	t.Helper()
	found := listensAt.FindStringSubmatch(r.await(t, "msg=listening", "listener="+address+" "))
	host, text, err := net.SplitHostPort(found[1])
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return host, port
}

// arrived waits for the message to a forward-path in the sandbox, and returns it with its
// content.
func (r *ourRelay) arrived(t testing.TB, to string) (inbox.Message, []byte) {
	t.Helper()
	for n := 0; ; {
		list := r.box.Messages()
		for _, m := range list {
			if slices.Contains(m.To, to) {
				raw, _ := r.box.Raw(m.ID)
				return m, raw
			}
		}
		n = max(n, len(list)) + 1
		if err := r.box.Inbox().Wait(within(t), n); err != nil {
			t.Fatalf("the message to %s did not arrive: %v", to, err)
		}
	}
}

// received is what the only Received field of a content says, on one line. sent must
// follow it, unchanged.
func received(t testing.TB, content, sent []byte) string {
	t.Helper()
	field, found := bytes.CutSuffix(content, sent)
	text := strings.ReplaceAll(strings.TrimSuffix(string(field), "\r\n"), "\r\n ", " ")
	if !found || !strings.HasPrefix(text, "Received: ") || strings.Contains(text, "\r\n") {
		t.Errorf("arrived as\n%q\nwhich is not a Received field and\n%q", content, sent)
	}
	return text
}

// relayListeners are the listeners of the relay that clients of others are tried with:
// each kind, on loopback, where every policy can be had.
const relayListeners = `hostname: relay.contoso.example
users_file: users
listeners:
  - {address: 'smtp://127.0.0.1:0', policy: ip}
  - {address: 'starttls://127.0.0.2:0', policy: auth, certificate: cert.pem, key: key.pem}
  - {address: 'smtps://127.0.0.3:0', policy: auth, certificate: cert.pem, key: key.pem}
  - {address: 'unix://%s/relay.sock'}
clients:
  - {name: this-host, networks: [127.0.0.1], uids: [%d], senders: ['*@contoso.example'], eight_bit: keep}
  - {name: erp, user: erp, senders: ['*@contoso.example'], eight_bit: keep}
`

func anyListener(dir string) string { return fmt.Sprintf(relayListeners, dir, os.Getuid()) }

// within is a context that ends with the test, or after the limit.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
