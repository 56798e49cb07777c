//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/smtpsend/smtpsend/internal/freeport"
)

// build makes a static, stripped binary, as releases are.
func build(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s", "-o", out, "github.com/smtpsend/smtpsend/cmd/smtpsend")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building smtpsend: %w\n%s", err, text)
	}
	return nil
}

// relay is one that runs, with two listeners.
type relay struct {
	cmd                *exec.Cmd
	log                *os.File
	clear, implicitTLS string // host and port
}

const relayFile = `listeners:
  - {address: 'smtp://%s', limits: {connections: 5000, connections_per_address: 5000, commands: 1000000}}
  - {address: 'smtps://%s', limits: {connections: 5000, connections_per_address: 5000}}
clients: [{name: this-host, networks: [127.0.0.1]}]
`

// start starts a relay with an outbox of its own, and more in its environment.
func (s settings) start(ctx context.Context, name string, environ ...string) (*relay, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	r := &relay{}
	for _, at := range []*string{&r.clear, &r.implicitTLS} {
		port, err := freeport.Find()
		if err != nil {
			return nil, err
		}
		*at = "127.0.0.1:" + port
	}
	file := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, relayFile, r.clear, r.implicitTLS), 0o600); err != nil {
		return nil, err
	}
	var err error
	if r.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	r.cmd = exec.CommandContext(ctx, s.binary, "relay")
	r.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SMTPSEND_STATE_DIR=" + filepath.Join(dir, "state"), "SMTPSEND_RELAY_FILE=" + file,
		"SMTPSEND_OFFICE_TENANT_ID=11111111-1111-4111-8111-111111111111", "SMTPSEND_OFFICE_CLIENT_ID=22222222-2222-4222-8222-222222222222", "SMTPSEND_OFFICE_CLIENT_SECRET=none",
		"SMTPSEND_MAIL_SENDER=reports@contoso.example",
	}
	r.cmd.Env = append(r.cmd.Env, environ...)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := r.greeting(ctx, false); err != nil {
		r.stop()
		log, _ := os.ReadFile(r.log.Name())
		return nil, fmt.Errorf("%w: %s", err, log)
	}
	return r, nil
}

func (r *relay) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Wait()
	_ = r.log.Close()
}

// greeting waits until the relay greets.
func (r *relay) greeting(ctx context.Context, overTLS bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		took, conn, err := r.connect(ctx, overTLS)
		if err == nil {
			return took, conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting for the relay: %w", err)
		}
	}
}

// connect connects and reads the greeting.
func (r *relay) connect(ctx context.Context, overTLS bool) (time.Duration, net.Conn, error) {
	began := time.Now()
	var dialer interface {
		DialContext(context.Context, string, string) (net.Conn, error)
	} = &net.Dialer{}
	at := r.clear
	if overTLS {
		at, dialer = r.implicitTLS, &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // it shows a self-made certificate
	}
	conn, err := dialer.DialContext(ctx, "tcp", at)
	if err != nil {
		return 0, nil, err
	}
	line, err := bufio.NewReaderSize(conn, 16).ReadSlice(' ')
	if err != nil || string(line) != "220 " {
		_ = conn.Close()
		return 0, nil, fmt.Errorf("the relay greets with %q: %w", line, err)
	}
	return time.Since(began), conn, nil
}

// newClients is how many are timed.
const newClients = 20

// hold connects so many clients, measures the memory of the relay, and how soon new
// clients are greeted.
func (r *relay) hold(ctx context.Context, n int, overTLS bool, i *idle) error {
	for range n {
		_, conn, err := r.connect(ctx, overTLS)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("EHLO idle\r\n")); err != nil {
			return err
		}
		if _, err := conn.Read(make([]byte, 1024)); err != nil {
			return err
		}
	}
	var err error
	if i.memory, err = r.memory(); err != nil {
		return err
	}
	var took []time.Duration
	for range newClients {
		t, conn, err := r.connect(ctx, overTLS)
		if err != nil {
			return err
		}
		_ = conn.Close()
		took = append(took, t)
	}
	i.greeted = median(took)
	return nil
}

// memory is the resident set of the relay, in octets.
func (r *relay) memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmRSS:"); found {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("the kernel tells no resident set of process %d", r.cmd.Process.Pid)
}
