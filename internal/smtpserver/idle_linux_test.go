//go:build !race

package smtpserver_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// resident is what a process holds in memory, in KiB, and at most held (VmHWM).
func resident(t *testing.T, pid int, field string) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), field+":")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

// TestIdleConnections: 1,000 clients that wait cost a relay little. The race detector takes
// memory of its own. Its bounds are 60 MB
// for the whole process and 80 MB over TLS, of which some 25 are there without clients.
func TestIdleConnections(t *testing.T) {
	const many = 1000
	for kind, limit := range map[string]int{"clear": 35 << 10, "tls": 55 << 10, "starttls": 55 << 10} { // KiB
		t.Run(kind, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "SMTPSERVER_TEST_IDLE="+kind)
			cmd.Stderr = os.Stderr
			in, _ := cmd.StdinPipe()
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close(); _ = cmd.Wait() }()
			addr, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			h := &harness{addr: strings.TrimSpace(addr)}
			before := resident(t, cmd.Process.Pid, "VmRSS")
			for range many {
				idle(t, h, kind)
			}
			grown := resident(t, cmd.Process.Pid, "VmRSS") - before
			t.Logf("%s: %d KiB without clients, %d more with %d, at most %d", kind, before, grown, many, resident(t, cmd.Process.Pid, "VmHWM"))
			if grown > limit {
				t.Errorf("%s: %d connections cost %d KiB; want at most %d", kind, many, grown, limit)
			}
		})
	}
}

// idle is a client that has said EHLO, and waits.
func idle(t *testing.T, h *harness, kind string) {
	t.Helper()
	c := h.dial(t)
	if kind == "tls" {
		tc := tls.Client(c.conn, trustAll)
		c.conn, c.r = tc, bufio.NewReader(tc)
	}
	c.want("220 test ready")
	c.write("EHLO me\r\n")
	_, _ = c.r.ReadString('\n')
	_, _ = c.r.ReadString('\n')
	if kind == "starttls" {
		c.startTLS(trustAll)
		c.write("EHLO me\r\n")
		_, _ = c.r.ReadString('\n')
	}
}
