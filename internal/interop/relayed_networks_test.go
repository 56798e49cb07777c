//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// networks are two networks and a relay between them, each in a network namespace: hosts
// 10.77.1.2 and 10.77.2.2, and the relay's 10.77.1.1 and 10.77.2.1.
type networks struct{ relay, printers, guests string }

// newNetworks makes them, and removes them with the test.
func newNetworks(t *testing.T) *networks {
	t.Helper()
	needRoot(t)
	need(t, "ip")
	n := &networks{}
	for i, name := range []*string{&n.relay, &n.printers, &n.guests} {
		*name = fmt.Sprintf("smtpsend-%d-%d", os.Getpid(), i)
		if r := finish(t, exec.Command("ip", "netns", "add", *name)); r.code != 0 {
			lacking(t, "this machine has no network namespaces: %v", r)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", *name).Run() })
		n.ip(t, *name, "link set lo up")
	}
	for i, name := range []string{n.printers, n.guests} {
		n.ip(t, n.relay, fmt.Sprintf("link add net%d type veth peer name eth netns %s", i+1, name))
		n.ip(t, n.relay, fmt.Sprintf("addr add 10.77.%d.1/24 dev net%d", i+1, i+1))
		n.ip(t, n.relay, fmt.Sprintf("link set net%d up", i+1))
		n.ip(t, name, fmt.Sprintf("addr add 10.77.%d.2/24 dev eth", i+1))
		n.ip(t, name, "link set eth up")
		n.ip(t, name, fmt.Sprintf("route add default via 10.77.%d.1", i+1))
	}
	if r := finish(t, exec.Command("ip", append(n.in(n.relay), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")[1:]...)); r.code != 0 {
		lacking(t, "this machine does not forward between network namespaces: %v", r)
	}
	return n
}

// ip runs ip in a namespace.
func (n *networks) ip(t *testing.T, namespace, args string) {
	t.Helper()
	if r := finish(t, exec.Command("ip", append([]string{"-n", namespace}, strings.Fields(args)...)...)); r.code != 0 {
		t.Fatalf("ip %s: %v", args, r)
	}
}

// in is the beginning of a command line that runs in a namespace.
func (n *networks) in(namespace string) []string { return []string{"ip", "netns", "exec", namespace} }

// swaks sends from a namespace to a host and port, and returns what it printed.
func (n *networks) swaks(t *testing.T, namespace, server, to string) result {
	t.Helper()
	needSwaks(t)
	args := append(n.in(namespace), "swaks", "--server", server, "--from", "page@contoso.example", "--to", to, "--helo", "device")
	return finish(t, exec.Command(args[0], args[1:]...))
}

// Port 2525 is for devices by address, port 2526 for the proxy.
const networkListeners = `listeners:
  - {address: 'smtp://0.0.0.0:2525', policy: ip}
  - {address: 'smtp://10.77.2.1:2526', policy: ip, proxy_protocol_from: [10.77.2.2]}
clients: [{name: printers, networks: [10.77.1.0/24]}]
`

// proxyCfg is a HAProxy in the guests' network that hands on to the relay.
const proxyCfg = `global
  maxconn 100
defaults
  mode tcp
  timeout connect 10s
  timeout client 1m
  timeout server 1m
listen smtp
  bind 10.77.2.2:2525
  server relay 10.77.2.1:2526 send-proxy-v2
`

func TestRelayAdmitsByNetwork(t *testing.T) {
	n := newNetworks(t)
	box := start(t, sandbox.Options{TimeScale: 1000})
	// The sandbox is not in these networks: the mail waits until the end.
	r := startOurRelay(t, box, func(string) string { return networkListeners }, []string{"SMTPSEND_NO_MAILS=1"}, n.in(n.relay))
	const stranger = "550 5.7.1 10.77.2.2 belongs to no client"
	admitted := func(o result, to string) {
		t.Helper()
		if o.code != 0 {
			t.Errorf("%s is refused: %v", to, o)
			return
		}
		if line := r.await(t, "msg=taken", "rcpt="+to); !strings.Contains(line, " address=10.77.1.2 client=printers ") {
			t.Error(line)
		}
	}
	refused := func(o result, words string) {
		t.Helper()
		if o.code == 0 || !strings.Contains(o.stdout, words) {
			t.Errorf("it lacks %q: %v", words, o)
		}
	}
	admitted(n.swaks(t, n.printers, "10.77.1.1:2525", "direct@fabrikam.example"), "direct@fabrikam.example")
	refused(n.swaks(t, n.guests, "10.77.2.1:2525", "guest@fabrikam.example"), stranger)
	// The address that a client comes from counts, not the one that it goes to.
	admitted(n.swaks(t, n.printers, "10.77.2.1:2525", "across@fabrikam.example"), "across@fabrikam.example")
	refused(n.swaks(t, n.guests, "10.77.1.1:2525", "guest@fabrikam.example"), stranger)

	t.Run("HAProxy", func(t *testing.T) {
		need(t, "haproxy")
		conf := writeFile(t, filepath.Join(r.dir, "haproxy.cfg"), proxyCfg)
		args := append(n.in(n.guests), "haproxy", "-d", "-f", conf)
		serve(t, exec.Command(args[0], args[1:]...), "Using")
		n.listens(t, n.guests, "10.77.2.2:2525")
		admitted(n.swaks(t, n.printers, "10.77.2.2:2525", "proxied@fabrikam.example"), "proxied@fabrikam.example")
		refused(n.swaks(t, n.guests, "10.77.2.2:2525", "guest@fabrikam.example"), stranger)
	})
	// Without a header the proxy's own address is not served.
	if o := n.swaks(t, n.guests, "10.77.2.1:2526", "guest@fabrikam.example"); o.code == 0 || strings.Contains(o.stdout, "220") {
		t.Errorf("it is served: %v", o)
	}
	r.await(t, "msg=broken", "listener=smtp://10.77.2.1:2526", "address=10.77.2.2")

	r.stop(t)
	if done := finish(t, r.command(t, nil, nil, "queue", "run", "--drain")); done.code != 0 {
		t.Fatal(done)
	}
	var got []string
	for _, m := range box.Messages() {
		got = append(got, m.To...)
		if raw, _ := box.Raw(m.ID); !strings.HasPrefix(string(raw), "Received: from device ([10.77.1.2]) by ") {
			t.Errorf("arrived as\n%s", raw)
		}
	}
	slices.Sort(got)
	if want := []string{"across@fabrikam.example", "direct@fabrikam.example", "proxied@fabrikam.example"}; !slices.Equal(got, want) {
		t.Errorf("arrived for %q, want %q", got, want)
	}
}

// listens waits for a socket in a namespace, in the list of the kernel.
func (n *networks) listens(t *testing.T, namespace, address string) {
	t.Helper()
	args := append(n.in(namespace), "ss", "-Hltn", "src", address)
	for ctx := within(t); ; {
		r, err := complete(ctx, exec.Command(args[0], args[1:]...))
		if err != nil {
			t.Fatal(err)
		}
		if r.stdout != "" {
			return
		}
	}
}
