package certificate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/certificate"
)

// world is a clock that the test moves, and what was warned of.
type world struct {
	mu     sync.Mutex
	now    time.Time
	warned []string
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) warn(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warned = append(w.warned, err.Error())
}

// warnings are those since the last call.
func (w *world) warnings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	warned := w.warned
	w.warned = nil
	return warned
}

func open(t *testing.T, o certificate.Options) (*certificate.Certificate, *world) {
	t.Helper()
	w := &world{now: time.Now()}
	o.Warn, o.Now = w.warn, w.Now
	c, err := certificate.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

// shown is the certificate in a handshake.
func shown(t *testing.T, c *certificate.Certificate) *x509.Certificate {
	t.Helper()
	leaf, err := handshake(c)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// handshake is that of a client that takes what it is shown.
func handshake(c *certificate.Certificate) (*x509.Certificate, error) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(theirs, c.Config(0)).HandshakeContext(context.Background()) }()
	client := tls.Client(ours, &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], <-done
}

func TestSelfMadeIsKeptAndRenewed(t *testing.T) {
	o := certificate.Options{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"Relay.contoso.example", "192.0.2.10", "::1"}}
	c, w := open(t, o)
	first := shown(t, c)
	for _, name := range []string{"relay.contoso.example", "192.0.2.10", "::1"} {
		if err := first.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(first)
	if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: "relay.contoso.example"}); err != nil {
		t.Errorf("who trusts it: %v", err)
	}
	info, err := os.Stat(filepath.Join(o.Dir, "self-made.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	again, _ := open(t, o)
	if !shown(t, again).Equal(first) {
		t.Error("another one was made at the next start")
	}
	w.pass(first.NotAfter.Sub(w.Now()) - 31*24*time.Hour)
	if !shown(t, c).Equal(first) {
		t.Error("another one was made 31 days before its end")
	}
	w.pass(2 * 24 * time.Hour)
	second := shown(t, c)
	if second.Equal(first) || !second.NotAfter.After(first.NotAfter) || !bytes.Equal(second.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) {
		t.Errorf("29 days before its end: %v to %v", second.NotBefore, second.NotAfter)
	}
	o.Names = []string{"other.contoso.example"}
	other, _ := open(t, o)
	if err := shown(t, other).VerifyHostname("other.contoso.example"); err != nil {
		t.Error(err)
	}
	if got := w.warnings(); len(got) > 0 {
		t.Errorf("warned of %q", got)
	}
}

// write writes another certificate of a host into a file.
func write(t *testing.T, name, host string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "made")
	open(t, certificate.Options{Dir: dir, Names: []string{host}})
	data, err := os.ReadFile(filepath.Join(dir, "self-made.pem"))
	if err == nil {
		err = ownfile.Replace(name, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangedFilesAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relay.pem")
	write(t, file, "one.example")
	c, w := open(t, certificate.Options{File: file})
	want := func(host string) {
		t.Helper()
		if got := shown(t, c).Subject.CommonName; got != host {
			t.Errorf("got %s; want %s", got, host)
		}
	}
	want("one.example")
	write(t, file, "two.example")
	want("one.example") // looked at a moment ago
	w.pass(time.Second)
	want("two.example")
	// What cannot be used changes nothing, and is told once.
	if err := ownfile.Replace(file, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.pass(time.Second)
		want("two.example")
	}
	if got := w.warnings(); len(got) != 1 || !strings.Contains(got[0], "the certificate from before stays in use: reading the certificate "+file) {
		t.Errorf("warned of %q", got)
	}
	if err := c.Reload(t.Context()); err == nil {
		t.Error("Reload took it")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	want("two.example")
	write(t, file, "three.example")
	if err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	want("three.example")
	w.pass(6 * 365 * 24 * time.Hour)
	w.warnings()
	if err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if got := w.warnings(); len(got) != 1 || !strings.Contains(got[0], "ended on") {
		t.Errorf("warned of %q", got)
	}
}

func TestKeyMayBeInAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	both := filepath.Join(dir, "both.pem")
	write(t, both, "one.example")
	data, err := os.ReadFile(both)
	if err != nil {
		t.Fatal(err)
	}
	chain, key, _ := bytes.Cut(data, []byte("-----BEGIN PRIVATE KEY"))
	o := certificate.Options{File: filepath.Join(dir, "chain.pem"), Key: filepath.Join(dir, "key.pem")}
	if err := errors.Join(os.WriteFile(o.File, chain, 0o644), os.WriteFile(o.Key, append([]byte("-----BEGIN PRIVATE KEY"), key...), 0o644)); err != nil {
		t.Fatal(err)
	}
	c, w := open(t, o)
	if got := shown(t, c).Subject.CommonName; got != "one.example" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(w.warnings(), "\n"); runtime.GOOS != "windows" && !strings.Contains(got, "everyone can read the key") {
		t.Errorf("warned of %q", got)
	}
	write(t, o.Key, "two.example")
	if _, err := certificate.Open(t.Context(), o); err == nil {
		t.Error("a key of another certificate was taken")
	}
	if _, err := certificate.Open(t.Context(), certificate.Options{}); err == nil {
		t.Error("nothing was taken")
	}
}

// TestVersionsAndSuites: what openssl offers, and what is taken.
func TestVersionsAndSuites(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has openssl")
		}
		t.Skip("needs openssl")
	}
	c, _ := open(t, certificate.Options{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"relay.example"}})
	for _, tt := range []struct {
		lowest uint16
		args   string
		want   string // "" for none
	}{
		{0, "-tls1_3", "TLSv1.3"},
		{0, "-tls1_2", "TLSv1.2"},
		{0, "-tls1_1", ""},
		{0, "-tls1_2 -cipher AES128-SHA", ""},
		{tls.VersionTLS11, "-tls1_1", "TLSv1.1"},
		{tls.VersionTLS11, "-tls1", ""},
		{tls.VersionTLS10, "-tls1", "TLSv1"},
		{tls.VersionTLS10, "-tls1_1", "TLSv1.1"},
		{tls.VersionTLS10, "-tls1 -cipher AES128-SHA@SECLEVEL=0", "TLSv1"},
		{tls.VersionTLS10, "-tls1_2 -cipher AES256-SHA@SECLEVEL=0", "TLSv1.2"},
		{tls.VersionTLS10, "-tls1_3", "TLSv1.3"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", c.Config(tt.lowest))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go serve(l)
			args := append([]string{"s_client", "-brief", "-connect", l.Addr().String()}, strings.Fields(tt.args)...)
			if !strings.Contains(tt.args, "-cipher") {
				args = append(args, "-cipher", "DEFAULT@SECLEVEL=0")
			}
			out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput()
			taken := err == nil && strings.Contains(string(out), "Protocol version: "+tt.want+"\n")
			refused := err != nil && tt.want == ""
			if !taken && !refused {
				t.Errorf("%v: want %q, %v\n%s", args, tt.want, err, out)
			}
		})
	}
}

// serve does a handshake with each client.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.(*tls.Conn).HandshakeContext(context.Background())
		_ = c.Close()
	}
}

// Go's client knows 3DES, which many builds of openssl lack.
func TestTripleDES(t *testing.T) {
	c, _ := open(t, certificate.Options{Dir: filepath.Join(t.TempDir(), "tls"), Names: []string{"relay.example"}})
	for lowest, want := range map[uint16]bool{tls.VersionTLS10: true, tls.VersionTLS12: false} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", c.Config(lowest))
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: lowest, MaxVersion: max(lowest, tls.VersionTLS10), CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}})
		if (err == nil) != want {
			t.Errorf("lowest version %x: %v", lowest, err)
		}
		if err == nil {
			_ = conn.Close()
		}
		_ = l.Close()
	}
}

// TestReplacedUnderLoad: no handshake fails while the file changes.
func TestReplacedUnderLoad(t *testing.T) {
	dir := t.TempDir()
	var sources []string
	for _, host := range []string{"one.example", "two.example"} {
		source := filepath.Join(dir, host)
		write(t, source, host)
		sources = append(sources, source)
	}
	file := filepath.Join(dir, "relay.pem")
	write(t, file, "one.example")
	c, w := open(t, certificate.Options{File: file})
	stop := make(chan struct{})
	seen := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				leaf, err := handshake(c)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[leaf.Subject.CommonName]++
				mu.Unlock()
			}
		})
	}
	for i := range 20 {
		data, err := os.ReadFile(sources[i%2])
		if err == nil {
			err = ownfile.Replace(file, data, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		w.pass(time.Second)
		shown(t, c)
	}
	close(stop)
	all.Wait()
	if got := w.warnings(); len(seen) != 2 || len(got) > 0 {
		t.Errorf("seen %v, warned of %q", seen, got)
	}
}
