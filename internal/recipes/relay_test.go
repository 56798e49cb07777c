//go:build linux

package recipes_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/freeport"
)

// block is a fenced block of a document: the first after the text.
func block(t *testing.T, document, after string) (body, rest string) {
	t.Helper()
	_, text, found := strings.Cut(document, after)
	_, text, begins := strings.Cut(text, "\n```")
	_, text, named := strings.Cut(text, "\n")
	body, rest, ends := strings.Cut(text, "\n```\n")
	if !found || !begins || !named || !ends {
		t.Fatalf("the document has no block after %q", after)
	}
	return body + "\n", rest
}

// document is a page of docs.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployed(t, "../docs"), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRelayTestPage runs the manual's first page of the relay as it is, but for the port.
func TestRelayTestPage(t *testing.T) {
	need(t, "swaks", "curl", "bash")
	script, rest := block(t, document(t, "manual.md"), "<!-- a test runs these three blocks")
	printer, rest := block(t, rest, "Now the printer sends")
	shown, _ := block(t, rest, "Its output ends with")
	script = strings.ReplaceAll("set -eu -o pipefail\ntrap 'kill $(jobs -p)' EXIT\n"+script+printer+shown, ":2525", ":"+freePort(t))
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C.UTF-8"}
	cmd.WaitDelay = limit
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"no error in " + dir + "/relay-test/relay.yaml: 1 listener and 1 client\n", "250 2.0.0 queued as ", "msg=taken ", "client=printer",
		`"subject": "Test page"`, `"from": "noreply@contoso.example"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestRelayFileOfTheManual(t *testing.T) {
	s := newSite(t)
	file, _ := block(t, document(t, "manual.md"), "<!-- a test reads this file -->")
	path := s.write(t, "relay.yaml", file, 0o600)
	for _, user := range []string{"erp", "monitoring"} {
		s.ok(t, "", program("smtpsend"), "relay", "user", "add", "--generate", "--file", s.dir+"/relay-users", user)
	}
	r := s.ok(t, "", program("smtpsend"), "relay", "check", path)
	if r.stderr != "" || !strings.HasSuffix(r.stdout, ": 3 listeners and 4 clients\n") {
		t.Errorf("%v", r)
	}
}

// neighbour is a relay that the programs of docs/neighbours send through, and what their
// pages say it is.
type neighbour struct {
	*site
	certificate string            // file
	ports       map[string]string // those of the pages, and those of this relay
	log         *bufio.Reader
}

// relayPassword is that of the user app.
const relayPassword = "app-password"

// newNeighbour starts the relay of docs/neighbours/README.md.
func newNeighbour(t *testing.T) *neighbour {
	t.Helper()
	n := &neighbour{site: newSite(t), ports: map[string]string{}}
	file, _ := block(t, document(t, "neighbours/README.md"), "<!-- a test reads this file -->")
	for _, port := range []string{"25", "587", "465"} {
		n.ports[port] = freePort(t)
		file = regexp.MustCompile(`(//[0-9.]+):`+port+`\b`).ReplaceAllString(file, "${1}:"+n.ports[port])
	}
	file = strings.NewReplacer("hostname: relay.contoso.com", "hostname: localhost", "0.0.0.0", "127.0.0.1", "contoso.com", "contoso.example").Replace(file)
	path := n.write(t, "relay.yaml", file, 0o600)
	n.environ = append(n.environ, "SMTPSEND_RELAY_FILE="+path)
	n.ok(t, relayPassword+"\n", program("smtpsend"), "relay", "user", "add", "app")
	cmd := exec.Command(program("smtpsend"), "relay")
	cmd.Env, cmd.Dir = n.environ, n.dir
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the relay ended with %v after\n%s", err, rest)
		}
	})
	if err := out.(*os.File).SetReadDeadline(time.Now().Add(2 * limit)); err != nil {
		t.Fatal(err)
	}
	n.log = bufio.NewReader(out)
	for range n.ports {
		n.logged(t, "msg=listening")
	}
	shown := n.run(t, "", "openssl", "s_client", "-connect", "127.0.0.1:"+n.ports["465"])
	n.certificate = n.write(t, "relay.pem", shown.stdout[strings.Index(shown.stdout, "-----BEGIN"):strings.Index(shown.stdout, "-----END")]+"-----END CERTIFICATE-----\n", 0o644)
	return n
}

// logged reads the relay's log up to a line with the text.
func (n *neighbour) logged(t *testing.T, text string) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := n.log.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return line
		}
		if err != nil {
			t.Fatalf("%q is not in the log:\n%s", text, &all)
		}
	}
}

// page writes a block of a page of docs/neighbours to a file, made for this relay: the
// block after the comment <!-- tried: NAME -->.
func (n *neighbour) page(t *testing.T, page, name string) string {
	t.Helper()
	text, _ := block(t, document(t, "neighbours/"+page), "<!-- tried: "+name)
	text = strings.NewReplacer("relay.contoso.com", "localhost", "contoso.com", "contoso.example", "/etc/ssl/relay.pem", n.certificate).Replace(text)
	text = regexp.MustCompile(`\bPASSWORD\b`).ReplaceAllString(text, relayPassword)
	for port, ours := range n.ports {
		text = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(text, ours)
	}
	return n.write(t, name, text, 0o644)
}

// sent waits until the relay has submitted, and checks what arrived: the sender is its
// own mailbox.
func (n *neighbour) sent(t *testing.T, want letter) {
	t.Helper()
	n.logged(t, "outcome=accepted")
	all := n.Messages()
	if len(all) != 1 {
		t.Fatalf("%d messages arrived, want 1", len(all))
	}
	if m := all[0]; !slices.Equal(m.To, want.to) || m.From != want.from || m.Mailbox != want.from {
		t.Errorf("from %q to %q by %q, want from %q to %q", m.From, m.To, m.Mailbox, want.from, want.to)
	}
	raw, _ := n.Raw(all[0].ID)
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	for _, line := range want.has {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}
