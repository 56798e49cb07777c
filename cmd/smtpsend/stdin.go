package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/until"
)

// input is standard input whose Read returns when ctx ends: somebody who
// presses Ctrl-C, or a supervisor that sends SIGTERM, is not kept waiting for
// text that nobody writes. It is for one goroutine at a time.
type input struct {
	ctx  context.Context // kept, because Read has none
	in   io.Reader
	read io.Reader // in, until ctx ends
}

func newInput(ctx context.Context, in io.Reader) *input {
	return &input{ctx: ctx, in: in, read: until.Reader(ctx, in)}
}

func (i *input) Read(p []byte) (int, error) {
	n, err := i.read.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && i.ctx.Err() == nil {
		err = &message.FileError{Path: "standard input", Err: err}
	}
	return n, err
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
