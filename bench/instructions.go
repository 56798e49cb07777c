//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Instructions that processes execute, by valgrind's callgrind. Unlike times they are
// nearly the same in every run and on every machine of one kind, so that a bound on
// them can fail the run.

// The bounds.
const (
	startBound = 2.5 // version, in those of package bare
	sendBound  = 1.2 // one send, in those of go-mail's program
)

// counted is how often a process is counted; the least is taken, because others that use
// the machine can only add: up to a twentieth, by the threads that the runtime starts.
const counted = 11

// instructions are the counts of one run, 0 where nothing was counted.
type instructions struct{ version, bare, send, goMail, secret, certificate int64 }

// errOverBound ends a run in which a counted bound is exceeded.
var errOverBound = errors.New("over a bound that is counted in instructions (see the targets)")

var collected = regexp.MustCompile(`Collected : (\d+)`)

// countInstructions counts what the targets name. Without valgrind it counts nothing.
func (l *lab) countInstructions(ctx context.Context, list []program, progress io.Writer) (n instructions, err error) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		return n, nil
	}
	bare := l.path("bare")
	if err := build(ctx, "bench/bare", bare); err != nil {
		return n, err
	}
	if n.bare, err = l.count(ctx, invocation{args: []string{bare}}, nil); err != nil {
		return n, err
	}
	if n.version, err = l.count(ctx, invocation{args: []string{l.path("smtpsend"), "version"}}, nil); err != nil {
		return n, err
	}
	for name, count := range map[string]*int64{ourName: &n.send, goMailName: &n.goMail} {
		if *count, err = l.countSend(ctx, list, name); err != nil {
			return n, err
		}
	}
	if err := l.countCredentials(ctx, &n); err != nil {
		return n, err
	}
	fmt.Fprintf(progress, "instructions: %+v\n", n)
	return n, nil
}

// countSend counts one message with a warm token, near.
func (l *lab) countSend(ctx context.Context, list []program, name string) (int64, error) {
	for _, p := range list {
		if p.name != name || p.missing != "" {
			continue
		}
		scratch, err := os.MkdirTemp(l.dir, "run-*")
		if err != nil {
			return 0, fmt.Errorf("making directory: %w", err)
		}
		defer os.RemoveAll(scratch)
		j := l.job(warmNear, false, scratch)
		inv, err := p.command(j)
		if err != nil {
			return 0, err
		}
		return l.count(ctx, inv, j.environ())
	}
	return 0, nil
}

// count runs a process under callgrind.
func (l *lab) count(ctx context.Context, inv invocation, env []string) (least int64, err error) {
	args := append([]string{"--tool=callgrind", "--callgrind-out-file=" + os.DevNull}, inv.args...)
	for range counted {
		cmd := exec.CommandContext(ctx, "valgrind", args...)
		// What the runtime does every 10 ms to running goroutines depends on the machine.
		cmd.Env = append(append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "GODEBUG=asyncpreemptoff=1"}, env...), inv.env...)
		text, err := cmd.CombinedOutput()
		m := collected.FindSubmatch(text)
		if err != nil || m == nil {
			return 0, fmt.Errorf("counting %s: %w: %s", filepath.Base(inv.args[0]), errors.Join(err, ctx.Err()), oneLine(string(text)))
		}
		n, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading callgrind's count: %w", err)
		}
		if least == 0 || n < least {
			least = n
		}
	}
	return least, nil
}

// targets are the bounds.
func (n instructions) targets() []target {
	return []target{
		ratioAtMost(fmt.Sprintf("version: at most %.1f times the instructions of a program that links crypto/tls and net/http", startBound), n.version, n.bare, startBound),
		ratioAtMost(fmt.Sprintf("1 message, warm token, 0 ms: at most %.1f times the instructions of go-mail's program", sendBound), n.send, n.goMail, sendBound),
		ratioAtMost(fmt.Sprintf("token, warm, with a certificate: at most %.1f times the instructions of that with a client secret", certificateBound), n.certificate, n.secret, certificateBound),
	}
}

func ratioAtMost(what string, ours, theirs int64, most float64) target {
	if ours == 0 || theirs == 0 {
		return target{what: what, open: true}
	}
	ratio := float64(ours) / float64(theirs)
	return target{
		what: what, met: ratio <= most,
		measured: fmt.Sprintf("%.2f (%s; %s)", ratio, millions(ours), millions(theirs)),
	}
}

func millions(n int64) string {
	return strings.Replace(fmt.Sprintf("%.2f million", float64(n)/1e6), ".00 ", " ", 1)
}

// overBound is the error of a run whose counts exceed a bound.
func (n instructions) overBound() error {
	for _, t := range n.targets() {
		if !t.open && !t.met {
			return fmt.Errorf("%w: %s: %s", errOverBound, t.what, t.measured)
		}
	}
	return nil
}
