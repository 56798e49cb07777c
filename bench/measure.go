//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/smtpsend/smtpsend/bench/internal/delayproxy"
)

// sample is what one run cost.
type sample struct {
	wall, cpu time.Duration
	memory    int64         // octets, at the highest
	connect   time.Duration // from the start of the process to its connection
	turns     int           // -1: not counted
}

// oneRun bounds a run: the slowest peer needs a minute for 200 messages.
const oneRun = 3 * time.Minute

// measure runs p once. The error is unable, or says what went wrong.
func (l *lab) measure(ctx context.Context, p program, s scenario, far bool) (sample, error) {
	scratch, err := os.MkdirTemp(l.dir, "run-*")
	if err != nil {
		return sample{}, fmt.Errorf("making directory: %w", err)
	}
	defer os.RemoveAll(scratch)
	j := l.job(s, far, scratch)
	inv, err := p.command(j)
	if err != nil {
		return sample{}, err
	}
	accepted := l.box.Stats().Accepted
	l.smtp.Forget()
	l.greeted.Store(0)
	l.think.Store(int64(s.think))
	ctx, cancel := context.WithTimeout(ctx, oneRun)
	defer cancel()
	r, err := runUnder(ctx, l.launch, inv, j.environ())
	if err != nil {
		return sample{}, err
	}
	for _, proxy := range []*delayproxy.Proxy{l.smtp, l.tokens} {
		if err := proxy.Idle(ctx); err != nil {
			return sample{}, fmt.Errorf("waiting for the connection to end: %w", err)
		}
	}
	if got := l.box.Stats().Accepted - accepted; got != int64(s.messages) {
		return sample{}, fmt.Errorf("the server accepted %d messages, not %d", got, s.messages)
	}
	return l.sample(r, far || s.rtt > 0), nil
}

// sample completes a report by what the server's side saw.
func (l *lab) sample(r report, far bool) sample {
	smp := sample{wall: time.Duration(r.Wall), cpu: time.Duration(r.User + r.System), memory: r.MaxRSS, turns: -1}
	if runtime.GOOS != "darwin" {
		smp.memory *= 1024 // getrusage(2): kilobytes, but on macOS
	}
	if !far {
		smp.connect = time.Duration(l.greeted.Load() - r.Start)
		return smp
	}
	smp.turns = 0
	for _, t := range l.smtp.Trips() {
		smp.turns += t.Turns
	}
	return smp
}

// report is what the launcher writes.
type report struct {
	Start, Wall, User, System int64
	MaxRSS                    int64
	Exit                      int
}

// runUnder runs an invocation under the launcher. It ends with ctx, and with it
// all processes that it started.
func runUnder(ctx context.Context, launch string, inv invocation, env []string) (report, error) {
	var r report
	results, theirs, err := os.Pipe()
	if err != nil {
		return r, fmt.Errorf("making pipe: %w", err)
	}
	defer results.Close()
	defer theirs.Close()
	cmd := exec.CommandContext(ctx, launch, inv.args...)
	cmd.Env = append(env, inv.env...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var said bytes.Buffer
	cmd.Stderr = &said
	if inv.stdin != "" {
		in, err := os.Open(inv.stdin)
		if err != nil {
			return r, fmt.Errorf("opening standard input: %w", err)
		}
		defer in.Close()
		cmd.Stdin = in
	}
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("running %s: %w: %s", filepath.Base(inv.args[0]), errors.Join(err, ctx.Err()), said.Bytes())
	}
	if err := json.NewDecoder(results).Decode(&r); err != nil {
		return r, fmt.Errorf("reading result: %w", err)
	}
	if r.Exit != 0 {
		return r, fmt.Errorf("%s ended with exit code %d: %s", filepath.Base(inv.args[0]), r.Exit, said.Bytes())
	}
	return r, nil
}
