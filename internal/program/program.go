// Package program runs programs that settings name: one that prints a secret, one that
// is told of an incident. No shell sees them, each has a time limit, and what an error
// shows of them holds no secret.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// Limits of a program.
const (
	defaultTimeout = 30 * time.Second
	outputWait     = 2 * time.Second // for children that keep its output open
	maxStderr      = 4 << 10         // octets of its standard error that are read
	maxSaid        = 512             // octets of these that are shown
)

// Program is a program that a setting names, and how it runs: split into words by Split,
// no shell sees it, so nothing in it is expanded. Those who want a shell write
// sh -c '...'. A program without a path is looked for in PATH, never in the working
// directory. It may run any number of times.
type Program struct {
	Words   []string      // of Split: the program, then its arguments
	Environ []string      // nil = that of this process
	Timeout time.Duration // 0 = 30 s
	Silent  bool          // errors do not repeat its standard error
}

// Run runs the program with input as its standard input, and returns what it prints: of
// more than most octets the first and one more. It ends with ctx, and so does, on Unix,
// what it has started, unless there is a terminal. Its error says how the program ended
// and, in part, what it wrote to standard error: a predicate, for people.
func (p Program) Run(ctx context.Context, input []byte, most int) ([]byte, error) {
	limit := p.Timeout
	if limit == 0 {
		limit = defaultTimeout
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stdout := &cappedBuffer{limit: most + 1}
	stderr := &cappedBuffer{limit: maxStderr}
	cmd := exec.CommandContext(timed, p.Words[0], p.Words[1:]...)
	cmd.Env = p.Environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), stdout, stderr
	cmd.WaitDelay = outputWait
	ownGroup(cmd)
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well, and left an agent running that has its output open
		err = nil
	}
	isTooLong := errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil
	switch {
	case err != nil && isTooLong:
		return nil, fmt.Errorf("took longer than %s%s", limit, p.said(stderr, stdout))
	case err != nil:
		return nil, fmt.Errorf("%s%s", runReason(err), p.said(stderr, stdout))
	}
	return stdout.kept, nil
}

// runReason leaves out the command line, whose arguments may hold a secret.
func runReason(err error) string {
	var start *exec.Error
	var exit *exec.ExitError
	switch {
	case errors.As(err, &start):
		return "did not run: " + start.Err.Error()
	case errors.As(err, &exit):
		return "ended with " + exit.Error() // "exit status 3", "signal: killed"
	}
	return "did not run: " + ownfile.Reason(err)
}

// said quotes what a program wrote to standard error, without what is also in the
// output, thus perhaps in the secret: a shell run with tracing prints both.
func (p Program) said(stderr, stdout *cappedBuffer) string {
	if p.Silent {
		return ""
	}
	printed := slices.DeleteFunc(strings.Fields(string(stdout.kept)), func(word string) bool { return len(word) < 4 })
	text := secret.NewWords(printed...).Hide(strings.Join(strings.Fields(string(stderr.kept)), " "), 8)
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; it said: %q", text[:min(len(text), maxSaid)])
}

// cappedBuffer keeps the first octets and lets the rest pass, so that a command
// is not stopped by a full pipe. It embeds no bytes.Buffer, whose ReadFrom would
// be used in place of Write and take in everything.
type cappedBuffer struct {
	kept  []byte
	limit int
}

// Write never fails.
func (b *cappedBuffer) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), b.limit-len(b.kept))]...)
	return len(p), nil
}
