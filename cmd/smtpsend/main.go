// Command smtpsend submits mail to Exchange Online by SMTP with OAuth 2.
//
// The way of a message can be read from send.go on: the flags become a draft
// (internal/draft), the settings become a session (internal/account), the
// submission gives a receipt (internal/view), and failure ends in the catalogue's
// words and one exit code (internal/exit/ending).
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/nodump"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/sendmail"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/zone"
)

func main() {
	// A second line of defence; where the system refuses, there is none.
	_ = nodump.Disable()
	setZone()
	p := &process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	log.SetOutput(printable.NewWriter(os.Stderr)) // net/http quotes servers there
	args := sendmail.ByName(os.Args[0], os.Args[1:])
	ctx := context.Background()
	if verb := verbNamed(args); verb == nil || !verb.immediate {
		ctx = notified()
	}
	os.Exit(run(ctx, p, args))
}

// setZone makes TZ the zone of all times. newRoot says what is wrong with it.
func setZone() { _ = zone.Set(os.LookupEnv("TZ")) }

// notified is the context that SIGINT and SIGTERM end. Once it has ended, a
// second signal kills. It is kept to the end of the process: a first signal
// that comes when the result is told already shall not take its exit code. A
// terminal that is closed (SIGHUP) does the same, unless nohup says otherwise;
// kernel and shell may both tell of it, and the second shall not kill.
func notified() context.Context {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGHUP)
		stop()
	})
	return ctx
}

// process is what a verb sees of the process that it runs in.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	ahead          time.Duration // by which tests move the clock that says what ends
}

// clock is the time by which it is judged what ends.
func clock(g *application) time.Time { return time.Now().Add(g.ahead) }

// printer writes to the streams.
func (p *process) printer() *stdio.Printer { return stdio.NewPrinter(p.stdout, p.stderr) }

// completes reports the command that a shell asks for words.
func completes(args []string) bool {
	return slices.Contains(args, cobra.ShellCompRequestCmd) || slices.Contains(args, cobra.ShellCompNoDescRequestCmd)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, p *process, args []string) int {
	inside := *p
	inside.stdin = stdio.NewInput(ctx, p.stdin, func(err error) error { return &badinput.FileError{Path: "standard input", Err: err} })
	root, g := newRoot(&inside, args)
	root.SetArgs(args)
	if completes(args) && slices.ContainsFunc(args, func(arg string) bool { return printable.Line(arg) != arg }) {
		return exit.Usage // cobra would print it as it is
	}
	cmd, err := root.ExecuteContextC(ctx)
	return g.written(cmd, g.conclude(err))
}
