package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/message"
)

// input is standard input whose Read returns when ctx ends: somebody who
// presses Ctrl-C, or a supervisor that sends SIGTERM, is not kept waiting for
// text that nobody writes. A read that is under way then is left behind; what it
// brings is lost, with the process that ends. It is for one goroutine at a time.
type input struct {
	ctx     context.Context // kept, because Read has none
	in      io.Reader
	got     chan arrival
	waiting bool // a read is under way
	buffer  []byte
	rest    []byte // of buffer, not handed on yet
	err     error  // behind rest
}

// arrival is what one read brought.
type arrival struct {
	n   int
	err error
}

// inputBuffer is how much is read at once.
const inputBuffer = 64 << 10

func newInput(ctx context.Context, in io.Reader) *input {
	return &input{ctx: ctx, in: in, got: make(chan arrival, 1)}
}

func (i *input) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(i.rest) == 0 && i.err == nil {
		if err := i.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	if n == 0 {
		return 0, i.err
	}
	return n, nil
}

// fill waits for the next octets, or for the end of ctx.
func (i *input) fill() error {
	if i.buffer == nil {
		i.buffer = make([]byte, inputBuffer)
	}
	if !i.waiting {
		i.waiting = true
		go func() {
			n, err := i.in.Read(i.buffer)
			i.got <- arrival{n, err}
		}()
	}
	select {
	case <-i.ctx.Done():
		return context.Cause(i.ctx)
	case a := <-i.got:
		i.waiting = false
		i.rest, i.err = i.buffer[:a.n], a.err
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			i.err = &message.FileError{Path: "standard input", Err: a.err}
		}
		return nil
	}
}

// terminal returns the terminal behind stream, false when there is none.
func terminal(stream any) (*os.File, bool) {
	if i, ok := stream.(*input); ok {
		stream = i.in
	}
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// isTerminal reports whether stream is a terminal.
func isTerminal(stream any) bool {
	_, ok := terminal(stream)
	return ok
}

// taken is standard input for the settings when a message is read from there: a
// secret would swallow it.
type taken struct{ g *globals }

func (t taken) Read([]byte) (int, error) {
	t.g.stdinTwice = true
	return 0, errors.New("standard input is taken")
}

// askFor says at a terminal that standard input is read, which otherwise looks
// as if nothing happened.
func (g *globals) askFor(what string) {
	if !isTerminal(g.stdin) {
		return
	}
	end := "Ctrl-D"
	if runtime.GOOS == "windows" {
		end = "Ctrl-Z and Enter"
	}
	g.line("note", "reading %s from standard input, end with %s", what, end)
}

// readPassword asks for a line at a terminal without echo. The terminal is raw
// meanwhile, where Ctrl-C is a key, and becomes what it was however this ends.
func (g *globals) readPassword(tty *os.File, prompt string) (string, error) {
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(int(tty.Fd()), before) }()
	text, err := term.NewTerminal(g.conversation(), "").ReadPassword(prompt)
	if errors.Is(err, io.EOF) { // Ctrl-C, or Ctrl-D before anything else
		return "", context.Canceled
	}
	return text, err
}
